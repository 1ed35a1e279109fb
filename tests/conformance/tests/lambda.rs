//! The package `lambda` under a local Lambda runtime, the one of `cargo lambda watch`. `cargo build -p lambda` builds the function.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Signature};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use conformance::{endpoint, target::Target};
use kms_signer::{
    KmsSigner,
    fake::{FakeKms, Fault},
};
use serde_json::{Value, json};

const DIGEST: B256 = B256::repeat_byte(0x5a);

/// A process that is ended with the test, whatever its outcome.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A runtime with one function.
struct Lambda {
    address: SocketAddr,
    http: reqwest::Client,
    _function: Process,
    _runtime: Process,
}

impl Lambda {
    async fn start(kms: &str, key: &str, public_key: Option<&str>) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // With --only-lambda-apis it builds nothing: the function is started below, as it was built.
        let mut runtime = Process::start(
            Command::new(endpoint("CARGO_LAMBDA"))
                .args(["lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()])
                .args(["--only-lambda-apis", "--ignore-changes"]),
        );
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(runtime.0.try_wait().unwrap().is_none(), "the runtime has ended");
            assert!(begun.elapsed() < Duration::from_secs(30), "the runtime does not listen at {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }

        let test = std::env::current_exe().unwrap();
        let path: PathBuf = test.ancestors().nth(2).unwrap().join("lambda");
        assert!(path.exists(), "{} is missing; run cargo build -p lambda", path.display());
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{address}/.rt"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "_")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_ENDPOINT_URL", kms)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("KMS_KEY_ID", key);
        if let Some(public_key) = public_key {
            command.env("KMS_PUBLIC_KEY", public_key);
        }
        let function = Process::start(&mut command);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { address, http, _function: function, _runtime: runtime }
    }

    /// By its URL, as an API of API Gateway passes it on.
    async fn post(&self, body: String) -> (u16, Value) {
        let answer =
            self.http.post(format!("http://{}/lambda-url/_/sign", self.address)).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The event of a REST API's proxy integration, its body in base64.
    async fn invoke(&self, body: String) -> (u16, Value) {
        let event = json!({
            "resource": "/sign", "path": "/sign", "httpMethod": "POST",
            "headers": {"content-type": "application/json"}, "multiValueHeaders": {},
            "requestContext": {"httpMethod": "POST", "path": "/prod/sign", "stage": "prod"},
            "body": BASE64_STANDARD.encode(body), "isBase64Encoded": true,
        });
        let url = format!("http://{}/2015-03-31/functions/_/invocations", self.address);
        let answer: Value = self.http.post(url).json(&event).send().await.unwrap().json().await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap() as u16, body)
    }
}

fn body(address: Address) -> String {
    json!({ "digest": BASE64_STANDARD.encode(DIGEST), "address": address }).to_string()
}

#[track_caller]
fn assert_signed((status, answer): (u16, Value), address: Address) {
    assert_eq!(status, 200, "{answer}");
    let text = answer["signature"].as_str().unwrap();
    assert!(text.len() == 2 + 2 * 65 && (text.ends_with("1b") || text.ends_with("1c")), "{text}");
    let signature: Signature = text.parse().unwrap();
    assert_eq!(signature.recover_address_from_prehash(&DIGEST).unwrap(), address);
}

#[track_caller]
fn assert_refused((status, answer): (u16, Value), expected: u16, error: &str) {
    assert_eq!((status, answer["error"].as_str()), (expected, Some(error)), "{answer}");
}

/// Serves a fake over HTTP on loopback.
async fn serve(fake: &FakeKms) -> String {
    async fn answer(State(fake): State<FakeKms>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        fake.handle(Request::from_parts(parts, bytes)).await.map(Body::from)
    }
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test]
#[ignore = "needs CARGO_LAMBDA, installed by tests/stack.sh"]
async fn a_known_key_makes_one_request_in_all_and_failures_have_their_status() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let signer = KmsSigner::new(fake.client(), &key, None).await.unwrap();
    let (address, public_key) = (signer.address(), BASE64_STANDARD.encode(signer.public_key().to_spki_der()));
    let url = serve(&fake).await;

    let before = fake.requests().len();
    let lambda = Lambda::start(&url, key.as_ref(), Some(&public_key)).await;
    assert_signed(lambda.post(body(address)).await, address);
    let made: Vec<String> = fake.requests()[before..].iter().map(|made| made.operation().to_owned()).collect();
    assert_eq!(made, ["Sign"]);
    assert_signed(lambda.invoke(body(address)).await, address);

    assert_refused(lambda.post("{}".to_owned()).await, 400, "BadRequest");
    assert_refused(lambda.invoke(String::new()).await, 400, "BadRequest");
    let short = json!({ "digest": BASE64_STANDARD.encode([1; 31]), "address": address }).to_string();
    assert_refused(lambda.post(short).await, 400, "BadRequest");
    let hexadecimal = json!({ "digest": DIGEST, "address": address }).to_string();
    assert_refused(lambda.post(hexadecimal).await, 400, "BadRequest");
    assert_refused(lambda.post(body(Address::ZERO)).await, 409, "AddressMismatch");
    assert_eq!(fake.requests().len(), before + 2, "refused without KMS");

    for (fault, status, error) in [
        (Fault::error("AccessDeniedException", 400, "not authorized"), 403, "AccessDenied"),
        (Fault::error("ThrottlingException", 400, "Rate exceeded"), 429, "Throttled"),
        (Fault::error("KMSInternalException", 500, "Internal error"), 503, "Unavailable"),
    ] {
        fake.inject(fault.on("Sign").forever());
        assert_refused(lambda.post(body(address)).await, status, error);
        fake.clear_faults();
    }
    assert_signed(lambda.post(body(address)).await, address);
}

#[tokio::test]
#[ignore = "needs CARGO_LAMBDA and KMS_ENDPOINT, installed and started by tests/stack.sh"]
async fn a_key_of_an_emulator_signs() {
    let kms = endpoint("KMS_ENDPOINT");
    let target = Target::ministack(&kms).await;
    let alias = target.alias(&target.signing_key().await).await;
    let address = target.signer(&alias).await.unwrap().address();
    let lambda = Lambda::start(&kms, &alias, None).await;
    for _ in 0..3 {
        assert_signed(lambda.post(body(address)).await, address);
        assert_signed(lambda.invoke(body(address)).await, address);
    }
    assert_refused(lambda.post(body(Address::ZERO)).await, 409, "AddressMismatch");
}
