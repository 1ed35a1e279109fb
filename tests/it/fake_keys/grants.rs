//! Grants: given, used, listed, revoked and retired.

use kms_signer::{
    aws_sdk_kms::{
        Client,
        operation::create_grant::CreateGrantOutput,
        types::{GrantConstraints, GrantOperation},
    },
    fake::FakeKms,
};
use serde_json::json;

use super::{
    access::{ALICE, policy, sign},
    code,
};

const BOB: &str = "arn:aws:iam::111122223333:role/bob";

async fn grant(sdk: &Client, key: &str, name: Option<&str>) -> CreateGrantOutput {
    let grant = sdk.create_grant().key_id(key).grantee_principal(ALICE).operations(GrantOperation::Sign);
    grant.set_name(name.map(str::to_owned)).send().await.unwrap()
}

async fn sign_with(sdk: &Client, key: &str, token: &str) -> Result<(), String> {
    use kms_signer::aws_sdk_kms::{primitives::Blob, types::SigningAlgorithmSpec};
    let sign = sdk.sign().key_id(key).message(Blob::new([7; 32])).grant_tokens(token);
    match sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await {
        Ok(_) => Ok(()),
        error => Err(code(error)),
    }
}

#[tokio::test]
async fn a_grant_is_good_at_once_with_its_token_and_without_it_later() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    let (admin, alice) = (fake.client(), fake.client_as(ALICE));
    fake.set_clock(-200);
    let given = grant(&admin, &key, None).await;
    let token = given.grant_token().unwrap();
    assert_eq!(code(sign(&alice, &key).await), "AccessDeniedException");
    sign_with(&alice, &key, token).await.unwrap();
    assert_eq!(sign_with(&alice, &key, "junk").await, Err("InvalidGrantTokenException".to_owned()));
    sign_with(&admin, &key, "junk").await.unwrap();
    assert_eq!(sign_with(&fake.client_as(BOB), &key, token).await, Err("AccessDeniedException".to_owned()));
    let other = fake.create_key().unwrap().to_string();
    assert_eq!(sign_with(&alice, &other, token).await, Err("AccessDeniedException".to_owned()));

    fake.set_clock(150);
    let alice = fake.client_as(ALICE);
    sign(&alice, &key).await.unwrap();
    assert_eq!(code(alice.get_public_key().key_id(&key).send().await), "AccessDeniedException", "Sign only");
    let deny = json!([{ "Effect": "Deny", "Action": "kms:Sign", "Resource": "*" }]);
    fake.attach_policy(ALICE, &policy(deny)).unwrap();
    assert_eq!(code(sign(&alice, &key).await), "AccessDeniedException", "a denial wins");
}

#[tokio::test]
async fn grants_are_listed_in_pages_and_revoked() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    let sdk = fake.client();
    let first = grant(&sdk, &key, Some("signer")).await;
    let again = grant(&sdk, &key, Some("signer")).await;
    assert_eq!(first.grant_id(), again.grant_id(), "name and terms are the same");
    assert_ne!(first.grant_token(), again.grant_token());
    let second = grant(&sdk, &key, None).await;
    let third = grant(&sdk, &key, None).await;
    assert_ne!(second.grant_id(), third.grant_id());

    let list = || sdk.list_grants().key_id(&key);
    let pages = list().limit(2).into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.grants().len()).collect::<Vec<_>>(), [2, 1]);
    let found = list().grant_id(first.grant_id().unwrap()).send().await.unwrap().grants.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].key_id(), found[0].name()), (Some(key.as_str()), Some("signer")));
    assert_eq!((found[0].grantee_principal(), found[0].operations()), (Some(ALICE), [GrantOperation::Sign].as_slice()));
    assert_eq!(found[0].issuing_account(), Some("arn:aws:iam::111122223333:root"));
    assert!(list().grantee_principal(BOB).send().await.unwrap().grants().is_empty());

    let revoke = |id: &str| sdk.revoke_grant().key_id(&key).grant_id(id);
    let id = first.grant_id().unwrap();
    assert_eq!(code(revoke(id).dry_run(true).send().await), "DryRunOperationException");
    revoke(id).send().await.unwrap();
    assert_eq!(list().send().await.unwrap().grants().len(), 2);
    assert_eq!(code(revoke(id).send().await), "NotFoundException");
    assert_eq!(code(revoke("junk").send().await), "InvalidGrantIdException");
    let alice = fake.client_as(ALICE);
    for token in [first, again].iter().filter_map(|grant| grant.grant_token()) {
        assert_eq!(sign_with(&alice, &key, token).await, Err("InvalidGrantTokenException".to_owned()));
    }
}

