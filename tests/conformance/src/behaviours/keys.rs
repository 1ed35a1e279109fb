//! What `Keys` does.

use std::sync::atomic::{AtomicU32, Ordering};

use alloy_signer::Signer;
use futures_util::TryStreamExt;
use kms_signer::{
    ErrorKind, KmsSigner,
    aws_sdk_kms::{Client, config::Region},
    keys::{Filter, KeyInfo, KeySpec, Keys, Listed, NewKey, Replica, Secret, Selection, State},
};

use super::{ACCOUNT_0, signs};
use crate::target::Target;

/// An alias that nobody else uses; it goes with its key.
fn alias() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("alias/conformance-keys-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn created(target: &Target, new: NewKey) -> KeyInfo {
    let key = Keys::new(target.sdk()).create(new).await.unwrap();
    target.remember(key.arn().as_ref());
    key
}

pub(super) async fn create(target: Target) {
    for new in [NewKey::signing(), NewKey::p256(), NewKey::ed25519(), NewKey::symmetric()] {
        let key = created(&target, new.alias(alias()).description("a test").tag("a", "b")).await;
        assert_eq!((key.state(), key.description()), (&State::Enabled, "a test"));
        let described = Keys::new(target.sdk()).describe(key.aliases()[0].as_str()).await.unwrap();
        assert_eq!((described.arn(), described.spki_der()), (key.arn(), key.spki_der()));
        assert_eq!(described.tags().unwrap()["a"], "b");
        if key.spec() == &KeySpec::EccSecgP256K1 {
            signs(&target.signer(key.aliases()[0].as_str()).await.unwrap()).await;
        }
    }
}

pub(super) async fn taken_alias(target: Target) {
    let name = alias();
    let first = created(&target, NewKey::signing().alias(&name)).await;
    let keys = Keys::new(target.sdk());
    let error = keys.create(NewKey::signing().alias(&name)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(keys.describe(&name).await.unwrap().arn(), first.arn());
}

pub(super) async fn ensure(target: Target) {
    let (keys, name) = (Keys::new(target.sdk()), alias());
    let first = keys.ensure(&name, NewKey::signing()).await.unwrap();
    target.remember(first.arn().as_ref());
    let second = keys.ensure(&name, NewKey::signing()).await.unwrap();
    assert_eq!((first.arn(), first.address()), (second.arn(), second.address()));
    let error = keys.ensure(&name, NewKey::symmetric()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuitable, "{error}");
}

pub(super) async fn list(target: Target) {
    let (keys, prefix) = (Keys::new(target.sdk()), alias());
    let one = created(&target, NewKey::signing().alias(format!("{prefix}/1")).tag("run", &prefix)).await;
    let two = created(&target, NewKey::p256().alias(format!("{prefix}/2"))).await;
    let found = async |filter: Filter| -> Vec<String> {
        let all: Vec<Listed> = keys.list(filter).try_collect().await.unwrap();
        let mut arns: Vec<String> = all
            .into_iter()
            .filter_map(|listed| if let Listed::Key(key) = listed { Some(key.arn().to_string()) } else { None })
            .collect();
        arns.sort_unstable();
        arns
    };
    let mut both = vec![one.arn().to_string(), two.arn().to_string()];
    both.sort_unstable();
    let mine = || Filter::new().alias_prefix(&prefix);
    assert_eq!(found(mine()).await, both);
    assert_eq!(found(mine().spec(KeySpec::EccNistP256)).await, [two.arn().to_string()]);
    assert_eq!(found(Filter::new().tag("run", &prefix)).await, [one.arn().to_string()]);
    keys.disable(two.arn()).await.unwrap();
    target.settle().await;
    assert_eq!(found(mine().state(State::Disabled)).await, [two.arn().to_string()]);
}

pub(super) async fn load(target: Target) {
    let keys = Keys::new(target.sdk());
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(alias());
        created(&target, NewKey::signing().alias(names.last().unwrap())).await;
    }
    let signers = keys.load_signers(Selection::keys(&names)).await.unwrap();
    assert_eq!((signers.len(), signers.skipped().len()), (3, 0));
    let again = keys.load_signers(signers.records()).await.unwrap();
    for (first, second) in signers.iter().zip(&again) {
        assert_eq!(first.key(), second.key());
        signs(second).await;
    }
}

pub(super) async fn change(target: Target) {
    let (keys, name) = (Keys::new(target.sdk()), alias());
    let key = created(&target, NewKey::signing().tag("a", "b")).await;
    keys.set_alias(&name, key.arn()).await.unwrap();
    keys.tag(key.arn(), "a", "c").await.unwrap();
    keys.tag(key.arn(), "d", "e").await.unwrap();
    keys.untag(key.arn(), "d").await.unwrap();
    target.settle().await;
    let described = keys.describe(&name).await.unwrap();
    let tags = described.tags().unwrap();
    assert_eq!((described.arn(), tags["a"].as_str(), tags.get("d")), (key.arn(), "c", None));
    let other = created(&target, NewKey::signing()).await;
    keys.set_alias(&name, other.arn()).await.unwrap();
    target.settle().await;
    assert_eq!(keys.describe(&name).await.unwrap().arn(), other.arn());
    keys.disable(key.arn()).await.unwrap();
    keys.enable(key.arn()).await.unwrap();
    keys.schedule_deletion(key.arn(), 7).await.unwrap();
    target.settle().await;
    assert_eq!(keys.describe(key.arn()).await.unwrap().state(), &State::PendingDeletion);
    keys.cancel_deletion(key.arn()).await.unwrap();
    target.settle().await;
    assert_eq!(keys.describe(key.arn()).await.unwrap().state(), &State::Disabled);
}

pub(super) async fn grant(target: Target) {
    let keys = Keys::new(target.sdk());
    let key = created(&target, NewKey::signing()).await;
    let principal = format!("arn:aws:iam::{}:root", key.arn().account());
    let grant = keys.grant_signing(key.arn(), &principal).await.unwrap();
    let signer = KmsSigner::builder(target.sdk(), key.arn()).grant_token(grant.token()).connect().await.unwrap();
    signer.sign_message(b"granted").await.unwrap();
    keys.revoke(key.arn(), grant.id()).await.unwrap();
    assert!(keys.revoke(key.arn(), grant.id()).await.is_err());
}

pub(super) async fn replicate(target: Target) {
    let keys = Keys::new(target.sdk());
    let key = created(&target, NewKey::signing().multi_region(true)).await;
    let first = keys.replicate(key.arn(), Replica::to("us-west-2").alias(alias())).await.unwrap();
    assert_eq!((first.arn().region(), first.address()), ("us-west-2", key.address()));

    let secret = Secret::from_bytes(&ACCOUNT_0.0.0).unwrap();
    let imported = keys.import(NewKey::signing().multi_region(true), secret.clone()).await.unwrap();
    target.remember(imported.arn().as_ref());
    let error = keys.replicate(imported.arn(), "us-west-2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let replica = keys.replicate(imported.arn(), Replica::to("us-west-2").secret(secret)).await.unwrap();
    assert_eq!((replica.arn().region(), replica.address()), ("us-west-2", Some(ACCOUNT_0.1)));

    // A primary key is deleted after its replicas, and these are deleted where they are.
    let there = Client::from_conf(target.sdk().config().to_builder().region(Region::new("us-west-2")).build());
    for replica in [first, replica] {
        Keys::new(&there).schedule_deletion(replica.arn(), 7).await.unwrap();
    }
}
