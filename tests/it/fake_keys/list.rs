//! Lists, tags, descriptions and policies of keys.

use std::{collections::BTreeSet, time::Instant};

use kms_signer::{
    aws_sdk_kms::{
        Client,
        types::{GrantOperation, KeyManagerType, KeySpec, KeyUsageType, Tag},
    },
    fake::{FakeKms, Fault},
};

use super::code;

const DAY: i64 = 86_400;

fn tag(name: &str, value: &str) -> Tag {
    Tag::builder().tag_key(name).tag_value(value).build().unwrap()
}

async fn keys(sdk: &Client) -> Vec<String> {
    let pages = sdk.list_keys().into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    let keys = pages.iter().flat_map(|page| page.keys());
    keys.map(|key| key.key_arn().unwrap().to_owned()).collect()
}

async fn aliases(sdk: &Client, key: Option<&str>) -> Vec<String> {
    let list = sdk.list_aliases().set_key_id(key.map(str::to_owned)).limit(2);
    let pages = list.into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    let aliases = pages.iter().flat_map(|page| page.aliases());
    aliases.map(|alias| alias.alias_name().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn ten_thousand_keys_are_listed_once_each_and_quickly() {
    let fake = FakeKms::new();
    let made: BTreeSet<String> = (0..10_000).map(|_| fake.create_key().unwrap().to_string()).collect();
    let sdk = fake.client();
    let started = Instant::now();
    let listed = keys(&sdk).await;
    for arn in listed.iter().take(100) {
        sdk.describe_key().key_id(arn).send().await.unwrap();
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    assert_eq!(fake.requests().len(), 200, "a hundred pages of a hundred");
    assert_eq!(listed.len(), made.len());
    assert_eq!(BTreeSet::from_iter(listed), made);
}

#[tokio::test]
async fn pages_say_whether_there_is_another() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let none = sdk.list_keys().send().await.unwrap();
    assert_eq!((none.keys().len(), none.truncated(), none.next_marker()), (0, false, None));

    for _ in 0..3 {
        fake.create_key().unwrap();
    }
    let all = sdk.list_keys().limit(3).send().await.unwrap();
    assert_eq!((all.keys().len(), all.truncated(), all.next_marker()), (3, false, None), "nothing is left");
    let first = sdk.list_keys().limit(2).send().await.unwrap();
    assert!(first.keys().len() == 2 && first.truncated());
    let second = sdk.list_keys().limit(2).marker(first.next_marker().unwrap()).send().await.unwrap();
    assert_eq!([first.keys(), second.keys()].concat(), all.keys(), "the order stays");
    assert!(!second.truncated());

    let junk = ["junk", "bm90aGluZw==", first.next_marker().unwrap()];
    assert_eq!(code(sdk.list_keys().marker(junk[0]).send().await), "InvalidMarkerException");
    assert_eq!(code(sdk.list_keys().marker(junk[1]).send().await), "InvalidMarkerException");
    assert_eq!(code(sdk.list_aliases().marker(junk[2]).send().await), "InvalidMarkerException");
    for limit in [0, 1001] {
        assert_eq!(code(sdk.list_keys().limit(limit).send().await), "ValidationException");
    }
    assert_eq!(code(sdk.list_aliases().limit(101).send().await), "ValidationException");
    assert_eq!(code(sdk.list_resource_tags().key_id("x").limit(51).send().await), "ValidationException");
}

#[tokio::test]
async fn aliases_are_listed_by_name_of_one_key_or_of_all() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let (first, second) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    for (name, key) in
        [("alias/c", &first), ("alias/a", &first), ("alias/b", &second), ("alias/e", &first), ("alias/d", &first)]
    {
        fake.alias(name, key).unwrap();
    }
    assert_eq!(aliases(&sdk, None).await, ["alias/a", "alias/b", "alias/c", "alias/d", "alias/e"]);
    assert_eq!(aliases(&sdk, Some(first.as_ref())).await, ["alias/a", "alias/c", "alias/d", "alias/e"]);
    assert_eq!(aliases(&sdk, Some(second.key_id().as_str())).await, ["alias/b"]);
    assert_eq!(code(sdk.list_aliases().key_id("alias/a").send().await), "NotFoundException");

    sdk.update_alias().alias_name("alias/a").target_key_id(second.as_ref()).send().await.unwrap();
    sdk.delete_alias().alias_name("alias/d").send().await.unwrap();
    assert_eq!(aliases(&sdk, Some(first.as_ref())).await, ["alias/c", "alias/e"]);
    assert_eq!(aliases(&sdk, Some(second.as_ref())).await, ["alias/a", "alias/b"]);
    assert_eq!(code(sdk.delete_alias().alias_name("alias/d").send().await), "NotFoundException");
    assert_eq!(code(sdk.describe_key().key_id("alias/d").send().await), "NotFoundException");
    assert_eq!(code(sdk.delete_alias().alias_name("alias/aws/kms").send().await), "NotAuthorizedException");

    let entry = &sdk.list_aliases().limit(1).send().await.unwrap().aliases.unwrap()[0];
    assert_eq!(entry.alias_arn(), Some("arn:aws:kms:us-east-1:111122223333:alias/a"));
    assert_eq!(entry.target_key_id(), Some(second.key_id().as_str()));
    assert!(entry.creation_date().is_some() && entry.last_updated_date() >= entry.creation_date());
}

#[tokio::test]
async fn what_is_deleted_is_listed_no_more() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let (doomed, kept) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    fake.alias("alias/doomed", &doomed).unwrap();
    fake.alias("alias/kept", &kept).unwrap();
    sdk.schedule_key_deletion().key_id(doomed.as_ref()).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(keys(&sdk).await.len(), 2, "it can still be saved");

    fake.set_clock(8 * DAY);
    assert_eq!(keys(&sdk).await, [kept.as_ref()]);
    assert_eq!(aliases(&sdk, None).await, ["alias/kept"]);
    assert_eq!(code(sdk.list_resource_tags().key_id(doomed.as_ref()).send().await), "NotFoundException");
    sdk.create_alias().alias_name("alias/doomed").target_key_id(kept.as_ref()).send().await.unwrap();
    assert_eq!(aliases(&sdk, Some(kept.as_ref())).await, ["alias/doomed", "alias/kept"]);
}

