//! A server to ask, and the asking.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use alloy_primitives::Address;
use kms_signer::{
    KmsClient, KmsSigner,
    fake::FakeKms,
    guard::{AuditLog, Guard},
};
use remote_signer::{
    Account, Caller, Callers, Fingerprint, Forwarding, Health, Key, Limits, Server, Service, Upstream,
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

pub(crate) const RULES: &str = r#"
[[transactions]]
name = "small transfers"
chain_ids = [31337]
to = "any"
max_value = "0.1 ether"
max_gas_limit = 100000
max_fee_per_gas = "200 gwei"

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

pub(crate) const TO: Address = Address::repeat_byte(0x42);

/// A server with two callers, `a` with the token `token-a` and the keys 0 and 1, `b` with `token-b` and the key 2.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) fake: FakeKms,
    pub(crate) accounts: Vec<Address>,
    pub(crate) http: reqwest::Client,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) upstream: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) forward: Vec<String>,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// Of caller `b`.
    pub(crate) certificate: Option<Fingerprint>,
    pub(crate) chain_id: Option<u64>,
    /// A third caller, whoever shows nothing, with the key 0.
    pub(crate) anonymous: bool,
    pub(crate) audit: Option<std::path::PathBuf>,
    pub(crate) kms_timeout: Option<Duration>,
}

impl Setup {
    pub(crate) async fn start(self) -> Running {
        let fake = FakeKms::new();
        let client =
            KmsClient::from(fake.client()).with_operation_timeout(self.kms_timeout.unwrap_or(Duration::from_secs(10)));
        let mut keys = Vec::new();
        for name in ["0", "1", "2"] {
            let signer = KmsSigner::new(client.clone(), fake.create_key().unwrap(), None).await.unwrap();
            keys.push(Key::new(name, signer));
        }
        let accounts: Vec<Address> = keys.iter().map(|key| key.address()).collect();
        let audit = self.audit.as_ref().map(|path| AuditLog::open(path).unwrap());
        let account = |place: usize, caller: &str| {
            Account::new(&keys[place], caller, Guard::from_toml(RULES).unwrap(), audit.as_ref())
        };
        let token = |text: &str| Some(Fingerprint::of(text.as_bytes()));
        let mut callers = vec![
            Caller::new("a", vec![account(0, "a"), account(1, "a")]).with_token(token("token-a")),
            Caller::new("b", vec![account(2, "b")]).with_token(token("token-b")).with_certificate(self.certificate),
        ];
        if self.anonymous {
            callers.push(Caller::new("c", vec![account(0, "c")]));
        }
        let limits = self.limits;
        let upstream = self.upstream.map(|url| {
            Upstream::new(&url, Duration::from_secs_f64(limits.upstream_seconds), limits.upstream_bytes).unwrap()
        });
        let service = Service::new(keys, Callers::new(callers).unwrap())
            .with_upstream(upstream)
            .with_chain_id(self.chain_id)
            .with_forwarding(Forwarding::also(self.forward).unwrap())
            .with_bounds(limits.batch, limits.upstream_bytes);
        let service = Arc::new(service);
        let tls = self.tls;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let health = Health::new(service.clone(), audit);
        let server = Server { health, service, metrics: None, tls, behind_proxy: false, limits, clients: vec![client] };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(server.serve(listener, async {
            let _ = ended.await;
        }));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Running { url: format!("{scheme}://{address}"), address, fake, accounts, http, end: Some(end), task }
    }

    pub(crate) async fn with_node(url: &str) -> Running {
        Self { upstream: Some(url.to_owned()), ..Self::default() }.start().await
    }
}

impl Running {
    /// A body as it is, with a token, and what comes back: the status and the body.
    pub(crate) async fn post(&self, token: &str, body: impl Into<String>) -> (u16, String) {
        let request = self.http.post(&self.url).bearer_auth(token).header("content-type", "application/json");
        let answer = request.body(body.into()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// One call, answered with 200.
    pub(crate) async fn call(&self, token: &str, method: &str, params: Value) -> Result<Value, (i64, String, Value)> {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let (status, answer) = self.post(token, body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
        match answer.get("error") {
            None => Ok(answer["result"].take()),
            Some(error) => Err((
                error["code"].as_i64().unwrap(),
                error["message"].as_str().unwrap().to_owned(),
                error.get("data").cloned().unwrap_or_default(),
            )),
        }
    }

    pub(crate) async fn a(&self, method: &str, params: Value) -> Result<Value, (i64, String, Value)> {
        self.call("token-a", method, params).await
    }

    pub(crate) async fn code(&self, method: &str, params: Value) -> i64 {
        self.a(method, params).await.unwrap_err().0
    }

    pub(crate) fn signatures(&self) -> usize {
        self.fake.requests().iter().filter(|request| request.operation() == "Sign").count()
    }

    /// Tells it to end.
    pub(crate) fn end(&mut self) {
        let _ = self.end.take().unwrap().send(());
    }

    /// Waits until it has.
    pub(crate) async fn ended(self) {
        self.task.await.unwrap().unwrap();
    }
}
