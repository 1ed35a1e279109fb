use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use alloy_primitives::Signature;
use kms_signer::{
    PublicKey,
    fake::{FakeKms, Fault},
};
use lambda_http::{Context, tracing::dispatcher::DefaultGuard};
use serde_json::{Value, json};

use super::*;

const DIGEST: B256 = B256::repeat_byte(0xab);

/// A KMS with one key, and the function for it.
struct Setup {
    fake: FakeKms,
    address: Address,
    function: Function,
}

impl Setup {
    async fn new() -> Self {
        Self::with(None).await
    }

    async fn with_known_key() -> Self {
        Self::with(Some(|key: &PublicKey| key.to_spki_pem())).await
    }

    async fn with(known: Option<fn(&PublicKey) -> String>) -> Self {
        let fake = FakeKms::new();
        let key = fake.create_key().unwrap();
        fake.alias("alias/treasury", &key).unwrap();
        let signer = KmsSigner::new(fake.client(), key, None).await.unwrap();
        let settings = Settings::read(|name| match name {
            "KMS_KEY_ID" => Some("alias/treasury".to_owned()),
            _ => known.map(|text| text(signer.public_key())),
        });
        let client = KmsClient::from(fake.client()).with_operation_timeout(Duration::from_millis(200));
        Self { fake, address: signer.address(), function: Function::new(client, settings.unwrap()) }
    }

    fn body(&self) -> String {
        json!({ "digest": BASE64_STANDARD.encode(DIGEST), "address": self.address }).to_string()
    }

    async fn post(&self, body: impl Into<String>) -> (u16, Value, Option<String>) {
        read(self.function.answer(&Request::new(Body::Text(body.into()))).await)
    }

    async fn status(&self, body: impl Into<String>) -> (u16, String) {
        let (status, json, _) = self.post(body).await;
        assert!(!json["message"].as_str().unwrap().is_empty(), "{json}");
        (status, json["error"].as_str().unwrap().to_owned())
    }

    fn requests(&self) -> usize {
        // One was made to learn the address.
        self.fake.requests().len() - 1
    }
}

/// What this thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing::subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::dispatcher::set_default(&subscriber.into()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(response: Response<Body>) -> (u16, Value, Option<String>) {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let retry_after = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap(), retry_after)
}

#[tokio::test]
async fn a_signature_has_65_bytes_and_recovers() {
    let setup = Setup::new().await;
    let (status, json, _) = setup.post(setup.body()).await;
    assert_eq!(status, 200, "{json}");
    let bytes = hex::decode(json["signature"].as_str().unwrap()).unwrap();
    assert!(bytes.len() == 65 && [27, 28].contains(&bytes[64]), "{json}");
    let signature = Signature::from_raw(&bytes).unwrap();
    assert_eq!(signature.recover_address_from_prehash(&DIGEST).unwrap(), setup.address);
    // API Gateway may pass a body on as base64, which lambda_http reads.
    let binary = Request::new(Body::Binary(setup.body().into_bytes()));
    assert_eq!(setup.function.answer(&binary).await.status(), 200);
}

#[tokio::test]
async fn one_connection_serves_all_invocations() {
    let setup = Setup::new().await;
    setup.function.warm_up().await;
    for _ in 0..3 {
        assert_eq!(setup.post(setup.body()).await.0, 200);
    }
    assert_eq!(setup.requests(), 4);

    let setup = Setup::with_known_key().await;
    setup.function.warm_up().await;
    assert_eq!(setup.requests(), 0);
    assert_eq!(setup.post(setup.body()).await.0, 200);
    assert_eq!(setup.requests(), 1);
    assert_eq!(setup.fake.requests().last().unwrap().operation(), "Sign");
}

#[tokio::test]
async fn a_bad_body_is_refused_before_kms_is_asked() {
    let setup = Setup::new().await;
    let encoded = BASE64_STANDARD.encode(DIGEST);
    let bodies = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("\"{encoded}\""),
        json!({ "digest": encoded }).to_string(),
        json!({ "address": setup.address }).to_string(),
        json!({ "digest": encoded, "address": setup.address, "chain": 1 }).to_string(),
        json!({ "digest": encoded, "address": "0x12" }).to_string(),
        json!({ "digest": 1, "address": setup.address }).to_string(),
        json!([encoded, setup.address]).to_string(),
        json!({ "digest": encoded, "address": setup.address.as_slice() }).to_string(),
        format!("{} {{}}", setup.body()),
        setup.body().replace('{', "{\"digest\":\"\","),
    ];
    let digests = [
        String::new(),
        hex::encode(DIGEST),
        hex::encode_prefixed(DIGEST),
        BASE64_STANDARD.encode([1; 31]),
        BASE64_STANDARD.encode([1; 33]),
        BASE64_STANDARD.encode([1; 64]),
        encoded.trim_end_matches('=').to_owned(),
        format!("{encoded}\n"),
        format!(" {encoded}"),
        // The URL-safe alphabet, and bits that no byte has.
        BASE64_STANDARD.encode([0xff; 32]).replace('/', "_"),
        encoded.replace("s=", "t="),
    ];
    let digests = digests.map(|digest| json!({ "digest": digest, "address": setup.address }).to_string());
    for body in bodies.into_iter().chain(digests) {
        assert_eq!(setup.status(&body).await, (400, "BadRequest".to_owned()), "{body}");
    }
    let not_text = Request::new(Body::Binary(vec![0xff]));
    assert_eq!(setup.function.answer(&not_text).await.status(), 400);
    assert_eq!(setup.requests(), 0);
}

