//! Several Regions: who is asked, when another one is, and what each must agree on.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, Event, KeyArn, KmsClient, KmsSigner,
    fake::{FakeKms, Fault},
};

use crate::{assert_kind, ours};

const WEST: &str = "us-west-2";

/// Two Regions with one multi-Region key.
fn two() -> (FakeKms, FakeKms, KeyArn) {
    let (east, west) = (FakeKms::new(), FakeKms::in_region(WEST));
    let key = east.create_multi_region_key().unwrap();
    east.replicate_key(&key, &west).unwrap();
    (east, west, key)
}

fn client(east: &FakeKms, west: &FakeKms) -> KmsClient {
    KmsClient::from(east.client()).with_failover_client(west.client())
}

async fn signer(client: KmsClient, key: &KeyArn) -> KmsSigner {
    KmsSigner::new(client, key, None).await.unwrap()
}

async fn signs(signer: &KmsSigner) {
    let signature = signer.sign_message(b"x").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap(), signer.address());
}

fn count(fake: &FakeKms, operation: &str) -> usize {
    fake.requests().iter().filter(|request| request.operation() == operation).count()
}

#[tokio::test]
async fn the_first_region_signs_and_every_region_is_checked_at_connect() {
    let (east, west, key) = two();
    let signer = signer(client(&east, &west), &key).await;
    assert_eq!((count(&east, "GetPublicKey"), count(&west, "GetPublicKey")), (1, 1));
    let replica = key.as_ref().replace("us-east-1", WEST);
    assert_eq!(west.requests()[0].key_id(), Some(replica.as_str()), "each Region knows the key by its own ARN");
    signs(&signer).await;
    assert_eq!((count(&east, "Sign"), count(&west, "Sign")), (1, 0));
    assert_eq!(signer.client().regions().collect::<Vec<_>>(), ["us-east-1", WEST]);
}

#[tokio::test]
async fn a_region_that_fails_is_left_for_a_while_and_tried_again() {
    let (east, west, key) = two();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let client = client(&east, &west).with_observer(move |event: &Event<'_>| {
        log.lock().unwrap().push(match event {
            Event::Call(call) => format!("{} {}", call.region().unwrap(), call.attempts()),
            Event::Region(region) if region.left_for().is_some() => format!("left {}", region.region().unwrap()),
            Event::Region(region) => format!("back {}", region.region().unwrap()),
            _ => String::new(),
        });
    });
    let signer = signer(client, &key).await;
    for fault in
        [Fault::refuse(), Fault::disconnect(), Fault::error("KMSInternalException", 500, "x"), Fault::status(503)]
    {
        east.inject(fault);
        let started = Instant::now();
        for _ in 0..5 {
            signs(&signer).await;
        }
        assert!(started.elapsed() < Duration::from_millis(500), "another Region is asked without a pause");
        tokio::time::sleep(Duration::from_millis(1300)).await;
        signs(&signer).await;
    }
    let seen = seen.lock().unwrap()[2..].to_vec();
    let rounds: Vec<_> = seen.chunks(8).collect();
    assert_eq!(rounds.len(), 4, "{seen:?}");
    for round in rounds {
        let west = format!("{WEST} 1");
        let first = format!("{WEST} 2");
        let expected = ["left us-east-1", &first, &west, &west, &west, &west, "back us-east-1", "us-east-1 1"];
        assert_eq!(round, expected, "{seen:?}");
    }
}

