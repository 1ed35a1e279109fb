//! One key for one alias.

use std::collections::HashSet;

use futures_util::future::join_all;
use kms_signer::{
    ErrorKind,
    fake::{FakeKms, Fault},
    keys::{Filter, KeyInfo, Keys, Listed, NewKey, State},
};

use super::{count, fake_and_keys};
use crate::assert_kind;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_callers_of_one_process_make_one_key() {
    let (fake, keys) = fake_and_keys();
    let made = join_all((0..50).map(|_| {
        let keys = keys.clone();
        tokio::spawn(async move { keys.ensure("alias/treasury", NewKey::signing()).await.unwrap() })
    }))
    .await;
    let arns: HashSet<String> = made.into_iter().map(|key| key.unwrap().arn().to_string()).collect();
    assert_eq!(arns.len(), 1);
    assert_eq!(count(&fake, "CreateKey"), 1);
}

/// Each with a client of its own, as processes have.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_processes_end_with_one_key_that_can_be_used() {
    let fake = FakeKms::new();
    let made = join_all((0..50).map(|_| {
        let keys = Keys::new(fake.client());
        tokio::spawn(async move { keys.ensure("alias/treasury", NewKey::signing()).await.unwrap() })
    }))
    .await;
    let arns: HashSet<String> = made.iter().map(|key| key.as_ref().unwrap().arn().to_string()).collect();
    assert_eq!(arns.len(), 1);
    let usable: Vec<KeyInfo> = all(&Keys::new(fake.client())).await.into_iter().filter(is_usable).collect();
    assert_eq!(usable.len(), 1, "of {} that were made", count(&fake, "CreateKey"));
    assert!(arns.contains(usable[0].arn().as_ref()));
}

/// Another process makes its key between this one's look and its own.
#[tokio::test]
async fn the_key_that_lost_the_race_is_put_out_of_use() {
    let (fake, keys) = fake_and_keys();
    let theirs = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    let unseen = || Fault::error("NotFoundException", 400, "no such alias").on("DescribeKey").times(2);
    fake.inject(unseen());
    let found = keys.ensure("alias/a", NewKey::signing()).await.unwrap();
    assert_eq!((found.arn(), found.address()), (theirs.arn(), theirs.address()));
    let states = |keys: &[KeyInfo]| keys.iter().map(|key| key.state().as_str().to_owned()).collect::<HashSet<_>>();
    let made = all(&keys).await;
    assert_eq!((made.len(), states(&made)), (2, HashSet::from(["Enabled".to_owned(), "PendingDeletion".to_owned()])));

    // A key that nobody could put out of use is not passed over in silence.
    fake.inject(unseen());
    for operation in ["ScheduleKeyDeletion", "DisableKey"] {
        fake.inject(Fault::error("AccessDeniedException", 400, "not you").on(operation).forever());
    }
    let error = keys.ensure("alias/a", NewKey::signing()).await.unwrap_err();
    assert_kind(&error, ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("is left behind"), "{error}");
    assert_eq!(keys.ensure("alias/a", NewKey::signing()).await.unwrap().arn(), theirs.arn());
}

/// Its tags, which a policy asks for, have not been seen yet.
#[tokio::test(start_paused = true)]
async fn a_tagged_key_of_another_process_is_waited_for() {
    let (fake, keys) = fake_and_keys();
    let new = || NewKey::signing().tag("service", "wallets");
    let theirs = keys.create(new().alias("alias/a")).await.unwrap();
    for operation in ["DescribeKey", "GetPublicKey"] {
        fake.inject(Fault::error("AccessDeniedException", 400, "not you").on(operation).times(2));
    }
    assert_eq!(keys.ensure("alias/a", new()).await.unwrap().arn(), theirs.arn());
}

#[tokio::test]
async fn an_existing_key_is_taken_as_it_is() {
    let (fake, keys) = fake_and_keys();
    let first = keys.ensure("alias/a", NewKey::signing().description("first").tag("a", "b")).await.unwrap();
    let second = keys.ensure("alias/a", NewKey::signing().description("second")).await.unwrap();
    assert_eq!((first.arn(), first.address()), (second.arn(), second.address()));
    assert_eq!(second.description(), "first");
    assert_eq!(count(&fake, "CreateKey"), 1);
    let symmetric = keys.ensure("alias/s", NewKey::symmetric()).await.unwrap();
    assert_eq!(keys.ensure("alias/s", NewKey::symmetric()).await.unwrap().arn(), symmetric.arn());
}

#[tokio::test]
async fn a_key_of_another_kind_is_an_error() {
    let (fake, keys) = fake_and_keys();
    keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    for (new, named) in [
        (NewKey::symmetric(), "ECC_SECG_P256K1 for SIGN_VERIFY, not SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT"),
        (NewKey::p256(), "not ECC_NIST_P256"),
        (NewKey::signing().multi_region(true), "in one Region only"),
    ] {
        let error = keys.ensure("alias/a", new).await.unwrap_err();
        assert_kind(&error, ErrorKind::KeyUnsuitable);
        assert!(error.to_string().contains(named), "{error}");
    }
    keys.disable("alias/a").await.unwrap();
    let error = keys.ensure("alias/a", NewKey::signing()).await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyUnusable);
    assert_eq!(count(&fake, "CreateKey"), 1);
}

fn is_usable(key: &KeyInfo) -> bool {
    key.state() == &State::Enabled
}

async fn all(keys: &Keys) -> Vec<KeyInfo> {
    use futures_util::TryStreamExt;

    let listed: Vec<Listed> = keys.list(Filter::new()).try_collect().await.unwrap();
    let key = |listed| match listed {
        Listed::Key(key) => *key,
        other => panic!("{other:?}"),
    };
    listed.into_iter().map(key).collect()
}
