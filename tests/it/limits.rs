//! A client's own limits: order, bounds, and what is said when they are met.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use alloy_signer::Signer;
use futures_util::future::join_all;
use kms_signer::{ErrorKind, KmsSigner, alloy_primitives::B256, fake::Fault};

use crate::{ours, signer_with};

#[tokio::test]
async fn signers_and_clones_of_a_client_share_its_queue() {
    let (fake, first) = signer_with(|client| client.with_max_in_flight(4)).await;
    let second = KmsSigner::new(first.client(), fake.create_key().unwrap(), None).await.unwrap();
    let third = second.clone();
    fake.inject(Fault::stall().on("Sign").forever());
    let before = fake.requests().len();
    let all = join_all([&first, &second, &third].iter().flat_map(|signer| (0..5).map(|_| signer.sign_message(b"x"))));
    assert!(tokio::time::timeout(Duration::from_millis(200), all).await.is_err());
    assert_eq!(fake.requests().len() - before, 4);
    // What was dropped has given its place back.
    fake.clear_faults();
    join_all((0..5).map(|_| async { first.sign_message(b"x").await.unwrap() })).await;
}

#[tokio::test]
async fn calls_are_let_out_in_the_order_they_were_made() {
    let (fake, signer) = signer_with(|client| client.with_max_in_flight(1)).await;
    let digests: Vec<B256> = (0..50).map(B256::with_last_byte).collect();
    join_all(digests.iter().map(|digest| signer.sign_hash(digest))).await;
    let sent: Vec<String> = fake.requests().iter().skip(1).map(|request| request.body().to_owned()).collect();
    let expected: Vec<String> = digests
        .iter()
        .map(|digest| {
            use base64::{Engine, engine::general_purpose::STANDARD};
            STANDARD.encode(digest)
        })
        .collect();
    assert_eq!(sent.len(), 50);
    for (body, digest) in sent.iter().zip(&expected) {
        assert!(body.contains(digest), "{body} is not of {digest}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_that_is_set_is_kept() {
    let (fake, signer) = signer_with(|client| client.with_requests_per_second(20)).await;
    let started = tokio::time::Instant::now();
    join_all((0..100).map(|_| async { signer.sign_message(b"x").await.unwrap() })).await;
    let took = started.elapsed();
    assert!((4.8..5.2).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(fake.requests().len(), 101);
}

#[tokio::test]
async fn a_full_queue_fails_at_once_and_says_whose_it_is() {
    let (fake, signer) = signer_with(|client| client.with_max_in_flight(1).with_max_queued(2)).await;
    fake.inject(Fault::latency(Duration::from_millis(300)).on("Sign"));
    let refused = Mutex::new(Vec::new());
    let started = Instant::now();
    join_all((0..6).map(|_| async {
        if let Err(error) = signer.sign_message(b"x").await {
            assert!(started.elapsed() < Duration::from_millis(200));
            refused.lock().unwrap().push(error);
        }
    }))
    .await;
    let refused = refused.into_inner().unwrap();
    assert_eq!(refused.len(), 3);
    for error in refused {
        let error = ours(&error);
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert!(error.to_string().contains("this client's own queue is full"), "{error}");
        assert!(error.is_retryable() && !error.may_have_signed() && error.request_id().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_let_out_before_its_deadline_does_not_wait_for_it() {
    let (_fake, signer) =
        signer_with(|client| client.with_requests_per_second(10).with_operation_timeout(Duration::from_secs(2))).await;
    let started = tokio::time::Instant::now();
    let outcomes = join_all((0..100).map(|_| async {
        let outcome = signer.sign_message(b"x").await;
        (outcome, started.elapsed())
    }))
    .await;
    let (mut signed, mut refused) = (0, 0);
    for (outcome, after) in outcomes {
        match outcome {
            Ok(_) => signed += 1,
            Err(error) => {
                assert!(after < Duration::from_millis(10), "{after:?}: {error}");
                assert!(error.to_string().contains("requests_per_second"), "{error}");
                refused += 1;
            }
        }
    }
    assert!((19..=21).contains(&signed), "{signed} signed");
    assert_eq!(signed + refused, 100);
}

#[tokio::test]
async fn a_queue_that_nothing_leaves_ends_at_the_deadline() {
    let timeout = Duration::from_millis(400);
    let (fake, signer) = signer_with(|client| client.with_max_in_flight(1).with_operation_timeout(timeout)).await;
    fake.inject(Fault::stall().on("Sign").forever());
    let started = Instant::now();
    let outcomes = join_all((0..3).map(|_| signer.sign_message(b"x"))).await;
    assert!(started.elapsed() < timeout * 3);
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(ours(&error).kind(), ErrorKind::Timeout, "{error}");
    }
}
