//! Listing: what fits, what is skipped and why, and how many requests it takes.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use kms_signer::{
    ErrorKind, KmsClient, Result,
    fake::{FakeKms, Fault},
    keys::{Filter, KeyInfo, KeySpec, Keys, Listed, NewKey, State},
};
use tokio::time::Instant;

use super::{count, fake_and_keys};
use crate::assert_kind;

async fn listed(keys: &Keys, filter: Filter) -> (Vec<KeyInfo>, Vec<String>) {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    let all: Vec<Listed> = keys.list(filter).try_collect().await.unwrap();
    for item in all {
        match item {
            Listed::Key(key) => found.push(*key),
            Listed::Skipped(key) => skipped.push(format!("{}: {}", key.key(), key.reason())),
            other => panic!("{other:?}"),
        }
    }
    (found, skipped)
}

async fn names(keys: &Keys, filter: Filter) -> Vec<String> {
    let (found, skipped) = listed(keys, filter).await;
    assert_eq!(skipped, Vec::<String>::new());
    let mut names: Vec<String> = found.iter().flat_map(|key| key.aliases()).map(ToString::to_string).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_filter() {
    let (_, keys) = fake_and_keys();
    let wallet = |name: &str, team: &str| NewKey::signing().alias(format!("alias/{name}")).tag("team", team);
    keys.create(wallet("w/1", "payments")).await.unwrap();
    keys.create(wallet("w/2", "risk").tag("hot", "yes")).await.unwrap();
    keys.create(wallet("x", "payments").multi_region(true)).await.unwrap();
    keys.create(NewKey::symmetric().alias("alias/secrets")).await.unwrap();
    keys.create(NewKey::p256().alias("alias/tz")).await.unwrap();
    keys.disable("alias/x").await.unwrap();

    let filter = Filter::new;
    assert_eq!(names(&keys, filter()).await, ["alias/secrets", "alias/tz", "alias/w/1", "alias/w/2", "alias/x"]);
    assert_eq!(names(&keys, filter().alias_prefix("alias/w/")).await, ["alias/w/1", "alias/w/2"]);
    assert_eq!(names(&keys, filter().tag("team", "payments")).await, ["alias/w/1", "alias/x"]);
    assert_eq!(names(&keys, filter().tag("team", "risk").tag("hot", "yes")).await, ["alias/w/2"]);
    assert_eq!(names(&keys, filter().tag("team", "risk").tag("hot", "no")).await, [""; 0]);
    assert_eq!(names(&keys, filter().spec(KeySpec::EccNistP256)).await, ["alias/tz"]);
    let either = filter().spec(KeySpec::EccNistP256).spec(KeySpec::SymmetricDefault);
    assert_eq!(names(&keys, either).await, ["alias/secrets", "alias/tz"]);
    assert_eq!(names(&keys, filter().state(State::Disabled)).await, ["alias/x"]);
    assert_eq!(names(&keys, filter().alias_prefix("alias/w/").tag("team", "payments")).await, ["alias/w/1"]);
    let (disabled, _) = listed(&keys, filter().state(State::Disabled)).await;
    assert_eq!((disabled[0].address(), disabled[0].tags().unwrap().len()), (None, 1));
}

#[tokio::test]
async fn what_may_not_be_read_is_skipped_with_its_reason() {
    let (fake, keys) = fake_and_keys();
    for alias in ["alias/1", "alias/2", "alias/3"] {
        keys.create(NewKey::signing().alias(alias)).await.unwrap();
    }
    fake.inject(Fault::error("AccessDeniedException", 400, "not this one").on("GetPublicKey"));
    fake.inject(Fault::error("AccessDeniedException", 400, "nor this").on("DescribeKey"));
    let (found, skipped) = listed(&keys, Filter::new()).await;
    assert_eq!((found.len(), skipped.len()), (1, 2), "{skipped:?}");
    assert!(
        skipped.iter().any(|text| text.contains("not this one") && text.contains("kms:GetPublicKey")),
        "{skipped:?}"
    );
    assert!(skipped.iter().any(|text| text.contains("nor this") && text.contains("DescribeKey")), "{skipped:?}");
}

#[tokio::test]
async fn tags_that_may_not_be_read_are_left_out_unless_asked_for() {
    let (fake, keys) = fake_and_keys();
    keys.create(NewKey::signing().tag("a", "b")).await.unwrap();
    fake.inject(Fault::error("AccessDeniedException", 400, "no").on("ListResourceTags").forever());
    let (found, skipped) = listed(&keys, Filter::new()).await;
    assert_eq!((found.len(), skipped.len()), (1, 0));
    assert!(found[0].tags().is_none());
    let (found, skipped) = listed(&keys, Filter::new().tag("a", "b")).await;
    assert_eq!((found.len(), skipped.len()), (0, 1), "nobody knows whether it fits");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_an_error_and_the_end() {
    for operation in ["ListKeys", "ListAliases"] {
        let (fake, keys) = fake_and_keys();
        keys.create(NewKey::signing()).await.unwrap();
        fake.inject(Fault::error("AccessDeniedException", 400, "no").on(operation).forever());
        let items: Vec<Result<Listed>> = keys.list(Filter::new()).collect().await;
        assert_eq!(items.len(), 1, "{operation}");
        assert_kind(items[0].as_ref().unwrap_err(), ErrorKind::AccessDenied);
    }
}

#[tokio::test]
async fn a_throttled_listing_goes_on() {
    let (fake, keys) = fake_and_keys();
    for _ in 0..5 {
        keys.create(NewKey::signing()).await.unwrap();
    }
    for operation in ["ListKeys", "ListAliases", "DescribeKey"] {
        fake.inject(Fault::error("ThrottlingException", 400, "Rate exceeded").on(operation).times(2));
    }
    assert_eq!(listed(&keys, Filter::new()).await.0.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_works_between_two_keys_holds_nobody_up() {
    let fake = FakeKms::new();
    for _ in 0..30 {
        fake.create_key().unwrap();
    }
    let client =
        KmsClient::from(fake.client()).with_requests_per_second(50).with_operation_timeout(Duration::from_secs(2));
    let keys = Keys::new(client);
    let mut listed = keys.list(Filter::new());
    let mut seen = 0;
    while let Some(item) = listed.try_next().await.unwrap() {
        let Listed::Key(key) = item else { panic!("{item:?}") };
        keys.tag(key.arn(), "seen", "yes").await.unwrap();
        if seen == 3 {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        seen += 1;
    }
    assert_eq!(seen, 30);
}

#[tokio::test]
async fn a_list_that_breaks_off_or_leads_in_a_circle_is_an_error() {
    let page = |marker: &str| {
        let body = format!(r#"{{"Keys":[],"Truncated":true{marker}}}"#);
        Fault::response(200, "application/x-amz-json-1.1", body).on("ListKeys")
    };
    let (fake, keys) = fake_and_keys();
    for marker in [r#","NextMarker":"a""#, r#","NextMarker":"b""#, r#","NextMarker":"a""#] {
        fake.inject(page(marker));
    }
    let items: Vec<Result<Listed>> = keys.list(Filter::new()).collect().await;
    assert_kind(items[0].as_ref().unwrap_err(), ErrorKind::InvalidResponse);
    let (fake, keys) = fake_and_keys();
    fake.inject(page(""));
    let items: Vec<Result<Listed>> = keys.list(Filter::new()).collect().await;
    assert_kind(items[0].as_ref().unwrap_err(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn keys_of_awss_own_are_no_part_of_it() {
    let (fake, keys) = fake_and_keys();
    let managed = fake.create_aws_managed_key().unwrap();
    keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    for filter in [Filter::new(), Filter::new().alias_prefix("alias/")] {
        assert_eq!(names(&keys, filter).await, ["alias/a"]);
    }
    for filter in [Filter::new().alias_prefix("alias/aws/"), Filter::new().spec(KeySpec::SymmetricDefault)] {
        assert_eq!(names(&keys, filter).await, [""; 0]);
    }
    assert_eq!(keys.load_signers(Filter::new()).await.unwrap().len(), 1);
    let described = keys.describe(&managed).await.unwrap();
    assert_eq!(described.spec(), &KeySpec::SymmetricDefault);
}

#[tokio::test]
async fn short_and_empty_pages_are_read_on() {
    let (fake, keys) = fake_and_keys();
    for number in 0..5 {
        keys.create(NewKey::signing().alias(format!("alias/{number}"))).await.unwrap();
    }
    let all = ["alias/0", "alias/1", "alias/2", "alias/3", "alias/4"];
    for filter in [Filter::new(), Filter::new().alias_prefix("alias/")] {
        for operation in ["ListKeys", "ListAliases"] {
            fake.inject(Fault::short_page(0).on(operation).times(2));
            fake.inject(Fault::short_page(2).on(operation));
            fake.inject(Fault::short_page(0).on(operation));
            fake.inject(Fault::short_page(9).on(operation));
        }
        assert_eq!(names(&keys, filter).await, all);
        fake.clear_faults();
    }
    fake.inject(Fault::short_page(0).on("ListAliases").times(2));
    let described = keys.describe("alias/3").await.unwrap();
    assert_eq!(described.aliases().iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["alias/3"]);
}

/// KMS may give fewer tags than there are and say that there are more.
#[tokio::test]
async fn tags_are_read_to_their_end() {
    let (fake, keys) = fake_and_keys();
    keys.create(NewKey::signing().alias("alias/a").tag("a", "b").tag("c", "d")).await.unwrap();
    for entries in [0, 1] {
        fake.inject(Fault::short_page(entries).on("ListResourceTags"));
        let described = keys.describe("alias/a").await.unwrap();
        assert_eq!(described.tags().unwrap().len(), 2, "{entries}");
        fake.inject(Fault::short_page(entries).on("ListResourceTags"));
        assert_eq!(names(&keys, Filter::new().tag("c", "d")).await, ["alias/a"], "{entries}");
    }
}

#[tokio::test]
async fn a_page_that_leads_to_itself_is_not_read_for_ever() {
    let (fake, keys) = fake_and_keys();
    fake.inject(
        Fault::response(200, "application/x-amz-json-1.1", r#"{"Keys":[],"Truncated":true,"NextMarker":"m"}"#)
            .on("ListKeys")
            .forever(),
    );
    let items: Vec<Result<Listed>> = keys.list(Filter::new()).collect().await;
    assert_kind(items[0].as_ref().unwrap_err(), ErrorKind::InvalidResponse);
    assert_eq!((items.len(), count(&fake, "ListKeys")), (1, 2));
}

/// By the clock of the test: what it takes is waiting for answers, 64 at a time.
#[tokio::test(start_paused = true)]
async fn a_thousand_keys_are_listed_and_loaded_within_the_limits() {
    let fake = FakeKms::new();
    for number in 0..1_000 {
        let key = fake.create_key().unwrap();
        fake.alias(&format!("alias/wallets/{number:04}"), &key).unwrap();
    }
    let keys = Keys::new(fake.client());
    fake.inject(Fault::latency(Duration::from_millis(20)).forever());
    let started = Instant::now();
    let signers = keys.load_signers(Filter::new().alias_prefix("alias/wallets/")).await.unwrap();
    let took = started.elapsed();
    assert_eq!((signers.len(), signers.skipped().len()), (1_000, 0));
    // Ten pages of aliases one after the other, then two requests for each key.
    assert_eq!(fake.requests().len(), 10 + 2_000);
    assert!(took >= Duration::from_millis(20) * (10 + 2_000 / 64), "more than 64 at a time: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");

    let before = fake.requests().len();
    let again = keys.load_signers(signers.records()).await.unwrap();
    assert_eq!((again.len(), fake.requests().len()), (1_000, before));
    assert!(again.iter().zip(&signers).all(|(a, b)| a.address() == b.address() && a.key() == b.key()));
}

/// Who reads slowly is not overrun: a batch is read at a time.
#[tokio::test]
async fn of_ten_thousand_keys_only_those_are_asked_for_that_are_read() {
    let fake = FakeKms::new();
    for _ in 0..10_000 {
        fake.create_key().unwrap();
    }
    let keys = Keys::new(fake.client());
    let mut listed = keys.list(Filter::new());
    for _ in 0..10 {
        assert!(matches!(listed.try_next().await.unwrap(), Some(Listed::Key(_))));
    }
    assert_eq!((count(&fake, "ListKeys"), count(&fake, "ListAliases")), (1, 1));
    assert_eq!(count(&fake, "DescribeKey"), 128, "a batch");
}
