//! The protocol itself: `handle`, headers, the log and the clock.

use aws_sdk_kms::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{client, code, refusal, sign_digest};
use crate::fake::{FakeKms, Fault};

fn request(operation: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/")
        .header("X-Amz-Target", format!("TrentService.{operation}"))
        .header("Content-Type", "application/x-amz-json-1.1")
        .body(body.into())
        .unwrap()
}

fn fields(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn answers_http() {
    let kms = FakeKms::new();
    let response = kms.handle(request("CreateKey", "")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    let arn = fields(&response)["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();

    let response = kms.handle(request("DisableKey", json!({ "KeyId": arn }).to_string())).await;
    assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));

    let first = kms.handle(request("Sign", "{}")).await;
    assert_eq!(first.status(), 400);
    assert_eq!(fields(&first)["__type"], "ValidationException");
    let second = kms.handle(request("Sign", "{}")).await;
    let id = |response: &Response<Bytes>| response.headers()["x-amzn-RequestId"].to_str().unwrap().to_owned();
    assert_eq!(id(&first).len(), 36);
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn refuses_what_is_not_the_protocol() {
    let kms = FakeKms::new();
    let mut get = request("Sign", "{}");
    *get.method_mut() = http::Method::GET;
    let mut text = request("Sign", "{}");
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    let mut no_target = request("Sign", "{}");
    no_target.headers_mut().remove("x-amz-target");
    let too_large = vec![b' '; 256 * 1024 + 1];
    for (request, status, code) in [
        (get, 404, "UnknownOperationException"),
        (text, 404, "UnknownOperationException"),
        (no_target, 400, "UnknownOperationException"),
        (request("ReEncrypt", "{}"), 400, "UnknownOperationException"),
        (request("Sign", "{"), 400, "SerializationException"),
        (request("Sign", "[]"), 400, "SerializationException"),
        (request("Sign", "\u{0}\u{1}"), 400, "SerializationException"),
        (request("Sign", "[".repeat(100_000)), 400, "SerializationException"),
        (request("DescribeKey", r#"{"KeyId":5}"#), 400, "SerializationException"),
        (request("DescribeKey", r#"{"KeyId":""}"#), 400, "ValidationException"),
        (request("CreateKey", r#"{"MultiRegion":"yes"}"#), 400, "SerializationException"),
        (request("CreateKey", r#"{"Tags":[{"TagKey":"a"}]}"#), 400, "TagException"),
        (request("Sign", r#"{"SigningAlgorithm":"ECDSA_SHA_256","Message":"!"}"#), 400, "SerializationException"),
        (request("Sign", too_large), 413, "RequestEntityTooLargeException"),
    ] {
        let response = kms.handle(request).await;
        assert_eq!((response.status().as_u16(), fields(&response)["__type"].as_str().unwrap()), (status, code));
    }
    assert_eq!(kms.0.store.key_count(), 0);
}

#[tokio::test]
async fn connection_faults_wait_for_the_client() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap().to_string();
    let body = json!({ "KeyId": arn }).to_string();
    kms.inject(Fault::disconnect());
    kms.inject(Fault::stall());
    kms.inject(Fault::error("ThrottlingException", 400, "Rate exceeded"));
    assert_eq!(fields(&kms.handle(request("DescribeKey", body.clone())).await)["__type"], "ThrottlingException");
    assert_eq!(kms.handle(request("DescribeKey", body)).await.status(), 200);
    assert!(client(&kms).describe_key().key_id(&arn).send().await.is_err());
}

#[tokio::test]
async fn logs_what_arrived() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap();
    kms.alias("alias/relayer", &arn).unwrap();
    sign_digest(&kms, "alias/relayer", [1; 32]).await.unwrap();
    client(&kms).create_alias().alias_name("alias/x").target_key_id(arn.to_string()).send().await.unwrap();
    kms.handle(request("Sign", "no JSON")).await;
    let log = kms.requests();
    let seen: Vec<_> = log.iter().map(|request| (request.operation(), request.key_id())).collect();
    assert_eq!(
        seen,
        [("Sign", Some("alias/relayer")), ("CreateAlias", Some(arn.to_string().as_str())), ("Sign", None)]
    );
    assert!(log[0].body().contains(r#""MessageType":"DIGEST""#));
    assert!(!log[0].dry_run() && log[0].grant_tokens().is_empty());
    assert_eq!(log[2].body(), "no JSON");
}

#[tokio::test]
async fn the_log_keeps_the_last_ten_thousand() {
    let kms = FakeKms::new();
    for number in 0..10_002 {
        kms.handle(request("Nothing", number.to_string())).await;
    }
    let log = kms.requests();
    assert_eq!((log.len(), log[0].body(), log[9_999].body()), (10_000, "2", "10001"));
}

#[tokio::test]
async fn every_response_tells_the_time() {
    let kms = FakeKms::new();
    kms.set_clock(-86_400);
    let expected = kms.0.clock.now();
    kms.inject(Fault::status(503));
    for _ in 0..2 {
        let response = kms.handle(request("CreateKey", "{}")).await;
        let date = response.headers()["date"].to_str().unwrap();
        let date = DateTime::from_str(date, DateTimeFormat::HttpDate).unwrap().secs();
        assert!((expected..expected + 60).contains(&date), "{date} instead of {expected}");
    }
    kms.set_clock(i64::MAX);
    assert!(kms.handle(request("CreateKey", "{}")).await.headers().get("date").is_none());
}

#[tokio::test]
async fn a_request_signed_by_another_clock_is_refused() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap().to_string();
    for (offset, text) in [(600, "Signature expired: "), (-600, "Signature not yet current: ")] {
        kms.set_clock(offset);
        let (code, message) = refusal(sign_digest(&kms, &arn, [1; 32]).await);
        assert_eq!(code, "InvalidSignatureException");
        assert!(message.starts_with(text), "{message}");
    }
    kms.set_clock(240);
    sign_digest(&kms, &arn, [1; 32]).await.unwrap();

    let mut malformed = request("CreateKey", "{}");
    malformed.headers_mut().insert("x-amz-date", "yesterday".parse().unwrap());
    assert_eq!(fields(&kms.handle(malformed).await)["__type"], "IncompleteSignatureException");
}

#[tokio::test]
async fn the_sdk_corrects_its_clock_by_the_date_header() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap().to_string();
    kms.set_clock(3600);
    let sdk = kms.client();
    sdk.get_public_key().key_id(&arn).send().await.unwrap();
    assert_eq!(kms.requests().len(), 2, "one refused, one corrected");
    sdk.get_public_key().key_id(&arn).send().await.unwrap();
    assert_eq!(kms.requests().len(), 3, "the correction is remembered");
    assert_eq!(code(client(&kms).describe_key().key_id(&arn).send().await), "InvalidSignatureException");
}
