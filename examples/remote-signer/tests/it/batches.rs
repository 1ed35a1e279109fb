//! Batches, notifications, and what is no request.

use serde_json::{Value, json};

use crate::support::{Running, Setup};

async fn answer(server: &Running, body: &str) -> Value {
    let (status, text) = server.post("token-a", body).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order() {
    let server = Setup { chain_id: Some(1), ..Setup::default() }.start().await;
    let from = server.accounts[0];
    let calls = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" },
        { "jsonrpc": "2.0", "id": "two", "method": "personal_sign", "params": ["0x68656c6c6f", from] },
        { "jsonrpc": "2.0", "method": "eth_chainId" },
        { "jsonrpc": "2.0", "id": null, "method": "nobody_knows", "params": [] },
        { "jsonrpc": "2.0", "id": 5, "method": "personal_sign", "params": ["0x627965", from] },
        7,
        [],
        { "id": 8 },
        { "jsonrpc": "2.0", "id": 9, "method": "net_version", "params": [] },
    ]);
    let answers = answer(&server, &calls.to_string()).await;
    let answers = answers.as_array().unwrap();
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(
        ids,
        [&json!(1), &json!("two"), &json!(null), &json!(5), &json!(null), &json!(null), &json!(8), &json!(9)]
    );
    let codes: Vec<Option<i64>> = answers.iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [None, None, Some(-32601), Some(4100), Some(-32600), Some(-32600), Some(-32600), None]);
}

#[tokio::test]
async fn nothing_but_notifications_has_no_answer() {
    let server = Setup::default().start().await;
    let notification =
        json!({ "jsonrpc": "2.0", "method": "personal_sign", "params": ["0x68656c6c6f", server.accounts[0]] });
    for body in [notification.to_string(), json!([notification, notification]).to_string()] {
        assert_eq!(server.post("token-a", body).await, (204, String::new()));
    }
    assert_eq!(server.signatures(), 3);
}

#[tokio::test]
async fn what_is_no_request_is_told() {
    let server = Setup::default().start().await;
    let most = 100;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_accounts"}"#;
    for (body, code) in [
        ("".to_owned(), -32700),
        ("{".to_owned(), -32700),
        ("hello".to_owned(), -32700),
        (format!("{call}{call}"), -32700),
        ("[]".to_owned(), -32600),
        ("null".to_owned(), -32600),
        ("\"x\"".to_owned(), -32600),
        ("{}".to_owned(), -32600),
        (format!("[{}]", vec![call; most + 1].join(",")), -32600),
        ("[".repeat(10_000), -32700),
    ] {
        let answer = answer(&server, &body).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(code)), "{answer}");
    }
    let answers = answer(&server, &format!("[{}]", vec![call; most].join(","))).await;
    assert_eq!(answers.as_array().unwrap().len(), most);
    let (_, text) = server.post("token-a", "{\"jsonrpc\": secret-in-the-wrong-place}").await;
    assert!(!text.contains("secret"), "{text}");
}
