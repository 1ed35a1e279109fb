//! The vault over HTTP, in this process, with keys in FakeKms.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod bounds;
mod callers;
mod config;
mod list;
mod protocol;
mod watermarks;

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use kms_signer::{
    KmsClient,
    alloy_primitives::hex,
    fake::FakeKms,
    keys::{Keys, NewKey},
    tezos::{PublicKey, PublicKeyHash, Signature},
};
use serde_json::Value;
use tezos_vault::{Config, Marks, Server, Service, Vault, discover};

/// Signatory's `request_test.go`: chain `ed9d217c`, level 20,877, round 0.
pub(crate) const ATTESTATION: [u8; 80] = hex!(
    "13ed9d217cfc81eee810737b04018acef4db74d056b79edc43e6be46cae7e4c217c22a82f01500120000518d00000000\
     03e7ea1f67dbb0bb6cfa372cb092cd9cf786b4f1b5e5139da95b915fb95e698d"
);
/// Signatory's `signatory_test.go`.
pub(crate) const TRANSACTION: &[u8] = &hex!(
    "03573a2d2d49a3b9634d1605c3aa48ebdd5d21a5885ad17aa44c2b1d0dbcbcac686c004b415314d2b56b0481a3ae8c992ce8bb\
     8dba0369d086039ecb2dc35000c0843d000076b2f1ea1cf6753888ac5488693977446652d79e00"
);
pub(crate) const DELEGATION: &[u8] = &hex!(
    "03b89591b37be370e3db3fc7f77fdd176c5153f75ddcd239094c7ebeb66ee5e8bd6e002ea14368f6494539861ba04cf8cc946ace12cfd4ea09d89f40f4\
     4e00ff004b415314d2b56b0481a3ae8c992ce8bb8dba0369"
);

pub(crate) const RULES: &str = "
    log_payloads: true
    allowed_operations: [generic, block, preattestation, attestation]
    allowed_kinds: [transaction, reveal]
";

pub(crate) fn attestation(level: u32, round: u32, payload: u8) -> Vec<u8> {
    let mut bytes = ATTESTATION.to_vec();
    bytes[40..44].copy_from_slice(&level.to_be_bytes());
    bytes[44..48].copy_from_slice(&round.to_be_bytes());
    bytes[48..].fill(payload);
    bytes
}

/// A fake with one key on P-256.
pub(crate) struct Kms {
    pub(crate) fake: FakeKms,
    pub(crate) key: PublicKey,
}

impl Kms {
    pub(crate) async fn new(new: NewKey) -> Self {
        let fake = FakeKms::new();
        let key = Keys::new(fake.client()).create(new).await.unwrap();
        let key = PublicKey::from_spki_der(key.spki_der().unwrap()).unwrap();
        Self { fake, key }
    }

    pub(crate) fn hash(&self) -> PublicKeyHash {
        self.key.hash()
    }

    pub(crate) fn vaults(&self) -> Vec<Vault> {
        let client = KmsClient::from(self.fake.client()).with_max_attempts(1);
        vec![Vault { name: "aws".to_owned(), client }]
    }

    /// The rules of the one key, behind what else is in the file.
    pub(crate) fn config(&self, before: &str, rules: &str) -> Config {
        let hash = self.hash();
        let text = format!("{before}\nvaults: {{aws: {{driver: awskms}}}}\ntezos:\n  {hash}: {rules}\n");
        Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    pub(crate) async fn serve(&self, config: Config, marks: Marks) -> Running {
        let found = discover(&self.vaults()).await.unwrap();
        let service = Service::new(config, found, marks).await.unwrap();
        let (listener, utility) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let utility_url = format!("http://{}", utility.local_addr().unwrap());
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let server = Server { service: Arc::new(service), metrics: None };
        let task = tokio::spawn(server.serve(listener, Some(utility), async {
            let _ = ended.await;
        }));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Running { url, utility_url, http, key: self.key.clone(), end, task }
    }

    /// With the usual rules, in memory.
    pub(crate) async fn start(&self) -> Running {
        self.serve(self.config("", RULES), Marks::in_memory()).await
    }
}

/// A server.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) utility_url: String,
    pub(crate) http: reqwest::Client,
    key: PublicKey,
    end: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let answer = self.http.post(format!("{}{path}", self.url)).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Asks for a signature with the key.
    pub(crate) async fn ask(&self, bytes: &[u8]) -> (u16, Value) {
        self.post(&format!("/keys/{}", self.key.hash()), format!("\"{}\"", hex::encode(bytes))).await
    }

    pub(crate) async fn signs(&self, bytes: &[u8]) {
        let (status, answer) = self.ask(bytes).await;
        assert_eq!(status, 200, "{answer}");
        let signature: Signature = answer["signature"].as_str().unwrap().parse().unwrap();
        self.key.verify(bytes, &signature).unwrap();
    }

    /// The message, in the form of octez's errors.
    pub(crate) async fn refuses(&self, bytes: &[u8], status: u16) -> String {
        let answer = self.ask(bytes).await;
        message(&answer, status)
    }

    pub(crate) async fn end(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) fn message((status, answer): &(u16, Value), expected: u16) -> String {
    assert_eq!(*status, expected, "{answer}");
    assert_eq!(answer[0]["id"], "failure");
    assert_eq!(answer[0]["kind"], "temporary");
    answer[0]["msg"].as_str().unwrap().to_owned()
}

/// A folder of its own.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("tezos-vault-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
