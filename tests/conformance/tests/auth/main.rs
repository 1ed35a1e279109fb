//! Users, roles and policies, against an emulator that checks signatures, trust policies and IAM policies.
//!
//! It departs from AWS in this: a permission on a key's ARN does not cover the key's alias, so keys are named by ARN here; it
//! finds no key of another account, whatever the key's policy says; grants count for nothing; `DryRun` signs; and of KMS's
//! own condition keys it knows those two that `kms_conditions.py` adds, which are the ones in the policy of a signer.

mod account;
mod policies;
mod refusals;
mod renewal;
mod symmetric;

use alloy_primitives::keccak256;
use alloy_signer::Signer;
use futures_util::future::join_all;
use kms_signer::{
    KmsSigner,
    iam::{IamPolicy, KeyPolicy, Principal, TrustPolicy},
};

use self::account::{Account, client, connect, policy};

const EXTERNAL_ID: &str = "customer:17";

async fn signs(signer: &KmsSigner) {
    let digest = keccak256("auth");
    let signature = signer.sign_hash(&digest).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn a_user_signs_with_its_access_key() {
    let account = Account::ours();
    let key = account.key(None).await;
    let user = account.user(Some(IamPolicy::signer([key.clone()]).unwrap().to_json())).await;
    signs(&connect(client(&account.url, &user.access), &key).await.unwrap()).await;
}

/// A customer's role, taken on by a service of ours; and our own key, at the same time in the same process.
#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn two_accounts_sign_side_by_side() {
    let (us, them) = (Account::ours(), Account::theirs());
    let (our_key, their_key) = (us.key(None).await, them.key(None).await);
    assert_ne!(our_key.account(), their_key.account());
    let service = us.user(Some(IamPolicy::signer([our_key.clone()]).unwrap().to_json())).await;
    let trust = TrustPolicy::new(service.arn.parse().unwrap()).external_id(EXTERNAL_ID).unwrap();
    let role = them.role(trust.to_json(), IamPolicy::signer([their_key.clone()]).unwrap().to_json()).await;
    let may_assume = policy(&["sts:AssumeRole"], &role.arn);
    us.allow(&service, &merged(&IamPolicy::signer([our_key.clone()]).unwrap().to_json(), &may_assume)).await;

    let user = || client(&us.url, &service.access);
    let by_role = user().assume_role(role.at(&us.url).external_id(EXTERNAL_ID).session_name("service"));
    let signers = [connect(user(), &our_key).await.unwrap(), connect(by_role, &their_key).await.unwrap()];
    // Either would be refused with the other's credentials.
    join_all((0..40).map(|index| signs(&signers[index % 2]))).await;
    account::assert_denied(&connect(user(), &their_key).await.unwrap_err());
}

/// Within one account a key policy that names the signer is enough.
#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn a_key_policy_lets_its_signer_sign() {
    let account = Account::ours();
    let (user, other) = (account.user(None).await, account.user(None).await);
    let root: Principal = account.root().parse().unwrap();
    let key_policy = KeyPolicy::builder(&root).signer(user.arn.parse().unwrap()).build().unwrap();
    let key = account.key(Some(key_policy.to_json())).await;
    let signer = connect(client(&account.url, &user.access), &key).await.unwrap();
    signer.preflight().await.unwrap();
    signs(&signer).await;
    account::assert_denied(&connect(client(&account.url, &other.access), &key).await.unwrap_err());
}

/// One policy with the statements of both.
fn merged(first: &str, second: &str) -> String {
    let [mut first, mut second] = [first, second].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    let statements = first["Statement"].as_array_mut().unwrap();
    statements.append(second["Statement"].as_array_mut().unwrap());
    first.to_string()
}
