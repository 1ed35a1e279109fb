//! Deadlines and retries: when the loop tries again, when it gives up, and what it says then.

use std::time::{Duration, Instant};

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner,
    fake::{FakeKms, Fault},
};

use crate::{assert_kind, ours, signer_with};

fn signs(fake: &FakeKms) -> usize {
    fake.requests().iter().filter(|request| request.operation() == "Sign").count()
}

#[tokio::test]
async fn transient_faults_are_survived() {
    let (fake, signer) = signer_with(|client| client).await;
    for fault in [
        Fault::error("ThrottlingException", 400, "slow down"),
        Fault::error("KMSInternalException", 500, "oops"),
        Fault::status(503),
        Fault::disconnect(),
        Fault::refuse(),
    ] {
        fake.inject(fault.times(3));
        signer.sign_message(b"x").await.unwrap();
    }
    assert_eq!(signs(&fake), 5 * 4 - 3, "a refused connection carries no request");
}

#[tokio::test]
async fn attempts_end_at_their_number_and_are_told() {
    let (fake, signer) = signer_with(|client| client.with_max_attempts(3)).await;
    fake.inject(Fault::error("KMSInternalException", 500, "oops").forever());
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::Unavailable);
    assert!(error.to_string().contains("(3 attempts)"), "{error}");
    assert_eq!(signs(&fake), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_throttled_waits_for_its_turn_again_until_the_deadline() {
    let (fake, signer) = signer_with(|client| client.with_max_attempts(3)).await;
    fake.inject(Fault::error("ThrottlingException", 400, "slow down").times(8));
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(signs(&fake), 9);

    fake.inject(Fault::error("ThrottlingException", 400, "slow down").forever());
    let started = tokio::time::Instant::now();
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::Throttled);
    assert!(ours(&error).request_id().is_some(), "KMS's own answer, not our queue's: {error}");
    assert!(!ours(&error).may_have_signed());
    assert!((8..=10).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    // Five a second at the end: the queue does not hammer a service that gives nothing.
    assert!(signs(&fake) < 9 + 80, "{}", signs(&fake));

    let (fake, signer) = signer_with(|client| client.with_max_attempts(1)).await;
    fake.inject(Fault::error("ThrottlingException", 400, "slow down"));
    assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::Throttled);
    assert_eq!(signs(&fake), 1);
}

#[tokio::test]
async fn one_attempt_that_may_have_signed_is_not_forgotten() {
    let (fake, signer) = signer_with(|client| client.with_max_attempts(2)).await;
    fake.inject(Fault::disconnect());
    fake.inject(Fault::error("AccessDeniedException", 400, "revoked meanwhile"));
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);
    assert!(ours(&error).may_have_signed());
}

#[tokio::test]
async fn what_cannot_succeed_is_tried_once() {
    let (fake, signer) = signer_with(|client| client).await;
    fake.inject(Fault::error("DisabledException", 400, "disabled").forever());
    signer.sign_message(b"x").await.unwrap_err();
    assert_eq!(signs(&fake), 1);
}

#[tokio::test]
async fn a_stalled_answer_costs_an_attempt_and_not_the_call() {
    let (fake, signer) = signer_with(|client| client.with_attempt_timeout(Duration::from_millis(100))).await;
    fake.inject(Fault::stall());
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(signs(&fake), 2);
}

#[tokio::test]
async fn a_call_ends_within_its_operation_timeout() {
    let timeout = Duration::from_millis(300);
    for (fault, kind) in [
        (Fault::stall(), ErrorKind::Timeout),
        (Fault::error("ThrottlingException", 400, "slow down"), ErrorKind::Throttled),
        (Fault::latency(Duration::from_secs(2)), ErrorKind::Timeout),
    ] {
        let case = format!("{fault:?}");
        // A queue of its own, that has not been throttled yet.
        let (fake, signer) = signer_with(|client| client.with_operation_timeout(timeout).with_max_attempts(1000)).await;
        fake.inject(fault.forever());
        let started = Instant::now();
        let error = signer.sign_message(b"x").await.unwrap_err();
        assert_eq!(ours(&error).kind(), kind, "{case}: {error}");
        assert!(started.elapsed() < timeout * 3, "{case} took {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_deadline_is_ten_seconds() {
    let (fake, signer) = signer_with(|client| client).await;
    fake.inject(Fault::stall().forever());
    let started = tokio::time::Instant::now();
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::Timeout);
    assert!((9..=10).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_callers_own_retries_and_timeouts_do_not_add_to_ours() {
    use kms_signer::aws_sdk_kms::{
        Client,
        config::{retry::RetryConfig, timeout::TimeoutConfig},
    };
    let fake = FakeKms::new();
    let config = fake.client().config().to_builder();
    let sdk = Client::from_conf(
        config
            .retry_config(RetryConfig::standard().with_max_attempts(7))
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_millis(1)).build())
            .build(),
    );
    let client = KmsClient::from(sdk).with_max_attempts(2);
    let signer = KmsSigner::new(client, fake.create_key().unwrap(), None).await.unwrap();
    fake.inject(Fault::latency(Duration::from_millis(50)));
    signer.sign_message(b"x").await.unwrap();
    let before = signs(&fake);
    fake.inject(Fault::error("KMSInternalException", 500, "oops").forever());
    signer.sign_message(b"x").await.unwrap_err();
    assert_eq!(signs(&fake) - before, 2);
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_once_and_named_if_that_fails() {
    for offset in [20 * 60, -20 * 60] {
        let (fake, signer) = signer_with(|client| client).await;
        fake.set_clock(offset);
        signer.sign_message(b"x").await.unwrap();
        assert_eq!(signs(&fake), 2, "the second request is signed with the corrected time");
        signer.sign_message(b"x").await.unwrap();
        assert_eq!(signs(&fake), 3, "and so is every later one");

        fake.inject(Fault::error("InvalidSignatureException", 400, "Signature expired: too old").forever());
        let error = signer.sign_message(b"x").await.unwrap_err();
        assert_kind(&error, ErrorKind::Config);
        assert!(error.to_string().contains("machine's clock is 1") && error.to_string().contains("NTP"), "{error}");
        assert!(!ours(&error).is_retryable());
        assert_eq!(signs(&fake), 5);

        // What has nothing to do with the clock is not blamed on it.
        for (code, kind) in
            [("AccessDeniedException", ErrorKind::AccessDenied), ("InvalidSignatureException", ErrorKind::Credentials)]
        {
            fake.clear_faults();
            fake.inject(Fault::error(code, 400, "no"));
            let before = signs(&fake);
            assert_kind(&signer.sign_message(b"x").await.unwrap_err(), kind);
            assert_eq!(signs(&fake) - before, 1, "{code}");
        }
    }
}

#[tokio::test]
async fn a_timeout_without_end_is_no_panic() {
    let (fake, signer) = signer_with(|client| {
        client.with_operation_timeout(Duration::MAX).with_attempt_timeout(Duration::MAX).with_hedge_after(Duration::MAX)
    })
    .await;
    fake.inject(Fault::error("ThrottlingException", 400, "slow down"));
    fake.inject(Fault::disconnect());
    signer.sign_message(b"x").await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing_behind() {
    let (fake, signer) = signer_with(|client| client).await;
    fake.inject(Fault::stall());
    let abandoned = tokio::time::timeout(Duration::from_millis(50), signer.sign_message(b"x")).await;
    assert!(abandoned.is_err());
    signer.sign_message(b"x").await.unwrap();
}
