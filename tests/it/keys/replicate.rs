//! Replicas of multi-Region keys, in Regions that know each other.

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner,
    fake::{FakeKms, Fault},
    keys::{Keys, NewKey, Replica, Secret, State},
};

use crate::assert_kind;

const SECRET: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn regions() -> (FakeKms, FakeKms, Keys) {
    let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    east.join(&west).unwrap();
    let keys = Keys::new(east.client());
    (east, west, keys)
}

#[tokio::test]
async fn a_replica_signs_when_the_first_region_fails() {
    let (east, west, keys) = regions();
    let key = keys.create(NewKey::signing().multi_region(true).alias("alias/a").tag("a", "b")).await.unwrap();
    let wanted = Replica::to("us-west-2").alias("alias/a").tag("c", "d").description("second");
    let replica = keys.replicate("alias/a", wanted).await.unwrap();
    assert_eq!((replica.arn().region(), replica.arn().key_id()), ("us-west-2", key.arn().key_id()));
    assert_eq!((replica.address(), replica.state(), replica.description()), (key.address(), &State::Enabled, "second"));
    assert_eq!(replica.tags().unwrap().keys().collect::<Vec<_>>(), ["c"]);

    let client = KmsClient::from(east.client()).with_failover_client(west.client());
    let signer =
        KmsSigner::builder(client, "alias/a").expected_address(key.address().unwrap()).connect().await.unwrap();
    east.inject(Fault::disconnect().forever());
    signer.sign_message(b"x").await.unwrap();
}

#[tokio::test]
async fn imported_material_is_given_again_and_must_be_the_same() {
    let (_, west, keys) = regions();
    let secret = Secret::from_hex(SECRET).unwrap();
    let key = keys.import(NewKey::signing().multi_region(true), secret.clone()).await.unwrap();
    let error = keys.replicate(key.arn(), "us-west-2").await.unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("give the secret again"), "{error}");
    let other = Secret::from_bytes(&[7; 32]).unwrap();
    let error = keys.replicate(key.arn(), Replica::to("us-west-2").secret(other)).await.unwrap_err();
    assert_kind(&error, ErrorKind::AddressMismatch);
    assert_eq!(west.requests().len(), 0, "nothing was made until then");

    let replica = keys.replicate(key.arn(), Replica::to("us-west-2").secret(secret)).await.unwrap();
    assert_eq!((replica.address(), replica.is_imported()), (key.address(), true));
    KmsSigner::new(west.client(), replica.arn(), None).await.unwrap().sign_message(b"x").await.unwrap();
}

#[tokio::test]
async fn what_was_begun_is_completed_the_next_time() {
    let (_, west, keys) = regions();
    let secret = Secret::from_hex(SECRET).unwrap();
    let key = keys.import(NewKey::signing().multi_region(true), secret.clone()).await.unwrap();
    west.inject(Fault::error("AccessDeniedException", 400, "not yet").on("ImportKeyMaterial"));
    let wanted = || Replica::to("us-west-2").secret(secret.clone()).alias("alias/a");
    assert_kind(&keys.replicate(key.arn(), wanted()).await.unwrap_err(), ErrorKind::AccessDenied);
    let replica = keys.replicate(key.arn(), wanted()).await.unwrap();
    assert_eq!((replica.address(), replica.state()), (key.address(), &State::Enabled));
    assert_eq!(replica.aliases()[0].as_str(), "alias/a");
    // And once more changes nothing.
    assert_eq!(keys.replicate(key.arn(), wanted()).await.unwrap().arn(), replica.arn());
}

