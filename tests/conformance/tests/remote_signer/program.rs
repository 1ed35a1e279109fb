//! The program, its configuration, and a KMS for it.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use conformance::launch::{self, Process};
use kms_signer::fake::FakeKms;

pub struct Program {
    process: Process,
    pub url: String,
    /// What the demo says its address is.
    pub address: Option<String>,
}

impl Program {
    /// Starts it on a free port, and waits until it says which.
    pub fn start(kms: &str, arguments: &[&str]) -> Self {
        let mut command = launch::program("remote-signer", kms);
        command.args(arguments).args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "warn,kms_signer=error");
        let mut process = Process::start(command.stdout(Stdio::piped()));
        let lines = process.lines();
        let url = lines.wait();
        let address =
            arguments.contains(&"--demo").then(|| lines.wait().strip_prefix("address").unwrap().trim().to_owned());
        Self { process, url, address }
    }

    pub fn signal(&mut self, name: &str) -> ExitStatus {
        self.process.signal(name)
    }
}

/// A folder that goes when the test does.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kms-signer-remote-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const RULES: &str = r#"
[[transactions]]
name = "transfers"
chain_ids = [31337]
to = "any"
max_value = "1000 ether"
max_gas_limit = 21000
max_fee_per_gas = "200 gwei"

[[limits]]
name = "a day"
window = "24h"
total = "1000 ether"

[[messages]]
name = "greetings"
prefixes = ["hello"]

[[typed_data]]
name = "mail"
domain_names = ["Ether Mail"]
domain_versions = "any"
chain_ids = [1]
verifying_contracts = "any"
primary_types = ["Mail"]
"#;

/// A configuration for a key and two callers, whose tokens are `one` and `two`.
pub fn config(folder: &Folder, key: &str, more: &str, audited: bool) -> PathBuf {
    // Limits are not taken without an audit file, which would be empty after each restart.
    let rules = if audited { RULES.to_owned() } else { without_limits(RULES) };
    std::fs::write(folder.path("one.toml"), rules).unwrap();
    let audit = if audited { "[audit]\nfile = \"audit.jsonl\"" } else { "" };
    let text = format!(
        r#"{more}
{audit}

[[keys]]
name = "key"
key = "{key}"

[[callers]]
name = "one"
token_sha256 = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
keys = ["key"]
rules = "one.toml"

[[callers]]
name = "two"
token_sha256 = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
keys = ["key"]
rules.messages = [{{ name = "two", exact = ["two"] }}]
"#
    );
    let path = folder.path("config.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn without_limits(rules: &str) -> String {
    let is_limit = |table: &&str| !table.starts_with("[limits]]");
    rules.split("\n[").filter(is_limit).collect::<Vec<_>>().join("\n[")
}

/// A KMS on loopback with one key, that counts its signatures.
pub struct Kms {
    pub url: String,
    pub key: String,
    signatures: Arc<AtomicUsize>,
}

impl Kms {
    pub async fn start() -> Self {
        let (fake, signatures) = (FakeKms::new(), Arc::<AtomicUsize>::default());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = fake.create_key().unwrap().to_string();
        let app = Router::new().fallback(answer).with_state((fake, signatures.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, key, signatures }
    }

    pub fn signatures(&self) -> usize {
        self.signatures.load(Ordering::SeqCst)
    }
}

async fn answer(State((fake, signatures)): State<(FakeKms, Arc<AtomicUsize>)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.headers["x-amz-target"] == "TrentService.Sign" {
        signatures.fetch_add(1, Ordering::SeqCst);
    }
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    fake.handle(Request::from_parts(parts, bytes)).await.map(Body::from)
}
