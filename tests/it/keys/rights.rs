//! What the policies that this crate prints are enough for, and what they are not, as FakeKms judges them.

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsSigner, Operation,
    aws_sdk_kms::{Client, error::ProvideErrorMetadata, primitives::Blob},
    fake::FakeKms,
    iam::{Account, IamPolicy, KeyPolicy, Principal},
    keys::{Filter, KeyInfo, Keys, NewKey, Replica, Secret, State},
};

use super::fake_and_keys;
use crate::assert_kind;

const ROLE: &str = "arn:aws:iam::111122223333:role/service";
const IMPORTER: &str = "arn:aws:iam::111122223333:role/importer";
const GUEST: &str = "arn:aws:iam::210987654321:role/service";

fn account() -> Account {
    Account::new("aws", FakeKms::ACCOUNT).unwrap()
}

async fn can_sign(client: &Client, key: &KeyInfo) {
    let signer = KmsSigner::new(client, key.arn(), None).await.unwrap();
    signer.preflight().await.unwrap();
    signer.sign_message(b"x").await.unwrap();
}

/// Every other action on the key, and those on none.
async fn can_do_nothing_else(client: &Client, key: &KeyInfo) {
    let arn = key.arn().as_ref();
    let keys = Keys::new(client);
    for error in [
        keys.create(NewKey::signing()).await.map(drop),
        keys.describe(arn).await.map(drop),
        keys.set_alias("alias/mine", arn).await,
        keys.tag(arn, "a", "b").await,
        keys.untag(arn, "a").await,
        keys.enable(arn).await,
        keys.disable(arn).await,
        keys.schedule_deletion(arn, 7).await,
        keys.cancel_deletion(arn).await,
        keys.grant_signing(arn, ROLE).await.map(drop),
        keys.revoke(arn, "0".repeat(64)).await,
        keys.load_signers(Filter::new()).await.map(drop),
        keys.replicate(arn, Replica::to("us-west-2")).await.map(drop),
    ] {
        assert_kind(&error.unwrap_err(), ErrorKind::AccessDenied);
    }
    let denied = |code: Option<&str>| assert_eq!(code, Some("AccessDeniedException"));
    denied(client.get_key_policy().key_id(arn).send().await.unwrap_err().code());
    let policy = KeyPolicy::builder(account()).build().unwrap();
    denied(client.put_key_policy().key_id(arn).policy(policy).send().await.unwrap_err().code());
    denied(client.update_alias().alias_name("alias/mine").target_key_id(arn).send().await.unwrap_err().code());
    denied(client.delete_alias().alias_name("alias/mine").send().await.unwrap_err().code());
    denied(client.list_grants().key_id(arn).send().await.unwrap_err().code());
    let parameters = client.get_parameters_for_import().key_id(arn);
    let parameters =
        parameters.wrapping_algorithm("RSA_AES_KEY_WRAP_SHA_256".into()).wrapping_key_spec("RSA_4096".into());
    denied(parameters.send().await.unwrap_err().code());
    let (token, material) = (Blob::new([1; 32]), Blob::new([2; 32]));
    let import = client.import_key_material().key_id(arn).import_token(token).encrypted_key_material(material);
    denied(import.expiration_model("KEY_MATERIAL_DOES_NOT_EXPIRE".into()).send().await.unwrap_err().code());
    denied(client.list_keys().send().await.unwrap_err().code());
    denied(client.list_aliases().send().await.unwrap_err().code());
    denied(client.list_resource_tags().key_id(arn).send().await.unwrap_err().code());
    // Another algorithm or a message that KMS would hash is not what the policy allows either.
    let raw = client.sign().key_id(arn).message(Blob::new([7; 32])).message_type("RAW".into());
    denied(raw.signing_algorithm("ECDSA_SHA_256".into()).send().await.unwrap_err().code());
}

#[tokio::test]
async fn a_signers_iam_policy_is_enough_for_signing_and_for_nothing_else() {
    let (fake, keys) = fake_and_keys();
    let (key, other) = (keys.create(NewKey::signing()).await.unwrap(), keys.create(NewKey::signing()).await.unwrap());
    let service = fake.client_as(ROLE);
    assert_kind(&KmsSigner::new(&service, key.arn(), None).await.unwrap_err(), ErrorKind::AccessDenied);
    fake.attach_policy(ROLE, &IamPolicy::signer([key.arn().clone()]).unwrap().to_string()).unwrap();
    can_sign(&service, &key).await;
    can_do_nothing_else(&service, &key).await;
    assert_kind(&KmsSigner::new(&service, other.arn(), None).await.unwrap_err(), ErrorKind::AccessDenied);
}

