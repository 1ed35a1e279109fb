//! The package `lambda` under a local Lambda runtime, the one of `cargo lambda watch`. `cargo build -p lambda` builds the function.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
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
use conformance::{
    endpoint,
    launch::{self, Process},
    target::Target,
};
use kms_signer::{
    KmsSigner,
    fake::{FakeKms, Fault},
};
use serde_json::{Value, json};

const DIGEST: B256 = B256::repeat_byte(0x5a);

/// A function in a runtime. It ends first.
struct Lambda {
    http: reqwest::Client,
    _function: Process,
    runtime: Runtime,
}

impl Lambda {
    async fn start(kms: &str, key: &str, public_key: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let runtime = Runtime::start(&http).await;
        let mut command = launch::program("lambda", kms);
        command
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{}/.rt", runtime.address))
            .env("AWS_LAMBDA_FUNCTION_NAME", "_")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("KMS_KEY_ID", key);
        if let Some(public_key) = public_key {
            command.env("KMS_PUBLIC_KEY", public_key);
        }
        Self { http, _function: Process::start(&mut command), runtime }
    }

    /// By its URL, as an API of API Gateway passes it on.
    async fn post(&self, body: String) -> (u16, Value) {
        let answer = self
            .http
            .post(format!("http://{}/lambda-url/_/sign", self.runtime.address))
            .body(body)
            .send()
            .await
            .unwrap();
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
        let url = format!("http://{}/2015-03-31/functions/_/invocations", self.runtime.address);
        let answer: Value = self.http.post(url).json(&event).send().await.unwrap().json().await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap() as u16, body)
    }
}

struct Runtime {
    address: SocketAddr,
    process: Process,
    project: Project,
}

impl Runtime {
    /// Starts one on a free port, and on another where somebody else was quicker to take it.
    async fn start(http: &reqwest::Client) -> Self {
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            if let Some(runtime) = Self::start_at(port, http).await {
                return runtime;
            }
        }
        panic!("no runtime stays alive");
    }

    /// None if it ends, as it does where the port is taken.
    async fn start_at(port: u16, http: &reqwest::Client) -> Option<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let project = Project::new();
        // With --only-lambda-apis it builds nothing: the function is started by this test, as it was built.
        let process = Process::start(
            Command::new(endpoint("CARGO_LAMBDA"))
                .args(["lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()])
                .args(["--only-lambda-apis", "--ignore-changes"])
                .current_dir(&project.folder),
        );
        let mut runtime = Self { address, process, project };
        let begun = Instant::now();
        while !runtime.process.has_ended() {
            if runtime.answers(http).await {
                return Some(runtime);
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "the runtime does not answer at {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Whether it is this one that answers, and nobody else who has the port.
    async fn answers(&self, http: &reqwest::Client) -> bool {
        let url = format!("http://{}/2015-03-31/functions/nobody/invocations", self.address);
        let Ok(answer) = http.post(url).timeout(Duration::from_secs(1)).body("{}").send().await else { return false };
        answer.text().await.is_ok_and(|text| text.contains(&self.project.name))
    }
}

/// An empty project for a runtime, which names the project's program when it is asked for one that there is not.
struct Project {
    name: String,
    folder: PathBuf,
}

impl Project {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("runtime-{}-{}-test", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(folder.join("src")).unwrap();
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n");
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        std::fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
        Self { name, folder }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
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
#[ignore = "needs CARGO_LAMBDA, installed by tests/stack.sh"]
async fn a_port_that_somebody_else_has_is_not_mistaken_for_the_runtime() {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let other = Runtime::start(&http).await;
    assert!(Runtime::start_at(other.address.port(), &http).await.is_none());
    // Nor is a runtime that ends with its test left behind.
    let address = other.address;
    drop(other);
    TcpListener::bind(address).unwrap();
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
