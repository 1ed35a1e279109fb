//! Each fault, as the SDK client sees it.

use core::time::Duration;
use std::time::Instant;

use alloy_primitives::B256;
use aws_sdk_kms::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use bytes::Bytes;

use super::{client, code, public_key, sign_digest};
use crate::{
    error::ErrorKind,
    fake::{FakeKms, Fault},
    public_key::PublicKey,
    signature::recover,
};

const DIGEST: B256 = B256::repeat_byte(7);

async fn prepared() -> (FakeKms, String, PublicKey) {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap();
    let key = public_key(&kms, &arn).await;
    (kms, arn.to_string(), key)
}

async fn der(kms: &FakeKms, arn: &str) -> Vec<u8> {
    sign_digest(kms, arn, DIGEST.0).await.unwrap().signature.unwrap().into_inner()
}

#[tokio::test]
async fn an_error_is_kms_s_own() {
    let (kms, arn, _) = prepared().await;
    kms.inject(Fault::error("ThrottlingException", 400, "Rate exceeded"));
    let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
    let id = error.request_id().unwrap().to_owned();
    let error = error.into_service_error();
    assert_eq!((error.code(), error.message()), (Some("ThrottlingException"), Some("Rate exceeded")));

    kms.inject(Fault::error("KMSInternalException", 500, "oops"));
    let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    assert_ne!(error.request_id().unwrap(), id);
    sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
}

