//! What a fault proxy between client and KMS does, and what becomes of it: at `GetPublicKey` and at `Sign`, with a client
//! that tries once and with a patient one.

use std::time::{Duration, Instant};

use alloy_primitives::B256;
use alloy_signer::Signer;
use conformance::{endpoint, target::Target};
use kms_signer::{
    Error,
    ErrorKind::{self, *},
    KmsClient, KmsSigner, Operation,
};
use serde_json::{Value, json};

const DIGEST: B256 = B256::repeat_byte(0x5a);
/// The time of the client that tries once.
const SHORT: Duration = Duration::from_secs(1);
/// How many answers are corrupted at random.
const CORRUPTED: usize = 50;

struct Proxy {
    endpoint: String,
    http: reqwest::Client,
}

impl Proxy {
    fn new() -> Self {
        Self { endpoint: endpoint("KMS_FAULTS_ENDPOINT"), http: reqwest::Client::new() }
    }

    fn rules(&self) -> String {
        format!("{}/_microburst/rules", self.endpoint)
    }

    async fn clear(&self) {
        self.http.post(self.rules()).json(&json!([])).send().await.unwrap().error_for_status().unwrap();
    }

    /// Replaces the proxy's rules by this one, for one request of one operation.
    async fn once(&self, rule: &Value, operation: Operation) {
        let mut rule = rule.clone();
        rule["service"] = json!("kms");
        rule["operation"] = json!(operation.to_string());
        rule["times"] = json!(1);
        let answer = self.http.post(self.rules()).json(&json!([rule])).send().await.unwrap();
        let understood: Value = answer.error_for_status().unwrap().json().await.unwrap();
        // The proxy passes over words it does not know, and the rule then does nothing.
        assert!(is_in(&rule, &understood[0]), "of {rule} the proxy understands {understood}");
    }

    /// Whether the rule has met its request.
    async fn has_fired(&self) -> bool {
        let rules: Value = self.http.get(self.rules()).send().await.unwrap().json().await.unwrap();
        rules[0]["fired_count"] == 1
    }
}

/// Whether everything that is said in one is said in the other.
fn is_in(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| is_in(part, whole)))
        }
        (Value::Number(part), Value::Number(whole)) => part.as_f64() == whole.as_f64(),
        _ => part == whole,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Fails { kind: ErrorKind, may_have_signed: bool, survived: bool },
}

/// Nothing was signed, and trying again is useless.
fn refused(kind: ErrorKind) -> Outcome {
    Outcome::Fails { kind, may_have_signed: false, survived: false }
}

/// Nothing was signed, and the next attempt may succeed.
fn not_now(kind: ErrorKind) -> Outcome {
    Outcome::Fails { kind, may_have_signed: false, survived: true }
}

/// Nobody knows what became of the request, and the next attempt may succeed.
fn lost(kind: ErrorKind) -> Outcome {
    Outcome::Fails { kind, may_have_signed: true, survived: true }
}

/// An answer that is not to be used.
fn discarded(kind: ErrorKind) -> Outcome {
    Outcome::Fails { kind, may_have_signed: true, survived: false }
}