/// Whatever is posted here by mistake is neither answered nor logged.
#[tokio::test]
async fn no_answer_and_no_log_repeats_the_input() {
    let setup = Setup::new().await;
    let (log, _guard) = Log::start();
    let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    let encoded = BASE64_STANDARD.encode(DIGEST);
    for body in [
        secret.to_owned(),
        format!("\"0x{secret}\""),
        json!([secret]).to_string(),
        json!({ "privateKey": secret }).to_string(),
        json!({ secret: 1 }).to_string(),
        json!({ "digest": secret, "address": setup.address }).to_string(),
        json!({ "digest": encoded, "address": secret }).to_string(),
        json!({ "digest": encoded, "address": { "key": secret } }).to_string(),
        json!({ "digest": encoded, "address": setup.address, secret: 1 }).to_string(),
        format!("{{\"digest\": {secret}}}"),
    ] {
        let (status, json, _) = setup.post(&body).await;
        assert_eq!(status, 400, "{json}");
        assert!(!json.to_string().contains("ac0974"), "{json}");
    }
    let log = log.text();
    assert!(log.lines().count() == 10 && !log.contains("ac0974"), "{log}");

    let (_, json, _) = setup.post("{\n\"digest\": 5}").await;
    assert!(json["message"].as_str().unwrap().starts_with("line 2, column 11: "), "{json}");
}

/// Role, account and key are for those who may read the log.
#[tokio::test]
async fn what_aws_says_is_in_the_log_only() {
    let setup = Setup::new().await;
    let (log, _guard) = Log::start();
    let text = "User: arn:aws:sts::111122223333:assumed-role/signer/f is not authorized to perform: kms:Sign";
    setup.fake.inject(Fault::error("AccessDeniedException", 400, text).on("Sign").forever());
    let (status, json, _) = setup.post(setup.body()).await;
    assert_eq!((status, json["error"].as_str()), (403, Some("AccessDenied")), "{json}");
    assert_eq!(json["message"], "the function's role may not use the key");
    assert!(!json.to_string().contains("arn:") && !json.to_string().contains("treasury"), "{json}");
    let log = log.text();
    assert!(log.contains(text) && log.contains(json["request_id"].as_str().unwrap()), "{log}");
}

#[tokio::test]
async fn another_address_is_a_conflict_and_is_not_signed_for() {
    let setup = Setup::with_known_key().await;
    let other = json!({ "digest": BASE64_STANDARD.encode(DIGEST), "address": Address::ZERO }).to_string();
    assert_eq!(setup.status(other).await, (409, "AddressMismatch".to_owned()));
    assert_eq!(setup.requests(), 0);

    let key = setup.fake.create_key().unwrap();
    setup.fake.alias("alias/treasury", &key).unwrap();
    // The alias leads to another key now.
    assert_eq!(setup.status(setup.body()).await, (500, "SignatureMismatch".to_owned()));
}

#[tokio::test]
async fn each_failure_has_its_status() {
    let cases = [
        (Fault::error("AccessDeniedException", 400, "not authorized"), 403, "AccessDenied"),
        (
            Fault::key_id("arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"),
            409,
            "KeyChanged",
        ),
        (Fault::error("ThrottlingException", 400, "Rate exceeded"), 429, "Throttled"),
        (Fault::stall(), 503, "Timeout"),
        (Fault::disconnect(), 503, "Transport"),
        (Fault::error("KMSInternalException", 500, "Internal error"), 503, "Unavailable"),
        (Fault::error("DisabledException", 400, "disabled"), 500, "KeyUnusable"),
        (Fault::error("NotFoundException", 400, "not found"), 500, "KeyNotFound"),
        (Fault::error("ExpiredTokenException", 400, "expired"), 500, "Credentials"),
        (Fault::flipped_bit(), 500, "SignatureMismatch"),
        (Fault::garbage_body(), 500, "InvalidResponse"),
    ];
    for (fault, status, error) in cases {
        let setup = Setup::new().await;
        setup.function.warm_up().await;
        setup.fake.inject(fault.on("Sign").forever());
        let (found, json, retry_after) = setup.post(setup.body()).await;
        assert_eq!((found, json["error"].as_str().unwrap()), (status, error), "{json}");
        assert_eq!(retry_after.as_deref(), (status == 429 || status == 503).then_some("1"), "{json}");
        assert!(!json["message"].as_str().unwrap().is_empty(), "{json}");
        assert!(!json.to_string().contains("arn:") && !json.to_string().contains("treasury"), "{json}");
        assert!(status != 403 || json["request_id"].is_string(), "{json}");
        // A failure is over when its cause is.
        setup.fake.clear_faults();
        assert_eq!(setup.post(setup.body()).await.0, 200);
    }
}

#[tokio::test]
async fn a_start_that_fails_is_not_the_end() {
    for (fault, status) in [
        (Fault::error("KMSInternalException", 500, "Internal error"), 503),
        (Fault::error("AccessDeniedException", 400, "not authorized"), 403),
    ] {
        let setup = Setup::new().await;
        setup.fake.inject(fault.on("GetPublicKey").forever());
        setup.function.warm_up().await;
        assert_eq!(setup.post(setup.body()).await.0, status);
        setup.fake.clear_faults();
        assert_eq!(setup.post(setup.body()).await.0, 200);
    }
}

#[tokio::test]
async fn it_answers_before_lambda_ends_it() {
    let setup = Setup::with_known_key().await;
    setup.fake.inject(Fault::stall().forever());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut context = Context::default();
    context.deadline = (now + MARGIN + Duration::from_millis(50)).as_millis() as u64;
    let request = Request::new(Body::Text(setup.body())).with_lambda_context(context);
    let (status, json, retry_after) = read(setup.function.answer(&request).await);
    assert_eq!((status, json["error"].as_str(), retry_after.as_deref()), (503, Some("Timeout"), Some("1")), "{json}");
    assert!(json["message"].as_str().unwrap().contains("the function's time"), "{json}");
}