#[tokio::test]
async fn connections_break() {
    let (kms, arn, _) = prepared().await;
    let before = kms.requests().len();
    for (fault, kind, arrived) in [
        (Fault::disconnect(), std::io::ErrorKind::ConnectionReset, 1),
        (Fault::refuse(), std::io::ErrorKind::ConnectionRefused, 1),
    ] {
        kms.inject(fault);
        let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
        let SdkError::DispatchFailure(failure) = error else { panic!("{error:?}") };
        let connector = failure.as_connector_error().unwrap();
        assert!(connector.is_io());
        let source = std::error::Error::source(connector).unwrap();
        assert_eq!(source.downcast_ref::<std::io::Error>().unwrap().kind(), kind);
        assert_eq!(kms.requests().len() - before, arrived);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_never_ends_and_latency_does() {
    let (kms, arn, key) = prepared().await;
    let year = Duration::from_secs(365 * 86_400);
    kms.inject(Fault::stall());
    let outcome = tokio::time::timeout(year, sign_digest(&kms, &arn, DIGEST.0)).await;
    assert!(outcome.is_err(), "{outcome:?}");

    kms.inject(Fault::latency(Duration::from_secs(60)));
    let start = tokio::time::Instant::now();
    let slow = tokio::spawn({
        let (kms, arn) = (kms.clone(), arn.clone());
        async move { der(&kms, &arn).await }
    });
    tokio::task::yield_now().await;
    der(&kms, &arn).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "one slow request holds up another");
    recover(&slow.await.unwrap(), &DIGEST, &key).unwrap();
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_read_timeout_of_the_client_ends_a_stall() {
    let (kms, arn, _) = prepared().await;
    let timeouts = aws_sdk_kms::config::timeout::TimeoutConfig::builder().read_timeout(Duration::from_secs(2)).build();
    let sdk = aws_sdk_kms::Client::from_conf(client(&kms).config().to_builder().timeout_config(timeouts).build());
    kms.inject(Fault::stall());
    let error = sdk.get_public_key().key_id(&arn).send().await.unwrap_err();
    let SdkError::DispatchFailure(failure) = error else { panic!("{error:?}") };
    assert!(failure.is_timeout());
    sdk.get_public_key().key_id(&arn).send().await.unwrap();
}

#[test]
fn latency_outside_a_runtime_blocks_instead_of_panicking() {
    let kms = FakeKms::new();
    kms.inject(Fault::latency(Duration::from_millis(20)));
    let start = Instant::now();
    let response = futures_util::FutureExt::now_or_never(kms.handle(http::Request::new(Bytes::new()))).unwrap();
    assert_eq!(response.status(), 404);
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[tokio::test]
async fn bodies_break() {
    let (kms, arn, _) = prepared().await;
    for fault in [Fault::truncated_body(), Fault::garbage_body()] {
        kms.inject(fault);
        let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 200);
        assert_eq!(error.code(), None);
    }
    kms.inject(Fault::empty_body());
    let answer = sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
    assert!(answer.key_id().is_none() && answer.signature().is_none());

    kms.inject(Fault::missing_field("Signature"));
    let answer = sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
    assert!(answer.key_id().is_some() && answer.signature().is_none());

    kms.inject(Fault::key_id("alias/other"));
    let answer = sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
    assert_eq!(answer.key_id(), Some("alias/other"));
    assert!(answer.signature().is_some());

    kms.inject(Fault::bad_spki([1, 2, 3]));
    sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
    let answer = client(&kms).get_public_key().key_id(&arn).send().await.unwrap();
    assert_eq!(answer.public_key().unwrap().as_ref(), [1, 2, 3]);
}

#[tokio::test]
async fn a_load_balancer_answers_in_html() {
    let (kms, arn, _) = prepared().await;
    kms.inject(Fault::status(503));
    let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert_eq!(response.headers().get("content-type"), Some("text/html"));
    assert!(error.request_id().is_none());

    for status in [0, 99, 1000] {
        kms.inject(Fault::status(status));
        let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    }
}

#[tokio::test]
async fn somebody_else_answers() {
    let (kms, arn, _) = prepared().await;
    kms.inject(Fault::response(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>"));
    let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 403);
    assert_eq!(response.headers().get("content-type"), Some("application/xml"));
    assert_eq!(response.body().bytes(), Some(b"<Error><Code>AccessDenied</Code></Error>".as_slice()));
    assert!(error.request_id().is_none());

    kms.inject(Fault::response(1000, "no\nheader", [0xff]));
    let error = sign_digest(&kms, &arn, DIGEST.0).await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 500);
    assert_eq!(response.headers().get("content-type"), None);
}

#[tokio::test]
async fn fields_say_what_they_are_told() {
    let (kms, arn, _) = prepared().await;
    kms.inject(Fault::set_field("SigningAlgorithm", "ECDSA_SHA_512"));
    let answer = sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
    assert_eq!(answer.signing_algorithm().unwrap().as_str(), "ECDSA_SHA_512");
    assert_eq!(answer.key_id(), Some(arn.as_str()), "the other fields stay");

    kms.inject(Fault::bad_signature([0x30, 0]));
    let answer = client(&kms).get_public_key().key_id(&arn).send().await.unwrap();
    assert!(answer.public_key().is_some(), "it waits for Sign");
    let answer = sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
    assert_eq!(answer.signature().unwrap().as_ref(), [0x30, 0]);

    kms.inject(Fault::set_field("KeyId", "x").times(2));
    assert_eq!(code(sign_digest(&kms, "alias/nobody", DIGEST.0).await), "NotFoundException");
    assert_eq!(sign_digest(&kms, &arn, DIGEST.0).await.unwrap().key_id(), Some("x"));
}

#[tokio::test]
async fn signatures_take_the_shape_asked_for() {
    let (kms, arn, key) = prepared().await;
    for _ in 0..3 {
        kms.inject(Fault::high_s());
        let high = der(&kms, &arn).await;
        recover(&high, &DIGEST, &key).unwrap();
        assert!(k256::ecdsa::Signature::from_der(&high).unwrap().normalize_s().is_some());

        kms.inject(Fault::low_s());
        let low = der(&kms, &arn).await;
        recover(&low, &DIGEST, &key).unwrap();
        assert!(k256::ecdsa::Signature::from_der(&low).unwrap().normalize_s().is_none());

        kms.inject(Fault::short_r());
        let short = der(&kms, &arn).await;
        recover(&short, &DIGEST, &key).unwrap();
        assert!(short[3] <= 31, "r has {} bytes", short[3]);

        kms.inject(Fault::short_s());
        let short = der(&kms, &arn).await;
        recover(&short, &DIGEST, &key).unwrap();
        let length_of_s = short[5 + usize::from(short[3])];
        assert!(length_of_s <= 31, "s has {length_of_s} bytes");

        for fault in [Fault::other_key(), Fault::flipped_bit()] {
            kms.inject(fault);
            let wrong = der(&kms, &arn).await;
            assert_eq!(recover(&wrong, &DIGEST, &key).unwrap_err().kind(), ErrorKind::SignatureMismatch);
        }
        recover(&der(&kms, &arn).await, &DIGEST, &key).unwrap();
    }
}

#[tokio::test]
async fn faults_are_taken_in_order_by_the_requests_they_match() {
    let (kms, arn, _) = prepared().await;
    let fault = |code| Fault::error(code, 400, "");
    let sign = || async { code(sign_digest(&kms, &arn, DIGEST.0).await) };
    let describe = || async { code(client(&kms).describe_key().key_id(&arn).send().await) };

    kms.inject(fault("None").times(0));
    kms.inject(fault("First").on("Sign").times(2));
    kms.inject(fault("Second"));
    kms.inject(fault("Third").forever());
    assert_eq!(describe().await, "Second");
    assert_eq!(sign().await, "First");
    assert_eq!(sign().await, "First");
    for _ in 0..3 {
        assert_eq!(sign().await, "Third");
        assert_eq!(describe().await, "Third");
    }
    kms.clear_faults();
    sign_digest(&kms, &arn, DIGEST.0).await.unwrap();
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_back_was_still_done() {
    let kms = FakeKms::new();
    let create = || client(&kms).create_key().send();
    for (fault, done) in [
        (Fault::error("ThrottlingException", 400, "Rate exceeded"), 0),
        (Fault::status(503), 0),
        (Fault::response(200, "text/html", "<html></html>"), 0),
        (Fault::refuse(), 0),
        (Fault::disconnect(), 1),
        (Fault::truncated_body(), 1),
    ] {
        let before = kms.0.store.key_count();
        kms.inject(fault);
        assert!(create().await.is_err());
        assert_eq!(kms.0.store.key_count() - before, done);
    }
}