#[tokio::test]
async fn tags_are_kept_changed_and_removed() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let create = || sdk.create_key().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::SignVerify);
    let created = create().tags(tag("team", "treasury")).tags(tag("env", "")).send().await.unwrap();
    let arn = created.key_metadata().unwrap().arn().unwrap();
    let listed = async || {
        let pages = sdk.list_resource_tags().key_id(arn).limit(1).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        pages.iter().flat_map(|page| page.tags().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [tag("env", ""), tag("team", "treasury")]);
    sdk.tag_resource().key_id(arn).tags(tag("env", "test")).tags(tag("id", "7")).send().await.unwrap();
    sdk.untag_resource().key_id(arn).tag_keys("team").tag_keys("nobody").send().await.unwrap();
    assert_eq!(listed().await, [tag("env", "test"), tag("id", "7")]);

    let tags = |tag: Tag| sdk.tag_resource().key_id(arn).tags(tag).send();
    assert_eq!(code(tags(tag("aws:x", "y")).await), "TagException");
    assert_eq!(code(tags(tag(&"k".repeat(129), "y")).await), "ValidationException");
    assert_eq!(code(create().tags(tag("a", "1")).tags(tag("a", "2")).send().await), "TagException");
    let many = (0..49).map(|index| tag(&format!("t{index}"), "")).collect();
    assert_eq!(
        code(sdk.tag_resource().key_id(arn).set_tags(Some(many)).send().await),
        "LimitExceededException",
        "51 tags"
    );
    assert_eq!(listed().await.len(), 2);

    sdk.schedule_key_deletion().key_id(arn).send().await.unwrap();
    assert_eq!(code(tags(tag("a", "b")).await), "KMSInvalidStateException");
    assert_eq!(listed().await.len(), 2, "still readable");
}

#[tokio::test]
async fn descriptions_and_policies_can_be_replaced() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let arn = fake.create_key().unwrap().to_string();
    sdk.update_key_description().key_id(&arn).description("relayer").send().await.unwrap();
    let described = sdk.describe_key().key_id(&arn).send().await.unwrap();
    assert_eq!(described.key_metadata().unwrap().description(), Some("relayer"));

    let policy = async || sdk.get_key_policy().key_id(&arn).send().await.unwrap();
    let default = policy().await;
    assert_eq!(default.policy_name(), Some("default"));
    assert!(default.policy().unwrap().contains("arn:aws:iam::111122223333:root"), "{default:?}");
    let new = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"},
        "Action": "kms:*", "Resource": "*"}}"#;
    sdk.put_key_policy().key_id(&arn).policy(new).send().await.unwrap();
    assert_eq!(policy().await.policy(), Some(new), "as it was sent");
    let put = |policy: &str| sdk.put_key_policy().key_id(&arn).policy(policy).send();
    assert_eq!(code(put("no JSON").await), "MalformedPolicyDocumentException");
    assert_eq!(code(put(&" ".repeat(32 * 1024 + 1)).await), "LimitExceededException");
    assert_eq!(code(sdk.get_key_policy().key_id(&arn).policy_name("other").send().await), "NotFoundException");
}

