//! Multi-Region keys in Regions that know each other.

use kms_signer::{
    ErrorKind,
    aws_sdk_kms::{
        Client,
        config::Region,
        types::{
            AlgorithmSpec, KeyMetadata, KeySpec, KeyState, KeyUsageType, MultiRegionKey, MultiRegionKeyType,
            OriginType, Tag, WrappingKeySpec,
        },
    },
    fake::FakeKms,
};

use super::{
    code,
    import::{import, oaep, parameters, secp256k1},
};

const WEST: &str = "us-west-2";
const EU: &str = "eu-central-1";
const DAY: i64 = 86_400;

fn joined() -> (FakeKms, FakeKms) {
    let (east, west) = (FakeKms::new(), FakeKms::in_region(WEST));
    east.join(&west).unwrap();
    (east, west)
}

/// The client, rebuilt for another Region.
fn for_region(sdk: &Client, region: &'static str) -> Client {
    Client::from_conf(sdk.config().to_builder().region(Region::new(region)).build())
}

async fn describe(sdk: &Client, key: &str) -> KeyMetadata {
    sdk.describe_key().key_id(key).send().await.unwrap().key_metadata.unwrap()
}

fn regions(keys: &[MultiRegionKey]) -> Vec<&str> {
    keys.iter().map(|key| key.region().unwrap()).collect()
}

#[tokio::test]
async fn a_replica_is_made_through_the_api() {
    let (east, west) = joined();
    let key = east.create_multi_region_key().unwrap();
    let id = key.key_id().as_str();
    let replicate = east.client().replicate_key().key_id(key.as_ref());
    let tag = Tag::builder().tag_key("team").tag_value("treasury").build().unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let made = replicate.clone().replica_region(WEST).description("spare").tags(tag.clone()).policy(policy);
    let made = made.bypass_policy_lockout_safety_check(true);
    let made = made.send().await.unwrap();
    assert_eq!((made.replica_policy(), made.replica_tags()), (Some(policy), [tag.clone()].as_slice()));

    let replica = describe(&west.client(), id).await;
    assert_eq!(Some(&replica), made.replica_key_metadata());
    assert_eq!(replica.arn().unwrap(), format!("arn:aws:kms:{WEST}:{}:key/{id}", FakeKms::ACCOUNT));
    assert_eq!((replica.description(), replica.key_state()), (Some("spare"), Some(&KeyState::Enabled)));
    let tags = west.client().list_resource_tags().key_id(id).send().await.unwrap();
    assert_eq!(tags.tags(), [tag]);
    let of_replica = replica.multi_region_configuration().unwrap();
    let primary = describe(&east.client(), id).await;
    let of_primary = primary.multi_region_configuration().unwrap();
    assert_eq!(of_replica.multi_region_key_type(), Some(&MultiRegionKeyType::Replica));
    assert_eq!(of_primary.multi_region_key_type(), Some(&MultiRegionKeyType::Primary));
    for configuration in [of_primary, of_replica] {
        assert_eq!(configuration.primary_key().unwrap().arn(), Some(key.as_ref()));
        assert_eq!(regions(configuration.replica_keys()), [WEST]);
        assert_eq!(configuration.replica_keys()[0].arn(), replica.arn());
    }
    let public = async |sdk: Client| sdk.get_public_key().key_id(id).send().await.unwrap().public_key;
    assert_eq!(public(east.client()).await, public(west.client()).await);

    assert_eq!(code(replicate.clone().replica_region(WEST).send().await), "AlreadyExistsException");
    assert_eq!(code(replicate.clone().replica_region("us-east-1").send().await), "ValidationException");
    assert_eq!(code(replicate.clone().replica_region(EU).send().await), "UnsupportedOperationException");
    let of_replica = west.client().replicate_key().key_id(id).replica_region("us-east-1");
    assert_eq!(code(of_replica.send().await), "UnsupportedOperationException");
    let single = east.create_key().unwrap();
    assert_eq!(
        code(replicate.clone().key_id(single.as_ref()).replica_region(WEST).send().await),
        "UnsupportedOperationException"
    );
    east.client().disable_key().key_id(id).send().await.unwrap();
    assert_eq!(code(replicate.replica_region(WEST).send().await), "DisabledException");
}

