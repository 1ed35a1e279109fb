//! A client with a connection of its own, that knows JSON-RPC and checks each signature.

use alloy_consensus::{SignableTransaction, TxEnvelope};
use alloy_dyn_abi::TypedData;
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, eip191_hash_message};
use conformance::PATIENCE;
use serde_json::{Value, json};

pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

#[derive(Debug)]
pub enum Asked {
    Message(String),
    TypedData { name: &'static str, number: usize },
    Transaction { nonce: usize, ether: u64 },
}

/// The digest that was signed, or code and message.
type Answer = Result<B256, (i64, String)>;

impl Asked {
    /// Of each ten the first three are outside the rules.
    pub fn of(number: usize) -> Self {
        let denied = number % 10 < 3;
        match number % 3 {
            0 => Self::Message(format!("{} {number}", if denied { "bye" } else { "hello" })),
            1 => Self::TypedData { name: if denied { "Ether Nail" } else { "Ether Mail" }, number },
            _ => Self::Transaction { nonce: number, ether: if denied { 1001 } else { 0 } },
        }
    }

    fn call(&self, from: Address) -> (&'static str, Value) {
        match self {
            Self::Message(text) => ("personal_sign", json!([Bytes::copy_from_slice(text.as_bytes()), from])),
            Self::TypedData { .. } => ("eth_signTypedData_v4", json!([from, self.typed_data()])),
            Self::Transaction { nonce, ether } => {
                let value = U256::from(*ether) * U256::from(10).pow(U256::from(18));
                let transaction = json!({
                    "from": from, "to": Address::repeat_byte(0x42), "value": value, "nonce": format!("{nonce:#x}"),
                    "gas": "0x5208", "maxFeePerGas": "0x3b9aca00", "maxPriorityFeePerGas": "0x1", "chainId": "0x7a69",
                });
                ("eth_signTransaction", json!([transaction]))
            }
        }
    }

    fn typed_data(&self) -> Value {
        let Self::TypedData { name, number } = self else { return Value::Null };
        json!({
            "types": {
                "EIP712Domain": [{ "name": "name", "type": "string" }, { "name": "chainId", "type": "uint256" }],
                "Mail": [{ "name": "contents", "type": "string" }],
            },
            "primaryType": "Mail",
            "domain": { "name": name, "chainId": 1 },
            "message": { "contents": format!("{number}") },
        })
    }

    /// The digest, if the answer is a signature of what was asked.
    fn check(&self, from: Address, answer: &Value) -> B256 {
        let digest = match self {
            Self::Message(text) => eip191_hash_message(text),
            Self::TypedData { .. } => {
                serde_json::from_value::<TypedData>(self.typed_data()).unwrap().eip712_signing_hash().unwrap()
            }
            Self::Transaction { .. } => {
                let raw: Bytes = serde_json::from_value(answer["raw"].clone()).unwrap();
                let TxEnvelope::Eip1559(signed) = TxEnvelope::decode_2718(&mut &raw[..]).unwrap() else {
                    panic!("{raw}")
                };
                assert_eq!(signed.recover_signer().unwrap(), from);
                return signed.tx().signature_hash();
            }
        };
        let signature: Signature = answer.as_str().unwrap().parse().unwrap();
        assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), from);
        digest
    }
}

impl Client {
    pub fn new(url: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    async fn post(&self, method: &str, params: Value) -> reqwest::Result<reqwest::Response> {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.http.post(&self.url).bearer_auth(&self.token).json(&call).send().await
    }

    pub async fn status(&self) -> u16 {
        self.post("eth_accounts", json!([])).await.unwrap().status().as_u16()
    }

    /// The caller's only account.
    pub async fn account(&self) -> Address {
        let answer: Value = self.post("eth_accounts", json!([])).await.unwrap().json().await.unwrap();
        serde_json::from_value(answer["result"][0].clone()).unwrap()
    }

    pub async fn ask(&self, from: Address, asked: &Asked) -> Answer {
        self.try_ask(from, asked).await.expect("it answers")
    }

    /// An error if there is no answer.
    pub async fn try_ask(&self, from: Address, asked: &Asked) -> reqwest::Result<Answer> {
        let (method, params) = asked.call(from);
        let answer: Value = self.post(method, params).await?.json().await?;
        Ok(match answer.get("error") {
            None => Ok(asked.check(from, &answer["result"])),
            Some(error) => {
                Err((error["code"].as_i64().unwrap(), error["message"].as_str().unwrap_or_default().to_owned()))
            }
        })
    }
}