/// Rules of the proxy, and what is to become of them at `Sign`. At `GetPublicKey` it is the same, and nothing is signed.
fn rows() -> Vec<(Value, Outcome)> {
    let code = |code: &str, status: u16| json!({"error": {"code": code, "status": status, "message": "injected"}});
    // The status that the API's model has, else 400.
    let modelled = |code: &str| json!({"error": {"code": code}});
    vec![
        (modelled("DependencyTimeoutException"), lost(Unavailable)),
        (code("DependencyTimeoutException", 503), lost(Unavailable)),
        (modelled("DisabledException"), refused(KeyUnusable)),
        (code("DisabledException", 409), refused(KeyUnusable)),
        (code("DryRunOperationException", 412), refused(Other)),
        (code("InvalidArnException", 400), refused(InvalidKeyRef)),
        (code("InvalidGrantTokenException", 400), refused(Config)),
        (code("InvalidKeyUsageException", 400), refused(KeyUnsuitable)),
        (code("KeyUnavailableException", 500), lost(Unavailable)),
        (code("KMSInternalException", 500), lost(Unavailable)),
        (code("KMSInvalidStateException", 400), refused(KeyUnusable)),
        (modelled("NotFoundException"), refused(KeyNotFound)),
        (code("NotFoundException", 404), refused(KeyNotFound)),
        (code("UnsupportedOperationException", 400), refused(KeyUnsuitable)),
        (code("ThrottlingException", 400), not_now(Throttled)),
        (code("ThrottlingException", 503), not_now(Throttled)),
        (code("AccessDeniedException", 400), refused(AccessDenied)),
        (code("AccessDeniedException", 403), refused(AccessDenied)),
        (code("ExpiredTokenException", 400), refused(Credentials)),
        (code("UnrecognizedClientException", 400), refused(Credentials)),
        (code("InvalidSignatureException", 400), refused(Credentials)),
        (code("SignatureDoesNotMatch", 403), refused(Credentials)),
        (
            json!({"error": {"code": "InvalidSignatureException", "status": 400, "message": "Signature expired: x"}}),
            not_now(Config),
        ),
        (code("RequestTimeTooSkewed", 403), not_now(Config)),
        (code("ValidationException", 400), refused(Other)),
        (code("ServiceUnavailable", 503), lost(Unavailable)),
        (code("InternalError", 500), lost(Unavailable)),
        (code("BrandNewException", 400), refused(Other)),
        (code("BrandNewException", 503), lost(Unavailable)),
        (json!({"reset": true}), lost(Transport)),
        (json!({"request": {"cut_upload": {"after_bytes": 10}}}), lost(Transport)),
        (json!({"response": {"abort_frac": 0}}), lost(Transport)),
        (json!({"response": {"abort_frac": 0.5}}), lost(Transport)),
        (json!({"response": {"truncate_frac": 0}}), discarded(InvalidResponse)),
        (json!({"response": {"truncate_frac": 0.5}}), discarded(InvalidResponse)),
        (json!({"response": {"truncate_frac": 0.95}}), discarded(InvalidResponse)),
        (json!({"response": {"bandwidth_kbps": 0.05}}), lost(Timeout)),
        (json!({"response": {"set_headers": {"content-type": "text/html"}}}), Outcome::Accepted),
        (json!({"response": {"strip_headers": ["content-type", "x-amzn-requestid", "date"]}}), Outcome::Accepted),
        (json!({"latency": {"min": 300, "max": 400}}), Outcome::Accepted),
        (json!({"latency": {"min": 2000, "max": 2000}}), lost(Timeout)),
        // Held, then HTTP 504 with a code: in time for the one, too late for the other.
        (json!({"timeout_ms": 100}), lost(Timeout)),
        (json!({"timeout_ms": 2000}), lost(Timeout)),
    ]
}

/// What an error says, wherever alloy has put it.
#[derive(Debug)]
struct Facts {
    kind: ErrorKind,
    may_have_signed: bool,
    is_retryable: bool,
    #[expect(dead_code, reason = "shown where a row fails")]
    text: String,
}

