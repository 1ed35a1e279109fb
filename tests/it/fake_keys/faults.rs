//! What goes wrong in the management of keys: throttled lists, things not yet visible, slow answers.

use std::time::Duration;

use futures_util::future::join_all;
use kms_signer::{
    aws_sdk_kms::{
        Client,
        config::retry::RetryConfig,
        types::{AlgorithmSpec, GrantOperation, KeySpec, KeyState, KeyUsageType, OriginType, Tag, WrappingKeySpec},
    },
    fake::{FakeKms, Fault},
};

use super::{
    code,
    import::{import, oaep, parameters, secp256k1},
    refusal,
};

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

#[tokio::test]
async fn a_new_replica_is_created_for_some_requests() {
    let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    east.join(&west).unwrap();
    let there = once(&west);
    for is_imported in [false, true] {
        let key = if is_imported { imported(&east).await } else { east.create_multi_region_key().unwrap().to_string() };
        let id = key.rsplit('/').next().unwrap();
        east.inject(Fault::late_creation(14));
        once(&east).describe_key().key_id(id).send().await.unwrap();
        let made = once(&east).replicate_key().key_id(id).replica_region("us-west-2").send().await.unwrap();
        assert_eq!(made.replica_key_metadata().unwrap().key_state(), Some(&KeyState::Creating));

        let describe = async || there.describe_key().key_id(id).send().await.unwrap().key_metadata.unwrap();
        let creating = describe().await;
        assert_eq!((creating.key_state(), creating.enabled()), (Some(&KeyState::Creating), false));
        there.list_resource_tags().key_id(id).send().await.unwrap();
        let message = format!("{} is creating.", creating.arn().unwrap());
        let refused = ("KMSInvalidStateException".to_owned(), message);
        let tag = Tag::builder().tag_key("a").tag_value("b").build().unwrap();
        let policy = there.get_key_policy().key_id(id).send().await.unwrap().policy.unwrap();
        assert_eq!(refusal(there.get_public_key().key_id(id).send().await), refused);
        assert_eq!(refusal(there.disable_key().key_id(id).send().await), refused);
        assert_eq!(refusal(there.enable_key().key_id(id).send().await), refused);
        assert_eq!(refusal(there.schedule_key_deletion().key_id(id).send().await), refused);
        assert_eq!(refusal(there.cancel_key_deletion().key_id(id).send().await), refused);
        assert_eq!(refusal(there.tag_resource().key_id(id).tags(tag).send().await), refused);
        assert_eq!(refusal(there.update_key_description().key_id(id).description("x").send().await), refused);
        assert_eq!(refusal(there.put_key_policy().key_id(id).policy(policy).send().await), refused);
        assert_eq!(refusal(there.create_alias().alias_name("alias/a").target_key_id(id).send().await), refused);
        let grant = there.create_grant().key_id(id).grantee_principal("arn:aws:iam::111122223333:role/a");
        assert_eq!(refusal(grant.operations(GrantOperation::DescribeKey).send().await), refused);
        let parameters = there.get_parameters_for_import().key_id(id).wrapping_key_spec(WrappingKeySpec::Rsa2048);
        let parameters = parameters.wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256).send().await;
        let expected = if is_imported { "KMSInvalidStateException" } else { "UnsupportedOperationException" };
        assert_eq!(code(parameters), expected);

        let ready = if is_imported { KeyState::PendingImport } else { KeyState::Enabled };
        assert_eq!(describe().await.key_state(), Some(&ready));
    }
}

/// A multi-Region key with imported material.
async fn imported(fake: &FakeKms) -> String {
    let sdk = fake.client();
    let create = sdk.create_key().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::SignVerify);
    let created = create.origin(OriginType::External).multi_region(true).send().await.unwrap();
    let key = created.key_metadata.unwrap().arn.unwrap();
    let given = parameters(&sdk, &key, AlgorithmSpec::RsaesOaepSha256, WrappingKeySpec::Rsa2048).await;
    import(&sdk, &key, &given, oaep(&given, &secp256k1(7))).await.unwrap();
    key
}
