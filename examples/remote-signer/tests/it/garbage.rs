//! Bodies that are nearly right: each is answered, and none ends the service.

use serde_json::{Value, json};

use crate::{
    node::Node,
    support::{Setup, TO},
};

const ROUNDS: u64 = 3000;

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

fn bodies(from: alloy_primitives::Address) -> Vec<String> {
    let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let transaction = json!({
        "from": from, "to": TO, "value": "0x1", "data": "0x", "gas": "0x5208", "nonce": "0x0", "chainId": "0x7a69",
        "maxFeePerGas": "0x3b9aca00", "maxPriorityFeePerGas": "0x1", "type": "0x2", "accessList": [],
    });
    let mail = json!({
        "types": {
            "EIP712Domain": [{ "name": "name", "type": "string" }, { "name": "chainId", "type": "uint256" }],
            "Mail": [{ "name": "to", "type": "Person[2]" }, { "name": "contents", "type": "bytes32[][1]" }],
            "Person": [{ "name": "wallet", "type": "address" }, { "name": "age", "type": "int8" }],
        },
        "primaryType": "Mail",
        "domain": { "name": "Ether Mail", "chainId": 1 },
        "message": {
            "to": [{ "wallet": TO, "age": -1 }, { "wallet": TO, "age": "0x1" }],
            "contents": [[alloy_primitives::B256::ZERO]],
        },
    });
    let calls = [
        call("eth_signTransaction", json!([transaction])),
        call("eth_signTypedData_v4", json!([from, mail])),
        call("eth_signTypedData_v4", json!([from, mail.to_string()])),
        call("personal_sign", json!(["0x68656c6c6f", from])),
    ];
    let mut bodies: Vec<String> = calls.iter().map(Value::to_string).collect();
    bodies.push(json!(calls).to_string());
    bodies
}

fn spoil(body: &str, numbers: &mut Numbers) -> Vec<u8> {
    const PIECES: [&str; 16] = [
        "null",
        "[]",
        "{}",
        "\"\"",
        "-1",
        "1e999",
        "99999999999999999999999999",
        "\"0x\"",
        "0x",
        "[[[[",
        "uint999",
        "Mail[]",
        "bytes0",
        "\\ud800",
        "\"__proto__\"",
        ",",
    ];
    let mut bytes = body.as_bytes().to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        let to = (at + 1 + numbers.below(8)).min(bytes.len());
        let piece = PIECES[numbers.below(PIECES.len())].bytes();
        match numbers.below(5) {
            0 => bytes[at] = numbers.below(256) as u8,
            1 => drop(bytes.splice(at..to, piece)),
            2 => drop(bytes.drain(at..to)),
            3 => drop(bytes.splice(at..at, bytes[at..to].to_vec())),
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(b' ');
        }
    }
    bytes
}

#[tokio::test]
async fn whatever_is_posted_is_answered() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let bodies = bodies(server.accounts[0]);
    for body in &bodies {
        let (_, text) = server.post("token-a", body.clone()).await;
        assert!(!text.contains("error"), "{text}");
    }
    let mut numbers = Numbers(7);
    for round in 0..ROUNDS {
        let body = spoil(&bodies[numbers.below(bodies.len())], &mut numbers);
        let request = server.http.post(&server.url).bearer_auth("token-a").header("content-type", "application/json");
        let answer = request.body(body.clone()).send().await;
        let shown = String::from_utf8_lossy(&body);
        let answer = answer.unwrap_or_else(|error| panic!("round {round}: {error}: {shown}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(
            status == 204 || status == 200 && serde_json::from_str::<Value>(&text).is_ok(),
            "{status} {shown}: {text}"
        );
    }
}
