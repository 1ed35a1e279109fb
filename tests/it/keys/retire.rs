//! Aliases, tags, and the end of a key.

use kms_signer::{
    ErrorKind, KmsSigner,
    fake::Fault,
    keys::{NewKey, State},
};

use super::fake_and_keys;
use crate::assert_kind;

#[tokio::test]
async fn an_alias_is_made_and_pointed_elsewhere() {
    let (fake, keys) = fake_and_keys();
    let (one, two) = (keys.create(NewKey::signing()).await.unwrap(), keys.create(NewKey::signing()).await.unwrap());
    keys.set_alias("alias/live", one.arn()).await.unwrap();
    let before = KmsSigner::new(fake.client(), "alias/live", None).await.unwrap();
    keys.set_alias("alias/live", two.arn()).await.unwrap();
    let after = KmsSigner::new(fake.client(), "alias/live", None).await.unwrap();
    assert_eq!((Some(before.address()), Some(after.address())), (one.address(), two.address()));
    assert_kind(&keys.set_alias(one.arn(), two.arn()).await.unwrap_err(), ErrorKind::InvalidKeyRef);
    // To the key of another alias.
    keys.set_alias("alias/copy", "alias/live").await.unwrap();
    assert_eq!(keys.describe("alias/copy").await.unwrap().arn(), two.arn());
}

#[tokio::test]
async fn tags_come_change_and_go() {
    let (_, keys) = fake_and_keys();
    keys.create(NewKey::signing().alias("alias/a").tag("team", "a")).await.unwrap();
    keys.tag("alias/a", "team", "b").await.unwrap();
    keys.tag("alias/a", "hot", "yes").await.unwrap();
    keys.untag("alias/a", "hot").await.unwrap();
    let tags = keys.describe("alias/a").await.unwrap().tags().unwrap().clone();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "b".to_owned())]);
}

#[tokio::test]
async fn disabled_enabled_deleted_and_kept_after_all() {
    let (_, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    let state = async || keys.describe(key.arn()).await.unwrap().state().clone();
    keys.disable("alias/a").await.unwrap();
    assert_eq!(state().await, State::Disabled);
    keys.enable("alias/a").await.unwrap();
    assert_eq!(state().await, State::Enabled);
    for days in [0, 6, 31, u32::MAX] {
        assert_kind(&keys.schedule_deletion("alias/a", days).await.unwrap_err(), ErrorKind::Config);
    }
    keys.schedule_deletion("alias/a", 7).await.unwrap();
    assert_eq!(state().await, State::PendingDeletion);
    keys.schedule_deletion(key.arn(), 7).await.unwrap();
    assert_kind(&keys.enable(key.arn()).await.unwrap_err(), ErrorKind::KeyUnusable);
    keys.cancel_deletion(key.arn()).await.unwrap();
    assert_eq!(state().await, State::Disabled);
    assert_kind(&keys.cancel_deletion(key.arn()).await.unwrap_err(), ErrorKind::KeyUnusable);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_recognised() {
    let (fake, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing()).await.unwrap();
    fake.inject(Fault::disconnect().on("ScheduleKeyDeletion"));
    keys.schedule_deletion(key.arn(), 7).await.unwrap();
}

#[tokio::test]
async fn other_lost_answers_are_recognised_too() {
    let (fake, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing()).await.unwrap();
    keys.schedule_deletion(key.arn(), 7).await.unwrap();
    fake.inject(Fault::disconnect().on("CancelKeyDeletion"));
    keys.cancel_deletion(key.arn()).await.unwrap();
    keys.enable(key.arn()).await.unwrap();
    let grant = keys.grant_signing(key.arn(), "arn:aws:iam::111122223333:role/relayer").await.unwrap();
    fake.inject(Fault::disconnect().on("RevokeGrant"));
    keys.revoke(key.arn(), grant.id()).await.unwrap();
}

#[tokio::test]
async fn a_key_of_another_region_is_not_asked_for_here() {
    let (fake, keys) = fake_and_keys();
    let elsewhere = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let error = keys.disable(elsewhere).await.unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("eu-west-1") && error.to_string().contains("us-east-1"), "{error}");
    assert_eq!(fake.requests().len(), 0);
}