fn facts(error: &(dyn std::error::Error + 'static)) -> Facts {
    let error = Error::find(error).unwrap();
    Facts {
        kind: error.kind(),
        may_have_signed: error.may_have_signed(),
        is_retryable: error.is_retryable(),
        text: error.to_string(),
    }
}

/// Connects or signs with this client. A signature that comes back is the right one.
async fn call(client: &KmsClient, known: &KmsSigner, operation: Operation) -> Result<(), Facts> {
    let signer = KmsSigner::builder(client, known.key()).expected_address(known.address());
    if operation == Operation::GetPublicKey {
        return signer.connect().await.map(drop).map_err(|error| facts(&error));
    }
    let signer = signer.public_key(known.public_key().clone()).connect().await.unwrap();
    let signature = signer.sign_hash(&DIGEST).await.map_err(|error| facts(&error))?;
    assert_eq!(signature.recover_address_from_prehash(&DIGEST).unwrap(), known.address());
    Ok(())
}

/// One test, in order: the rules are the proxy's and not a connection's.
#[tokio::test]
#[ignore = "needs KMS_FAULTS_ENDPOINT, started by tests/stack.sh"]
async fn each_becomes_its_kind_or_is_survived() {
    let proxy = Proxy::new();
    proxy.clear().await;
    let target = Target::ministack(&proxy.endpoint).await;
    let arn = target.signing_key().await;
    let patient = KmsClient::from(target.sdk());
    let once = patient.clone().with_max_attempts(1).with_attempt_timeout(SHORT).with_operation_timeout(SHORT);
    // The first call through the proxy takes seconds.
    let known = KmsSigner::new(&patient, &arn, None).await.unwrap();
    known.sign_message(b"x").await.unwrap();

    println!("\n{:<92} {:<13} {:<16} {:<4} with retries", "fault of the proxy", "operation", "one attempt", "may");
    for (rule, expected) in rows() {
        for operation in [Operation::GetPublicKey, Operation::Sign] {
            let case = format!("{rule} at {operation}");
            proxy.once(&rule, operation).await;
            let started = Instant::now();
            let first = call(&once, &known, operation).await;
            assert!(started.elapsed() < SHORT * 3, "{case} took {:?}", started.elapsed());
            assert!(proxy.has_fired().await, "{case}: the proxy did nothing");

            proxy.once(&rule, operation).await;
            let second = call(&patient, &known, operation).await;
            assert!(proxy.has_fired().await, "{case}: the proxy did nothing");

            let seen = match &first {
                Ok(()) => Outcome::Accepted,
                Err(Facts { kind, may_have_signed, .. }) => {
                    Outcome::Fails { kind: *kind, may_have_signed: *may_have_signed, survived: second.is_ok() }
                }
            };
            let expected = match expected {
                Outcome::Fails { kind, survived, .. } if operation == Operation::GetPublicKey => {
                    Outcome::Fails { kind, may_have_signed: false, survived }
                }
                expected => expected,
            };
            assert_eq!(seen, expected, "{case}: {first:?}, with retries {second:?}");
            let (kind, may, end) = match seen {
                Outcome::Accepted => ("none".to_owned(), "–", "not needed"),
                Outcome::Fails { kind, may_have_signed, survived } => (
                    format!("{kind:?}"),
                    if may_have_signed { "yes" } else { "no" },
                    if survived { "survived" } else { "reported" },
                ),
            };
            println!("{:<92} {:<13} {kind:<16} {may:<4} {end}", rule.to_string(), operation.to_string());
        }
    }
    for operation in [Operation::GetPublicKey, Operation::Sign] {
        let refused = corrupt(&proxy, &once, &known, operation).await;
        println!("of {CORRUPTED} answers of {operation} with one byte inverted {refused} were refused");
        assert!(refused > 0);
    }
    proxy.clear().await;
}

/// The proxy inverts some byte of each answer. Whatever that makes of it, no wrong signature and no wrong key comes back.
async fn corrupt(proxy: &Proxy, client: &KmsClient, known: &KmsSigner, operation: Operation) -> usize {
    let mut refused = 0;
    for _ in 0..CORRUPTED {
        proxy.once(&json!({"response": {"corrupt_bytes": 1}}), operation).await;
        if let Err(error) = call(client, known, operation).await {
            assert_eq!(error.may_have_signed, operation == Operation::Sign, "{error:?}");
            assert!(!error.is_retryable, "{error:?}");
            refused += 1;
        }
        assert!(proxy.has_fired().await);
    }
    refused
}
