//! A service that encrypts in a customer's account, in both ways that Infisical offers: a role with an external id, or an access key.

use kms_signer::{
    AssumeRole, Error, ErrorKind, KmsClientBuilder,
    iam::{IamPolicy, TrustPolicy},
    seal::{EncryptionContext, SealedSigner, SymmetricKey},
};

use super::{
    EXTERNAL_ID,
    account::{self, Account, assert_denied, client, policy},
};

async fn symmetric(builder: KmsClientBuilder, key: &kms_signer::KeyArn) -> SymmetricKey {
    SymmetricKey::new(builder.build().await.unwrap(), key).unwrap()
}

async fn round_trip(key: &SymmetricKey) {
    let context = EncryptionContext::new().with("project", "17");
    key.validate(&context).await.unwrap();
    let ciphertext = key.encrypt("a secret", &context).await.unwrap();
    assert_eq!(&*key.decrypt(&ciphertext, &context).await.unwrap(), b"a secret");
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn a_role_with_an_external_id_encrypts_and_nobody_else_does() {
    let (us, them) = (Account::ours(), Account::theirs());
    let key = them.symmetric_key().await;
    let service = us.user(None).await;
    let trust = TrustPolicy::new(service.arn.parse().unwrap()).external_id(EXTERNAL_ID).unwrap();
    let role = them.role(trust.to_json(), IamPolicy::encryptor([key.clone()]).unwrap().to_json()).await;
    us.allow(&service, &policy(&["sts:AssumeRole"], &role.arn)).await;
    let by = |role: AssumeRole| client(&us.url, &service.access).assume_role(role);

    round_trip(&symmetric(by(role.at(&us.url).external_id(EXTERNAL_ID)), &key).await).await;

    let none = EncryptionContext::new();
    let wrong = symmetric(by(role.at(&us.url).external_id("customer:18")), &key).await;
    let error: Error = wrong.validate(&none).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::AccessDenied | ErrorKind::Credentials), "{error}");
    assert_denied(&symmetric(client(&us.url, &service.access), &key).await.encrypt("x", &none).await.unwrap_err());
    // The role has this key alone, and makes no data keys.
    let sealer = symmetric(by(role.at(&us.url).external_id(EXTERNAL_ID)), &key).await;
    assert_denied(&sealer.seal("x", &none).await.unwrap_err());
    let other = them.symmetric_key().await;
    let other = symmetric(by(role.at(&us.url).external_id(EXTERNAL_ID)), &other).await;
    assert_denied(&other.encrypt("x", &none).await.unwrap_err());
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn a_user_with_an_access_key_encrypts_seals_and_opens() {
    let account = Account::ours();
    let key = account.symmetric_key().await;
    let user = account.user(Some(IamPolicy::sealer([key.clone()]).unwrap().to_json())).await;
    let key = symmetric(client(&account.url, &user.access), &key).await;
    round_trip(&key).await;
    let signer = SealedSigner::create(&key).await.unwrap();
    SealedSigner::open(&key, signer.sealed()).await.unwrap();
    let stranger = account.user(None).await;
    let denied = symmetric(account::client(&account.url, &stranger.access), key.key().as_arn().unwrap()).await;
    assert_denied(&SealedSigner::open(&denied, signer.sealed()).await.unwrap_err());
}
