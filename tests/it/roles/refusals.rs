//! Everything that can go wrong between the client and STS: the kind, and what the text says to do.

use std::time::Duration;

use futures_util::future::join_all;
use kms_signer::{Error, ErrorKind, KmsClient, KmsSigner, Outcome};

use super::{
    Loads, ROLE,
    servers::{Instead, Kms, REQUEST_ID, Sts},
    user_of,
};
use ErrorKind::{AccessDenied, Config, Credentials};

struct Row {
    what: &'static str,
    answer: Instead,
    kind: ErrorKind,
    retryable: bool,
    /// What the text says to do.
    remedy: &'static str,
}

fn rows() -> Vec<Row> {
    let refusal = |status, code, message, kind, retryable, remedy| Row {
        what: code,
        answer: Instead::Refusal(status, code, message),
        kind,
        retryable,
        remedy,
    };
    let body = |what, status, body, retryable, remedy| Row {
        what,
        answer: Instead::Body(status, body),
        kind: Credentials,
        retryable,
        remedy,
    };
    let (role, later) = ("check the role's ARN, its trust policy and the external id", "try again");
    vec![
        refusal(
            403,
            "AccessDenied",
            "AKIAUSER is not authorized to perform: sts:AssumeRole",
            AccessDenied,
            false,
            role,
        ),
        refusal(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
            Credentials,
            false,
            "renew the session",
        ),
        refusal(400, "ExpiredTokenException", "The security token is expired", Credentials, false, "renew the session"),
        refusal(
            403,
            "InvalidClientTokenId",
            "The security token is invalid",
            Credentials,
            false,
            "check the access key id",
        ),
        refusal(
            403,
            "SignatureDoesNotMatch",
            "The signature does not match",
            Credentials,
            false,
            "check the secret access key",
        ),
        refusal(403, "MissingAuthenticationToken", "Missing", Credentials, false, "set AWS_ACCESS_KEY_ID"),
        refusal(400, "ValidationError", "1 validation error detected", Config, false, "correct the role's ARN"),
        refusal(403, "RegionDisabledException", "STS is not activated in this Region", Config, false, "enable STS"),
        refusal(400, "Throttling", "Rate exceeded", Credentials, true, later),
        refusal(503, "ServiceUnavailable", "come back", Credentials, true, later),
        refusal(500, "InternalFailure", "oops", Credentials, true, later),
        refusal(400, "BrandNew", "nobody knows", Credentials, false, "check the role"),
        body("HTTP 503 of a load balancer", 503, "<html>down</html>", true, later),
        body("an answer that is none of STS", 200, "<html>welcome</html>", false, "check the role"),
    ]
}

/// Connects with these credentials, or by a role with them.
async fn connect(client: KmsClient, kms: &Kms) -> Error {
    let key = kms.fake.create_key().unwrap();
    KmsSigner::new(client, key, None).await.unwrap_err()
}

#[tokio::test]
async fn each_answer_of_sts_becomes_its_kind_and_says_what_to_do() {
    println!("\n{:<30} {:<13} {:<9} text", "STS", "kind", "retryable");
    let lines = join_all(rows().into_iter().map(|row| async move {
        let (kms, sts, loads) = (Kms::new(), Sts::new(), Loads::default());
        sts.answer(Some(row.answer));
        let key = kms.fake.create_key().unwrap();
        let client = user_of(&kms, &key).assume_role(sts.role()).observer(loads.clone()).build().await.unwrap();
        let error = connect(client, &kms).await;
        let text = error.to_string();
        assert_eq!((error.kind(), error.is_retryable()), (row.kind, row.retryable), "{}: {text}", row.what);
        assert!(text.contains(row.remedy), "{}: {text}", row.what);
        assert!(text.starts_with("GetPublicKey with arn:aws:kms:"), "{text}");
        if let Instead::Refusal(_, code, message) = row.answer {
            assert_eq!((error.code(), error.request_id()), (Some(code), Some(REQUEST_ID)), "{text}");
            assert!(text.contains(&format!("AssumeRole: {message} ({code}, request id {REQUEST_ID})")), "{text}");
        }
        assert!(!error.may_have_signed() && kms.seen().is_empty(), "KMS was asked without credentials");
        assert_eq!(loads.outcomes(), [Outcome::Failure(row.kind)], "{}", row.what);
        // What may be over soon the SDK has tried three times.
        assert_eq!(sts.asked().len(), if row.retryable { 3 } else { 1 }, "{}", row.what);
        format!("{:<30} {:<13} {:<9} {text}", row.what, format!("{:?}", error.kind()), row.retryable)
    }));
    println!("{}", lines.await.join("\n"));
}

#[tokio::test]
async fn an_sts_that_stays_silent_ends_at_the_deadline() {
    let (kms, sts) = (Kms::new(), Sts::new());
    sts.answer(Some(Instead::Silence));
    let key = kms.fake.create_key().unwrap();
    let loads = Loads::default();
    let builder = user_of(&kms, &key).assume_role(sts.role()).operation_timeout(Duration::from_millis(500));
    let error = connect(builder.observer(loads.clone()).build().await.unwrap(), &kms).await;
    assert_eq!((error.kind(), error.is_retryable()), (Credentials, true), "{error}");
    assert_eq!(loads.outcomes(), [Outcome::Cancelled]);
    assert!(error.to_string().contains("no credentials within 500"), "{error}");
    assert!(error.to_string().contains("role"), "{error}");
    sts.answer(None);
    let key = kms.fake.create_key().unwrap();
    let client = user_of(&kms, &key).assume_role(sts.role()).build().await.unwrap();
    KmsSigner::new(client, key, None).await.unwrap();
}

#[tokio::test]
async fn an_sts_that_cannot_be_reached_is_named() {
    let kms = Kms::new();
    let key = kms.fake.create_key().unwrap();
    let role = kms_signer::AssumeRole::new(ROLE).endpoint_url("http://127.0.0.1:1");
    let error = connect(user_of(&kms, &key).assume_role(role).build().await.unwrap(), &kms).await;
    assert_eq!((error.kind(), error.is_retryable()), (Credentials, true), "{error}");
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");
}