#[tokio::test]
async fn a_key_policy_lets_its_signer_sign() {
    let (fake, keys) = fake_and_keys();
    let role: Principal = ROLE.parse().unwrap();
    let policy = KeyPolicy::builder(account()).signer(role).build().unwrap();
    let key = keys.create(NewKey::signing().policy(policy)).await.unwrap();
    let service = fake.client_as(ROLE);
    can_sign(&service, &key).await;
    can_do_nothing_else(&service, &key).await;
}

#[tokio::test]
async fn another_account_needs_both_policies() {
    let (fake, keys) = fake_and_keys();
    let guest = fake.client_as(GUEST);
    let policy = KeyPolicy::builder(account()).external_signer(GUEST.parse().unwrap()).build().unwrap();
    let key = keys.create(NewKey::signing().policy(policy)).await.unwrap();
    let plain = keys.create(NewKey::signing()).await.unwrap();
    assert_kind(&KmsSigner::new(&guest, key.arn(), None).await.unwrap_err(), ErrorKind::AccessDenied);
    let both = [key.arn().clone(), plain.arn().clone()];
    fake.attach_policy(GUEST, &IamPolicy::signer(both).unwrap().to_string()).unwrap();
    can_sign(&guest, &key).await;
    assert_kind(&KmsSigner::new(&guest, plain.arn(), None).await.unwrap_err(), ErrorKind::AccessDenied);
}

/// Full access made narrow: what a hosting service's manager does all day, and what it cannot do.
#[tokio::test]
async fn a_key_manager_makes_and_keeps_keys_and_neither_signs_nor_deletes() {
    let (fake, admin) = fake_and_keys();
    fake.join(&FakeKms::in_region("us-west-2")).unwrap();
    let policy = IamPolicy::key_manager(account(), "service", "wallets")
        .alias_prefix("alias/wallets/")
        .grantee(GUEST.parse().unwrap());
    let importing = policy.clone().imports().build().unwrap();
    fake.attach_policy(IMPORTER, &importing.to_string()).unwrap();
    fake.attach_policy(ROLE, &policy.build().unwrap().to_string()).unwrap();
    let service = fake.client_as(ROLE);
    let keys = Keys::new(&service);
    let wallet = |alias: &str| NewKey::signing().alias(alias).tag("service", "wallets");

    let key = keys.create(wallet("alias/wallets/1")).await.unwrap();
    keys.ensure("alias/wallets/2", NewKey::signing().tag("service", "wallets")).await.unwrap();
    // Who chooses a key's secret could sign with it elsewhere: that is a right of its own.
    let secret = Secret::from_bytes(&[7; 32]).unwrap();
    let error = keys.import(wallet("alias/wallets/3"), secret.clone()).await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);
    assert_eq!(error.operation(), Operation::CreateKey);
    Keys::new(fake.client_as(IMPORTER)).import(wallet("alias/wallets/3"), secret).await.unwrap();
    assert_eq!(keys.load_signers(Filter::new().alias_prefix("alias/wallets/")).await.unwrap().len(), 3);
    keys.disable(key.arn()).await.unwrap();
    keys.enable(key.arn()).await.unwrap();
    keys.grant_signing(key.arn(), GUEST).await.unwrap();

    assert_kind(&keys.create(NewKey::signing()).await.unwrap_err(), ErrorKind::AccessDenied);
    assert_kind(&keys.schedule_deletion(key.arn(), 7).await.unwrap_err(), ErrorKind::AccessDenied);
    assert_kind(&keys.untag(key.arn(), "service").await.unwrap_err(), ErrorKind::AccessDenied);
    assert_kind(&keys.grant_signing(key.arn(), ROLE).await.unwrap_err(), ErrorKind::AccessDenied);
    let signer = KmsSigner::new(&service, key.arn(), None).await.unwrap();
    assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::AccessDenied);
    let foreign = admin.create(NewKey::signing().alias("alias/treasury")).await.unwrap();
    assert_kind(&keys.disable(foreign.arn()).await.unwrap_err(), ErrorKind::AccessDenied);

    // An alias that is not its own: the key that was made in vain is disabled, since it may not delete it.
    let keys = keys.with_visibility_timeout(core::time::Duration::from_millis(300));
    let error = keys.create(wallet("alias/elsewhere")).await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);
    assert!(error.to_string().contains("was disabled"), "{error}");
    let text = error.to_string();
    let arn = text.split("the new key ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(admin.describe(arn).await.unwrap().state(), &State::Disabled);
}