#[tokio::test]
async fn a_replica_of_an_imported_key_wants_the_same_material() {
    let (east, west) = joined();
    let (sdk, there) = (east.client(), west.client());
    let create = sdk.create_key().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::SignVerify);
    let created = create.origin(OriginType::External).multi_region(true).send().await.unwrap();
    let id = created.key_metadata().unwrap().key_id();
    let replicate = sdk.replicate_key().key_id(id).replica_region(WEST);
    assert_eq!(code(replicate.clone().send().await), "KMSInvalidStateException", "there is nothing to compare with");
    let algorithm = AlgorithmSpec::RsaesOaepSha256;
    let here = parameters(&sdk, id, algorithm.clone(), WrappingKeySpec::Rsa2048).await;
    import(&sdk, id, &here, oaep(&here, &secp256k1(7))).await.unwrap();

    let made = replicate.send().await.unwrap().replica_key_metadata.unwrap();
    assert_eq!(made.key_state(), Some(&KeyState::PendingImport));
    let parameters = parameters(&there, id, algorithm, WrappingKeySpec::Rsa2048).await;
    let material = |byte| oaep(&parameters, &secp256k1(byte));
    assert_eq!(code(import(&there, id, &here, material(7)).await), "InvalidImportTokenException");
    assert_eq!(code(import(&there, id, &parameters, material(8)).await), "IncorrectKeyMaterialException");
    import(&there, id, &parameters, material(7)).await.unwrap();
    assert_eq!(describe(&there, id).await.key_state(), Some(&KeyState::Enabled));
}

#[tokio::test]
async fn requests_go_to_the_region_they_are_signed_for() {
    let (east, west) = joined();
    let eu = FakeKms::in_region(EU);
    let rebuilt = for_region(&east.client(), EU);
    rebuilt.list_keys().send().await.unwrap();
    assert_eq!((east.requests().len(), eu.requests().len()), (1, 0), "no such Region is joined yet");

    // West's group has east in it; older clients and clones learn of it, too.
    west.join(&eu).unwrap();
    let key = east.create_multi_region_key().unwrap();
    let id = key.key_id().as_str();
    for region in [WEST, EU] {
        east.client().replicate_key().key_id(id).replica_region(region).send().await.unwrap();
        let arn = describe(&for_region(&east.client(), region), id).await.arn.unwrap();
        assert_eq!(arn, key.as_ref().replace("us-east-1", region));
    }
    assert_eq!(describe(&for_region(&eu.client(), "us-east-1"), id).await.arn().unwrap(), key.as_ref());
    assert!(describe(&rebuilt, id).await.arn().unwrap().contains(EU));
    assert_eq!((east.requests().len(), west.requests().len(), eu.requests().len()), (4, 1, 2));

    let another = FakeKms::in_region(EU);
    assert_eq!(east.join(&another).unwrap_err().kind(), ErrorKind::Config, "which of the two would answer?");
    eu.join(&east.clone()).unwrap();
}

#[tokio::test]
async fn a_primary_key_outlives_its_replicas() {
    let (east, west) = joined();
    let (sdk, there) = (east.client(), west.client());
    let key = east.create_multi_region_key().unwrap();
    let id = key.key_id().as_str();
    east.replicate_key(&key, &west).unwrap();
    let delete = |sdk: &Client| sdk.schedule_key_deletion().key_id(id).pending_window_in_days(7).send();
    let answer = delete(&sdk).await.unwrap();
    assert_eq!((answer.key_state(), answer.deletion_date()), (Some(&KeyState::PendingReplicaDeletion), None));
    assert_eq!(code(sdk.enable_key().key_id(id).send().await), "KMSInvalidStateException");
    assert_eq!(delete(&there).await.unwrap().key_state(), Some(&KeyState::PendingDeletion));

    for fake in [&east, &west] {
        fake.set_clock(8 * DAY);
    }
    let (sdk, there) = (east.client(), west.client());
    assert_eq!(code(there.describe_key().key_id(id).send().await), "NotFoundException");
    let metadata = describe(&sdk, id).await;
    assert_eq!(metadata.key_state(), Some(&KeyState::PendingDeletion));
    assert!(metadata.multi_region_configuration().unwrap().replica_keys().is_empty());
    east.set_clock(15 * DAY);
    assert_eq!(code(east.client().describe_key().key_id(id).send().await), "NotFoundException");
}