#[tokio::test]
async fn one_call_at_a_time_tries_a_failed_region_again() {
    let (east, west, key) = two();
    let signer = signer(client(&east, &west).with_attempt_timeout(Duration::from_millis(300)), &key).await;
    east.inject(Fault::stall().on("Sign").forever());
    signs(&signer).await;
    assert_eq!(count(&east, "Sign"), 1);
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let started = Instant::now();
    let calls = futures_util::future::join_all((0..50).map(|_| async {
        let started = Instant::now();
        signs(&signer).await;
        started.elapsed()
    }));
    let slow = calls.await.into_iter().filter(|took| *took >= Duration::from_millis(300)).count();
    assert!(slow <= 1, "{slow} waited for the Region that stalls");
    assert_eq!(count(&east, "Sign"), 2);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn who_waits_in_the_queue_of_a_region_that_fails_moves_on() {
    let (east, west, key) = two();
    let client = client(&east, &west).with_max_in_flight(2).with_attempt_timeout(Duration::from_millis(300));
    let signer = signer(client, &key).await;
    east.inject(Fault::stall().on("Sign").forever());
    let started = Instant::now();
    futures_util::future::join_all((0..40).map(|_| signs(&signer))).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(count(&east, "Sign") <= 2);
}

#[tokio::test]
async fn throttling_and_refusals_of_the_first_region_do_not_move_the_call() {
    let (east, west, key) = two();
    let signer = signer(client(&east, &west), &key).await;
    east.inject(Fault::error("ThrottlingException", 400, "slow down").times(2));
    signs(&signer).await;
    assert_eq!(count(&west, "Sign"), 0);
    for (code, kind) in
        [("DisabledException", ErrorKind::KeyUnusable), ("AccessDeniedException", ErrorKind::AccessDenied)]
    {
        east.inject(Fault::error(code, 400, "no"));
        assert_kind(&signer.sign_message(b"x").await.unwrap_err(), kind);
    }
    assert_eq!(count(&west, "Sign"), 0);
}

#[tokio::test]
async fn a_replica_that_refuses_is_passed_over() {
    let (east, west, key) = two();
    let signer = signer(client(&east, &west), &key).await;
    west.inject(Fault::error("AccessDeniedException", 400, "no").on("Sign").forever());
    east.inject(Fault::disconnect());
    signs(&signer).await;
    assert_eq!((count(&east, "Sign"), count(&west, "Sign")), (2, 1));
}

#[tokio::test]
async fn no_region_gets_a_wrong_signature_through() {
    let (east, west, key) = two();
    let signer = signer(client(&east, &west), &key).await;
    east.inject(Fault::disconnect());
    west.inject(Fault::other_key());
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::SignatureMismatch);
    assert!(ours(&error).key().unwrap().contains(WEST), "{error}");
    assert!(ours(&error).may_have_signed());
}

#[tokio::test]
async fn a_key_in_one_region_only_is_refused() {
    let (east, west, _) = two();
    let key = east.create_key().unwrap();
    east.alias("alias/single", &key).unwrap();
    for name in [key.as_ref(), key.key_id().as_str(), "alias/single"] {
        let error = KmsSigner::new(client(&east, &west), name, None).await.unwrap_err();
        assert_kind(&error, ErrorKind::KeyUnsuitable);
        assert!(error.to_string().contains("mrk-"), "{error}");
    }
    // With a known public key an alias shows what it leads to with the first answer.
    let known = KmsSigner::new(east.client(), &key, None).await.unwrap().public_key().clone();
    let signer = KmsSigner::builder(client(&east, &west), "alias/single").public_key(known).connect().await.unwrap();
    assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::KeyUnsuitable);
}

#[tokio::test]
async fn replicas_must_agree_where_they_can_be_reached() {
    let (east, west, key) = two();
    // Unreachable at start is no error, and it may serve later.
    west.inject(Fault::refuse());
    let signer = signer(client(&east, &west), &key).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    east.inject(Fault::disconnect());
    signs(&signer).await;
    assert_eq!(count(&west, "Sign"), 1);

    let other = KmsSigner::new(east.client(), east.create_key().unwrap(), None).await.unwrap();
    west.inject(Fault::bad_spki(other.public_key().to_spki_der()));
    let error = KmsSigner::new(client(&east, &west), &key, None).await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyChanged);
    assert!(error.to_string().contains(WEST), "{error}");

    west.inject(Fault::error("AccessDeniedException", 400, "no").on("GetPublicKey"));
    let error = KmsSigner::new(client(&east, &west), &key, None).await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);
    assert!(error.to_string().contains(WEST), "{error}");
}

#[tokio::test]
async fn the_first_region_may_be_unreachable_at_start() {
    let (east, west, key) = two();
    west.alias("alias/relayer", &key.as_ref().replace("us-east-1", WEST).parse().unwrap()).unwrap();
    let address = signer(client(&east, &west), &key).await.address();
    east.inject(Fault::refuse().forever());
    let patient = || client(&east, &west).with_max_attempts(2);
    let started = signer(patient(), &key).await;
    assert_eq!(started.address(), address);
    signs(&started).await;

    // In another Region the same alias may lead elsewhere, unless the address says whose key it must be.
    let error = KmsSigner::new(patient(), "alias/relayer", None).await.unwrap_err();
    assert_kind(&error, ErrorKind::Transport);
    let by_alias = KmsSigner::builder(patient(), "alias/relayer").expected_address(address).connect().await.unwrap();
    signs(&by_alias).await;
}

