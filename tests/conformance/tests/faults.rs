//! What a fault proxy between client and KMS does, and what kind of error it becomes.

use std::time::Duration;

use alloy_signer::Signer;
use conformance::{endpoint, target::Target};
use kms_signer::{Error, ErrorKind, KmsClient, KmsSigner};
use serde_json::{Value, json};

struct Proxy {
    endpoint: String,
    http: reqwest::Client,
}

impl Proxy {
    fn new() -> Self {
        Self { endpoint: endpoint("KMS_FAULTS_ENDPOINT"), http: reqwest::Client::new() }
    }

    /// Replaces the proxy's rules by one for `Sign`, or by none.
    async fn rule(&self, rule: Option<Value>) {
        let rules: Vec<Value> = rule
            .into_iter()
            .map(|mut rule| {
                rule["service"] = json!("kms");
                rule["operation"] = json!("Sign");
                rule
            })
            .collect();
        let url = format!("{}/_microburst/rules", self.endpoint);
        self.http.post(url).json(&rules).send().await.unwrap().error_for_status().unwrap();
    }
}

/// One test, in order: the rules are the proxy's and not a connection's.
#[tokio::test]
#[ignore = "needs KMS_FAULTS_ENDPOINT, started by tests/stack.sh"]
async fn each_becomes_its_kind_or_is_survived() {
    let proxy = Proxy::new();
    proxy.rule(None).await;
    let target = Target::ministack(&proxy.endpoint).await;
    let arn = target.signing_key().await;
    let patient = KmsSigner::new(target.sdk(), &arn, None).await.unwrap();
    let impatient = KmsClient::from(target.sdk())
        .with_max_attempts(1)
        .with_attempt_timeout(Duration::from_secs(1))
        .with_operation_timeout(Duration::from_secs(1));
    let impatient = KmsSigner::builder(impatient, &arn).connect().await.unwrap();
    // The first call through the proxy takes seconds.
    patient.sign_message(b"x").await.unwrap();

    let error = |code: &str, status: u16| json!({"error": {"code": code, "status": status, "message": "injected"}});
    // rule, kind, may have signed, survived by retrying
    let cases = [
        (error("ThrottlingException", 400), ErrorKind::Throttled, false, true),
        (error("KMSInternalException", 500), ErrorKind::Unavailable, true, true),
        (error("DependencyTimeoutException", 503), ErrorKind::Unavailable, true, true),
        (error("KeyUnavailableException", 500), ErrorKind::Unavailable, true, true),
        (error("AccessDeniedException", 400), ErrorKind::AccessDenied, false, false),
        (error("ExpiredTokenException", 400), ErrorKind::Credentials, false, false),
        (error("UnrecognizedClientException", 400), ErrorKind::Credentials, false, false),
        (error("DisabledException", 400), ErrorKind::KeyUnusable, false, false),
        (error("KMSInvalidStateException", 400), ErrorKind::KeyUnusable, false, false),
        (error("InvalidKeyUsageException", 400), ErrorKind::KeyUnsuitable, false, false),
        (error("NotFoundException", 400), ErrorKind::KeyNotFound, false, false),
        (json!({"reset": true}), ErrorKind::Transport, true, true),
        (json!({"response": {"abort_frac": 0.5}}), ErrorKind::Transport, true, true),
        (json!({"response": {"truncate_frac": 0.5}}), ErrorKind::InvalidResponse, true, false),
        (json!({"timeout_ms": 2000}), ErrorKind::Timeout, true, true),
    ];
    println!("\n{:<90} one attempt        with retries", "fault of the proxy");
    for (rule, kind, may_have_signed, survived) in cases {
        let mut once = rule.clone();
        once["times"] = json!(1);

        proxy.rule(Some(once.clone())).await;
        let error = impatient.sign_message(b"x").await.unwrap_err();
        let error = Error::find(&error).unwrap();
        assert_eq!(error.kind(), kind, "{rule}: {error}");
        assert_eq!(error.may_have_signed(), may_have_signed, "{rule}: {error}");

        proxy.rule(Some(once)).await;
        let outcome = patient.sign_message(b"x").await;
        assert_eq!(outcome.is_ok(), survived, "{rule}: {outcome:?}");
        if let Ok(signature) = outcome {
            assert_eq!(signature.recover_address_from_msg("x").unwrap(), patient.address());
        }
        let end = if survived { "survived" } else { "reported" };
        println!("{:<90} {:<18} {end}", rule.to_string(), format!("{kind:?}"));
    }

    // Slow is not broken.
    proxy.rule(Some(json!({"latency": {"min_ms": 300, "max_ms": 400}}))).await;
    patient.sign_message(b"x").await.unwrap();
    proxy.rule(None).await;
}
