//! What goes wrong in the management of keys: throttled lists, things not yet visible, slow answers.

use std::time::Duration;

use futures_util::future::join_all;
use kms_signer::{
    aws_sdk_kms::{Client, config::retry::RetryConfig},
    fake::{FakeKms, Fault},
};

use super::code;

/// A client that tries once.
fn once(fake: &FakeKms) -> Client {
    Client::from_conf(fake.client().config().to_builder().retry_config(RetryConfig::disabled()).build())
}

async fn create(sdk: &Client) -> String {
    sdk.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap()
}

#[tokio::test]
async fn a_new_key_becomes_visible_after_some_requests() {
    let fake = FakeKms::new();
    let sdk = once(&fake);
    fake.inject(Fault::late_visibility(4));
    let kept = fake.create_key().unwrap();
    sdk.describe_key().key_id(kept.as_ref()).send().await.unwrap();
    let key = create(&sdk).await;
    let other = create(&sdk).await;
    sdk.describe_key().key_id(&other).send().await.unwrap();

    assert_eq!(code(sdk.describe_key().key_id(&key).send().await), "NotFoundException");
    let alias = || sdk.create_alias().alias_name("alias/new").target_key_id(&key).send();
    assert_eq!(code(alias().await), "NotFoundException");
    assert_eq!(sdk.list_keys().send().await.unwrap().keys().len(), 2, "the list lacks it");
    fake.alias("alias/within", &key.parse().unwrap()).unwrap();
    assert_eq!(code(sdk.get_public_key().key_id("alias/within").send().await), "NotFoundException");
    sdk.describe_key().key_id(&key).send().await.unwrap();
    assert_eq!(sdk.list_keys().send().await.unwrap().keys().len(), 3);

    fake.inject(Fault::late_visibility(2).on("CreateAlias"));
    create(&sdk).await;
    alias().await.unwrap();
    assert_eq!(code(sdk.describe_key().key_id("alias/new").send().await), "NotFoundException");
    let update = || sdk.update_alias().alias_name("alias/new").target_key_id(&other).send();
    assert_eq!(code(update().await), "NotFoundException");
    sdk.describe_key().key_id("alias/new").send().await.unwrap();
    update().await.unwrap();
}

#[tokio::test]
async fn a_new_replica_becomes_visible_after_some_requests() {
    let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    east.join(&west).unwrap();
    let key = east.create_multi_region_key().unwrap();
    let id = key.key_id().as_str();
    east.inject(Fault::late_visibility(2));
    east.client().replicate_key().key_id(id).replica_region("us-west-2").send().await.unwrap();
    let there = once(&west);
    for _ in 0..2 {
        assert_eq!(code(there.describe_key().key_id(id).send().await), "NotFoundException");
    }
    there.describe_key().key_id(id).send().await.unwrap();
    east.client().describe_key().key_id(id).send().await.unwrap();
}

#[tokio::test]
async fn a_list_can_be_throttled_between_two_pages() {
    let fake = FakeKms::new();
    for _ in 0..3 {
        fake.create_key().unwrap();
    }
    let sdk = once(&fake);
    let first = sdk.list_keys().limit(2).send().await.unwrap();
    fake.inject(Fault::error("ThrottlingException", 400, "Rate exceeded").on("ListKeys").times(2));
    let second = || sdk.list_keys().limit(2).marker(first.next_marker().unwrap()).send();
    sdk.list_aliases().send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(code(second().await), "ThrottlingException");
    }
    assert_eq!(second().await.unwrap().keys().len(), 1, "the marker is still good");
}

#[tokio::test(start_paused = true)]
async fn slow_answers_do_not_wait_for_each_other() {
    let latency = Duration::from_millis(100);
    let (by_setting, by_fault) = (FakeKms::new(), FakeKms::new());
    by_setting.set_latency(latency);
    by_fault.inject(Fault::latency(latency).forever());
    for fake in [by_setting, by_fault] {
        let key = fake.create_key().unwrap();
        let sdk = fake.client();
        let started = tokio::time::Instant::now();
        join_all((0..200).map(|_| async { sdk.describe_key().key_id(key.as_ref()).send().await.unwrap() })).await;
        let took = started.elapsed();
        assert!((latency..latency * 2).contains(&took), "{took:?}");
    }
}
