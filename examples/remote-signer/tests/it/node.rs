//! A node that takes transactions, counts nonces and can be made to fail.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy_consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, Bytes};
use axum::{Router, body::Bytes as Body, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const CHAIN: u64 = 31337;

#[derive(Clone, Default)]
pub(crate) struct Node(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    calls: Vec<(String, Value)>,
    nonces: HashMap<Address, u64>,
    taken: Vec<TxEnvelope>,
    answers: HashMap<String, Value>,
    /// Methods that are carried out, and whose answer is lost on the way.
    lost: Vec<String>,
    delay: Duration,
}

pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Running {
    /// Refuses connections from now on.
    pub(crate) async fn end(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Node {
    pub(crate) async fn start() -> Running {
        let node = Self::default();
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://user:pass-word@{}/v3/api-key", listener.local_addr().unwrap());
        let app = Router::new().route("/v3/api-key", post(answer)).with_state(node.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Running { node, url, task }
    }

    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().calls.clone()
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        self.calls().into_iter().map(|(method, _)| method).collect()
    }

    pub(crate) fn taken(&self) -> Vec<TxEnvelope> {
        self.0.lock().unwrap().taken.clone()
    }

    /// Answers a method with this from now on: an object with `result` or `error`, or a text that is no JSON-RPC.
    pub(crate) fn set(&self, method: &str, answer: Value) {
        self.0.lock().unwrap().answers.insert(method.to_owned(), answer);
    }

    pub(crate) fn reset(&self, method: &str) {
        let mut node = self.0.lock().unwrap();
        node.answers.remove(method);
        node.lost.retain(|lost| lost != method);
    }

    /// Carries a method out from now on, and has something else answer.
    pub(crate) fn lose(&self, method: &str) {
        self.0.lock().unwrap().lost.push(method.to_owned());
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }
}

async fn answer(State(Node(node)): State<Node>, body: Body) -> String {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let method = request["method"].as_str().unwrap().to_owned();
    let params = request["params"].clone();
    let delay = node.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let mut node = node.lock().unwrap();
    node.calls.push((method.clone(), params.clone()));
    if node.lost.contains(&method) {
        node.answer(&method, &params);
        return "<html>502 Bad Gateway</html>".to_owned();
    }
    let mut outcome = match node.answers.get(&method) {
        Some(Value::String(text)) => return text.clone(),
        Some(answer) => answer.clone(),
        None => node.answer(&method, &params),
    };
    outcome["jsonrpc"] = "2.0".into();
    outcome["id"] = request["id"].clone();
    outcome.to_string()
}

impl Inner {
    fn answer(&mut self, method: &str, params: &Value) -> Value {
        let result = match method {
            "eth_chainId" => json!(format!("{CHAIN:#x}")),
            "eth_blockNumber" => json!("0x10"),
            "eth_getBlockByNumber" => json!({ "baseFeePerGas": "0x3b9aca00" }),
            "eth_maxPriorityFeePerGas" => json!("0x5f5e100"),
            "eth_gasPrice" => json!("0x77359400"),
            "eth_estimateGas" => json!("0x5208"),
            "eth_getTransactionCount" => {
                let address: Address = serde_json::from_value(params[0].clone()).unwrap();
                json!(format!("{:#x}", self.nonces.get(&address).copied().unwrap_or_default()))
            }
            "eth_sendRawTransaction" => {
                let raw: Bytes = serde_json::from_value(params[0].clone()).unwrap();
                let transaction = TxEnvelope::decode_2718(&mut &raw[..]).unwrap();
                let sender = transaction.recover_signer().unwrap();
                if self.taken.iter().any(|taken| taken.tx_hash() == transaction.tx_hash()) {
                    return json!({ "error": { "code": -32000, "message": "already known" } });
                }
                let next = self.nonces.entry(sender).or_default();
                if transaction.nonce() != *next {
                    return json!({ "error": { "code": -32000, "message": "nonce gap or nonce too low" } });
                }
                *next += 1;
                let hash = *transaction.tx_hash();
                self.taken.push(transaction);
                json!(hash)
            }
            "eth_getTransactionByHash" => {
                let found = self.taken.iter().find(|taken| params[0] == taken.tx_hash().to_string());
                found.map_or(Value::Null, |taken| json!({ "hash": taken.tx_hash() }))
            }
            "eth_getBalance" => Value::Null,
            _ => {
                return json!({ "error": { "code": -32601, "message": format!("the node knows no {method}"), "data": [1] } });
            }
        };
        json!({ "result": result })
    }
}