#[tokio::test]
async fn what_cannot_be_replicated_is_refused_before_anything_is_made() {
    let (east, west, keys) = regions();
    let single = keys.create(NewKey::signing()).await.unwrap();
    assert_kind(&keys.replicate(single.arn(), "us-west-2").await.unwrap_err(), ErrorKind::KeyUnsuitable);
    let multi = keys.create(NewKey::signing().multi_region(true)).await.unwrap();
    assert_kind(&keys.replicate(multi.arn(), "us-east-1").await.unwrap_err(), ErrorKind::Config);
    let with_secret = Replica::to("us-west-2").secret(Secret::from_hex(SECRET).unwrap());
    assert_kind(&keys.replicate(multi.arn(), with_secret).await.unwrap_err(), ErrorKind::Config);
    let bad_alias = Replica::to("us-west-2").alias("wallet");
    assert_kind(&keys.replicate(multi.arn(), bad_alias).await.unwrap_err(), ErrorKind::InvalidKeyRef);
    assert_eq!(super::count(&east, "ReplicateKey") + west.requests().len(), 0);
}

/// A replica that somebody disabled is not given its material again, nor taken for one that can sign.
#[tokio::test]
async fn a_disabled_replica_is_an_error() {
    let (_, west, keys) = regions();
    let secret = Secret::from_hex(SECRET).unwrap();
    let key = keys.import(NewKey::signing().multi_region(true), secret.clone()).await.unwrap();
    let wanted = || Replica::to("us-west-2").secret(secret.clone());
    let replica = keys.replicate(key.arn(), wanted()).await.unwrap();
    Keys::new(west.client()).disable(replica.arn()).await.unwrap();
    let before = super::count(&west, "ImportKeyMaterial");
    assert_kind(&keys.replicate(key.arn(), wanted()).await.unwrap_err(), ErrorKind::KeyUnusable);
    assert_eq!(super::count(&west, "ImportKeyMaterial"), before);
}

#[tokio::test]
async fn a_replica_of_another_public_key_is_refused() {
    let (_, west, keys) = regions();
    let other = keys.create(NewKey::signing()).await.unwrap();
    let key = keys.create(NewKey::signing().multi_region(true)).await.unwrap();
    west.inject(Fault::bad_spki(other.spki_der().unwrap()).on("GetPublicKey"));
    let error = keys.replicate(key.arn(), "us-west-2").await.unwrap_err();
    assert_kind(&error, ErrorKind::AddressMismatch);
}

/// The client's own SDK client for the Region is used, with its endpoint and connections.
#[tokio::test]
async fn a_region_of_the_client_is_reached_through_it() {
    let (east, west, _) = regions();
    let keys = Keys::new(KmsClient::from(east.client()).with_failover_client(west.client()));
    let key = keys.create(NewKey::signing().multi_region(true)).await.unwrap();
    let replica = keys.replicate(key.arn(), "us-west-2").await.unwrap();
    // By its ARN it is managed in its own Region.
    keys.disable(replica.arn()).await.unwrap();
    assert_eq!(keys.describe(replica.arn()).await.unwrap().state(), &State::Disabled);
    assert_eq!(keys.describe(key.arn()).await.unwrap().state(), &State::Enabled);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_still_created_is_waited_for() {
    let (east, west, keys) = regions();
    let secret = Secret::from_hex(SECRET).unwrap();
    let own = keys.create(NewKey::signing().multi_region(true)).await.unwrap();
    let imported = keys.import(NewKey::signing().multi_region(true), secret.clone()).await.unwrap();
    for (key, wanted) in [
        (&own, Replica::to("us-west-2").alias("alias/own")),
        (&imported, Replica::to("us-west-2").alias("alias/imported").secret(secret)),
    ] {
        let before = west.requests().len();
        east.inject(Fault::late_creation(4));
        let replica = keys.replicate(key.arn(), wanted).await.unwrap();
        assert_eq!((replica.address(), replica.state()), (key.address(), &State::Enabled));
        let asked: Vec<String> = west.requests()[before..].iter().map(|asked| asked.operation().to_owned()).collect();
        assert_eq!(asked[..5], ["DescribeKey"; 5], "nothing else before it is ready");
        let signer = KmsSigner::new(west.client(), replica.aliases()[0].as_str(), None).await.unwrap();
        signer.sign_message(b"x").await.unwrap();
    }
}