#[tokio::test]
async fn a_page_may_be_short_or_empty_and_not_the_last() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let made: BTreeSet<String> = (0..3).map(|_| fake.create_key().unwrap().to_string()).collect();
    for (name, key) in ["alias/a", "alias/b", "alias/c"].iter().zip(&made) {
        fake.alias(name, &key.parse().unwrap()).unwrap();
    }
    fake.inject(Fault::short_page(0).times(2));
    fake.inject(Fault::short_page(1));
    fake.inject(Fault::short_page(0));
    fake.inject(Fault::short_page(9));
    let pages = sdk.list_keys().into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.keys().len()).collect::<Vec<_>>(), [0, 0, 1, 0, 2, 0]);
    let markers: BTreeSet<_> = pages.iter().filter_map(|page| page.next_marker()).collect();
    assert_eq!(markers.len(), 5, "each leads elsewhere");
    let found = pages.iter().flat_map(|page| page.keys()).map(|key| key.key_arn().unwrap().to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), made);

    fake.inject(Fault::short_page(1).on("ListAliases").forever());
    sdk.list_keys().send().await.unwrap();
    let names = sdk.list_aliases().limit(2).send().await.unwrap();
    assert_eq!((names.aliases().len(), names.truncated()), (1, true));
    fake.clear_faults();
    assert_eq!(sdk.list_aliases().marker(names.next_marker().unwrap()).send().await.unwrap().aliases().len(), 2);
}

#[tokio::test]
async fn keys_of_awss_own_are_seen_and_not_managed() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let managed = fake.create_aws_managed_key().unwrap();
    assert_eq!(fake.create_aws_managed_key().unwrap(), managed, "there is one");
    let key = managed.as_ref();
    assert_eq!(keys(&sdk).await, [key]);
    let listed = sdk.list_aliases().send().await.unwrap().aliases.unwrap();
    let targets: Vec<_> = listed.iter().map(|alias| (alias.alias_name().unwrap(), alias.target_key_id())).collect();
    assert_eq!(targets, [("alias/aws/ebs", Some(managed.key_id().as_str())), ("alias/aws/s3", None)]);
    assert_eq!(aliases(&sdk, Some(key)).await, ["alias/aws/ebs"]);

    let described = sdk.describe_key().key_id("alias/aws/ebs").send().await.unwrap().key_metadata.unwrap();
    assert_eq!((described.arn(), described.key_manager()), (Some(key), Some(&KeyManagerType::Aws)));
    assert_eq!(described.key_spec(), Some(&KeySpec::SymmetricDefault));
    assert_eq!(code(sdk.describe_key().key_id("alias/aws/s3").send().await), "NotFoundException");
    assert!(sdk.list_resource_tags().key_id(key).send().await.unwrap().tags().is_empty());
    let policy = sdk.get_key_policy().key_id(key).send().await.unwrap().policy.unwrap();

    let denied = "AccessDeniedException";
    assert_eq!(code(sdk.disable_key().key_id(key).send().await), denied);
    assert_eq!(code(sdk.schedule_key_deletion().key_id(key).send().await), denied);
    assert_eq!(code(sdk.tag_resource().key_id(key).tags(tag("a", "b")).send().await), denied);
    assert_eq!(code(sdk.update_key_description().key_id(key).description("mine").send().await), denied);
    assert_eq!(code(sdk.put_key_policy().key_id(key).policy(policy).send().await), denied);
    assert_eq!(code(sdk.create_alias().alias_name("alias/mine").target_key_id(key).send().await), denied);
    let grant = sdk.create_grant().key_id(key).grantee_principal("arn:aws:iam::111122223333:role/a");
    assert_eq!(code(grant.operations(GrantOperation::Decrypt).send().await), denied);
    let own = fake.create_key().unwrap();
    let update = sdk.update_alias().alias_name("alias/aws/ebs").target_key_id(own.as_ref());
    assert_eq!(code(update.send().await), "NotAuthorizedException");
}