#[tokio::test]
async fn the_regions_must_be_several_and_the_keys_among_them() {
    let (east, west, key) = two();
    let twice = KmsClient::from(east.client()).with_failover_client(east.client());
    let elsewhere = key.as_ref().replace("us-east-1", "eu-central-1");
    for (client, key) in [(twice, key.as_ref()), (client(&east, &west), &elsewhere)] {
        let error = KmsSigner::new(client, key, None).await.unwrap_err();
        assert_kind(&error, ErrorKind::Config);
    }
}

#[tokio::test]
async fn a_hedge_bounds_the_wait_for_a_slow_region() {
    let (east, west, key) = two();
    let client = client(&east, &west).with_hedge_after(Duration::from_millis(50));
    let signer = signer(client, &key).await;
    signs(&signer).await;
    assert_eq!(count(&west, "Sign"), 0, "a fast answer needs no second request");

    east.inject(Fault::latency(Duration::from_secs(2)).on("Sign").forever());
    for _ in 0..10 {
        let started = Instant::now();
        signs(&signer).await;
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }
    // After five that were overtaken in a row the slow Region is left.
    assert_eq!(count(&east, "Sign"), 1 + 5);
}

#[tokio::test]
async fn a_late_refusal_of_the_first_region_is_final_for_a_hedge_too() {
    let (east, west, key) = two();
    // The answer of a disabled key, late: latency and refusal together.
    let client = client(&east, &west).with_hedge_after(Duration::from_millis(20));
    let signer = signer(client, &key).await;
    east.client().disable_key().key_id(key.as_ref()).send().await.unwrap();
    east.inject(Fault::latency(Duration::from_millis(150)).on("Sign"));
    west.inject(Fault::latency(Duration::from_millis(800)).on("Sign"));
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyUnusable);
    assert!(ours(&error).may_have_signed(), "the hedge was on its way");
}

#[tokio::test]
async fn late_failures_do_not_take_down_a_region_that_is_back() {
    let (east, west, key) = two();
    let changes = Arc::new(Mutex::new(Vec::new()));
    let log = changes.clone();
    let client = client(&east, &west).with_attempt_timeout(Duration::from_millis(1500)).with_observer(
        move |event: &Event<'_>| {
            if let Event::Region(change) = event {
                log.lock().unwrap().push(change.left_for().is_some());
            }
        },
    );
    let signer = signer(client, &key).await;
    east.inject(Fault::stall().on("Sign").times(5));
    let stalled = futures_util::future::join_all((0..5).map(|index| {
        let signer = &signer;
        async move {
            // All begin before the first one fails; the last ends after the Region is back.
            tokio::time::sleep(Duration::from_millis(index * 300)).await;
            signs(signer).await;
        }
    }));
    let load = async {
        tokio::time::sleep(Duration::from_millis(1600)).await;
        for _ in 0..30 {
            signs(&signer).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(stalled, load);
    assert_eq!(*changes.lock().unwrap(), [true, false]);
}

#[tokio::test]
async fn of_two_answers_only_a_good_one_counts() {
    let (east, west, key) = two();
    let client = client(&east, &west).with_hedge_after(Duration::from_millis(20));
    let signer = signer(client, &key).await;
    east.inject(Fault::latency(Duration::from_millis(200)).on("Sign"));
    west.inject(Fault::other_key());
    signs(&signer).await;
    assert_eq!((count(&east, "Sign"), count(&west, "Sign")), (1, 1));
}

#[tokio::test]
async fn preflight_asks_every_region() {
    let (east, west, key) = two();
    let signer = signer(client(&east, &west), &key).await;
    signer.preflight().await.unwrap();
    west.inject(Fault::refuse());
    signer.preflight().await.unwrap();
    west.inject(Fault::error("AccessDeniedException", 400, "no").on("Sign"));
    let error = signer.preflight().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert!(error.to_string().contains(WEST), "{error}");
}

#[tokio::test]
async fn the_builder_makes_the_same() {
    let client = KmsClient::builder()
        .region("us-east-1")
        .static_credentials("AKIDEXAMPLE", "secret", None)
        .failover("us-west-2")
        .failover_client(FakeKms::in_region("eu-west-1").client())
        .hedge_after(Duration::from_millis(100))
        .requests_per_second(100)
        .max_in_flight(8)
        .build()
        .await
        .unwrap();
    assert_eq!(client.regions().collect::<Vec<_>>(), ["us-east-1", "us-west-2", "eu-west-1"]);
    let shown = format!("{client:?}");
    for setting in ["100ms", "requests_per_second: Some(100)", "max_in_flight: 8"] {
        assert!(shown.contains(setting), "{shown}");
    }
}