#[tokio::test]
async fn a_grant_is_retired_by_those_it_names() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    let sdk = fake.client();
    let (alice, bob) = (fake.client_as(ALICE), fake.client_as(BOB));
    let create = sdk.create_grant().key_id(&key).grantee_principal(ALICE).operations(GrantOperation::Sign);
    let retirable = create.clone().retiring_principal(BOB);
    let given = retirable.clone().send().await.unwrap();
    let by_id = |sdk: &Client, id: &str| sdk.retire_grant().key_id(&key).grant_id(id).send();
    assert_eq!(code(by_id(&alice, given.grant_id().unwrap()).await), "AccessDeniedException");
    by_id(&bob, given.grant_id().unwrap()).await.unwrap();
    let given = retirable.send().await.unwrap();
    let by_token = bob.retire_grant().grant_token(given.grant_token().unwrap());
    by_token.clone().send().await.unwrap();
    assert_eq!(code(by_token.send().await), "InvalidGrantTokenException");
    let given = create.clone().operations(GrantOperation::RetireGrant).send().await.unwrap();
    by_id(&alice, given.grant_id().unwrap()).await.unwrap();
    assert!(sdk.list_grants().key_id(&key).send().await.unwrap().grants().is_empty());
    assert_eq!(code(bob.retire_grant().send().await), "ValidationException");

    for wrong in ["bob", "arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:role/bo?"] {
        assert_eq!(code(create.clone().grantee_principal(wrong).send().await), "InvalidArnException", "{wrong}");
        assert_eq!(code(create.clone().retiring_principal(wrong).send().await), "InvalidArnException", "{wrong}");
    }
    assert_eq!(code(create.clone().operations(GrantOperation::Encrypt).send().await), "ValidationException");
    assert_eq!(code(create.clone().operations("Fly".into()).send().await), "ValidationException");
    assert_eq!(code(create.clone().dry_run(true).send().await), "DryRunOperationException");
    sdk.disable_key().key_id(&key).send().await.unwrap();
    assert_eq!(code(create.send().await), "DisabledException");
}

#[tokio::test]
async fn giving_a_grant_needs_leave_itself() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    let alice = fake.client_as(ALICE);
    let only = json!([{ "Effect": "Allow", "Action": "kms:CreateGrant", "Resource": key, "Condition": {
        "StringEquals": { "kms:GranteePrincipal": BOB },
        "Bool": { "kms:GrantIsForAWSResource": false },
        "ForAllValues:StringEquals": { "kms:GrantOperations": ["Sign", "GetPublicKey"] } } }]);
    fake.attach_policy(ALICE, &policy(only)).unwrap();
    let to_bob = alice.create_grant().key_id(&key).grantee_principal(BOB).operations(GrantOperation::Sign);
    assert_eq!(code(to_bob.clone().grantee_principal(ALICE).send().await), "AccessDeniedException");
    assert_eq!(code(to_bob.clone().operations(GrantOperation::CreateGrant).send().await), "AccessDeniedException");
    to_bob.send().await.unwrap();
}

#[tokio::test]
async fn a_grant_gives_grants_of_no_more_than_itself() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    let alice = fake.client_as(ALICE);
    let parent = [GrantOperation::CreateGrant, GrantOperation::Sign, GrantOperation::DescribeKey];
    let parent = fake.client().create_grant().key_id(&key).grantee_principal(ALICE).set_operations(Some(parent.into()));
    let token = parent.send().await.unwrap().grant_token.unwrap();
    let child = |operations: &[GrantOperation]| {
        let child = alice.create_grant().key_id(&key).grantee_principal(BOB).grant_tokens(&token);
        child.set_operations(Some(operations.into())).send()
    };
    for more in [
        [GrantOperation::GetPublicKey].as_slice(),
        &[GrantOperation::Sign, GrantOperation::Verify],
        &[GrantOperation::RetireGrant],
    ] {
        assert_eq!(code(child(more).await), "AccessDeniedException", "{more:?}");
    }
    let given = child(&[GrantOperation::Sign]).await.unwrap().grant_token.unwrap();
    sign_with(&fake.client_as(BOB), &key, &given).await.unwrap();
    child(&[GrantOperation::DescribeKey, GrantOperation::Sign, GrantOperation::CreateGrant]).await.unwrap();

    // What a policy allows is not bound by a grant.
    let only = json!([{ "Effect": "Allow", "Action": "kms:CreateGrant", "Resource": key }]);
    fake.attach_policy(ALICE, &policy(only)).unwrap();
    child(&[GrantOperation::GetPublicKey]).await.unwrap();
}

#[tokio::test]
async fn a_grants_constraints_bind_its_own_grants() {
    let fake = FakeKms::new();
    let admin = fake.client();
    let key = admin.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let alice = fake.client_as(ALICE);
    let subset = |pairs: &[(&str, &str)]| {
        let constraints = GrantConstraints::builder();
        pairs.iter().fold(constraints, |all, (name, value)| all.encryption_context_subset(*name, *value)).build()
    };
    let equals = |pairs: &[(&str, &str)]| {
        let constraints = GrantConstraints::builder();
        pairs.iter().fold(constraints, |all, (name, value)| all.encryption_context_equals(*name, *value)).build()
    };
    let (it, more) = ([("team", "it")].as_slice(), [("team", "it"), ("env", "test")].as_slice());
    for (parent, child, is_given) in [
        (subset(it), None, false),
        (subset(it), Some(subset(it)), true),
        (subset(it), Some(subset(more)), true),
        (subset(it), Some(equals(more)), true),
        (subset(more), Some(subset(it)), false),
        (subset(it), Some(subset(&[("team", "hr")])), false),
        (equals(it), Some(equals(it)), true),
        (equals(it), Some(equals(more)), false),
        (equals(it), Some(subset(more)), false),
    ] {
        let create = |sdk: &Client| sdk.create_grant().key_id(&key).operations(GrantOperation::Decrypt);
        let given = create(&admin).operations(GrantOperation::CreateGrant).constraints(parent.clone());
        let given = given.grantee_principal(ALICE).send().await.unwrap();
        let made = create(&alice).grantee_principal(BOB).grant_tokens(given.grant_token().unwrap());
        let made = made.set_constraints(child.clone()).send().await;
        assert_eq!(made.is_ok(), is_given, "{parent:?} {child:?}");
        admin.revoke_grant().key_id(&key).grant_id(given.grant_id().unwrap()).send().await.unwrap();
    }
}
