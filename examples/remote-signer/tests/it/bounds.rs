//! Too much, too slow, too many; and an end in order.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use remote_signer::Limits;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    node::Node,
    support::{Running, Setup, TO},
};

fn quick() -> Limits {
    Limits { head_seconds: 0.3, read_seconds: 0.3, ..Limits::default() }
}

async fn raw(server: &Running, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// What comes until the other end closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await.expect("it stays open");
    String::from_utf8(bytes).unwrap()
}

/// Until there is a place for another connection.
async fn until_let_in(server: &Running) {
    let begun = Instant::now();
    while server.http.get(format!("{}/healthz", server.url)).send().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(15), "it lets nobody in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const HEAD: &str = "POST / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-a\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Setup { limits: Limits { body_bytes: 1000, ..Limits::default() }, ..Setup::default() }.start().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_accounts","params":[]}"#;
    let padded = |length: usize| format!("{call}{}", " ".repeat(length - call.len()));
    assert_eq!(server.post("token-a", padded(1000)).await.0, 200);
    for length in [1001, 3_000_000] {
        let (status, text) = server.post("token-a", padded(length)).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &answer["error"]["code"]), (413, &json!(-32005)));
    }
    // Without a length beforehand.
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    let stream = raw(&server, &format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
    assert!(rest(stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_slow_client_is_cut_off() {
    let server = Setup { limits: quick(), ..Setup::default() }.start().await;
    let begun = Instant::now();
    let silent = raw(&server, "").await;
    let head = raw(&server, "POST / HTTP/1.1\r\nhost: x\r\n").await;
    let body = raw(&server, &format!("{HEAD}content-length: 100\r\n\r\n{{")).await;
    let idle = raw(&server, &format!("{HEAD}content-length: 2\r\n\r\n[]")).await;
    let drip = async {
        let mut stream = raw(&server, "POST / HTTP/1.1\r\n").await;
        let mut bytes = 0;
        while stream.write_all(b"a").await.is_ok() && bytes < 100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bytes += 1;
        }
        bytes
    };
    let (silent, head, body, idle, drip) = tokio::join!(rest(silent), rest(head), rest(body), rest(idle), drip);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(silent, "");
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(body.starts_with("HTTP/1.1 408") && body.contains("-32002"), "{body}");
    assert!(idle.starts_with("HTTP/1.1 200") && idle.contains("-32600"), "{idle}");
    assert!(drip < 100, "{drip}");
}

/// More than the kernel keeps for it.
#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let node = Node::start().await;
    node.node.set("eth_getLogs", json!({ "result": "x".repeat(14 << 20) }));
    let limits = Limits { connections: 1, ..quick() };
    let server = Setup { limits, upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_getLogs"}"#;
    let mut deaf = raw(&server, &format!("{HEAD}content-length: {}\r\n\r\n{call}", call.len())).await;
    // Its place is free again, though it is still there.
    until_let_in(&server).await;
    let mut bytes = Vec::new();
    let _ = deaf.read_to_end(&mut bytes).await;
    assert!(bytes.len() < 14 << 20, "{}", bytes.len());
}

#[tokio::test]
async fn a_request_has_an_end() {
    let node = Node::start().await;
    node.node.set_delay(Duration::from_secs(3));
    let limits = Limits { request_seconds: 0.3, ..Limits::default() };
    let server = Setup { limits, upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    let begun = Instant::now();
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber" },
        { "jsonrpc": "2.0", "id": 2, "method": "eth_accounts" },
    ]);
    let (_, text) = server.post("token-a", batch.to_string()).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    let answers: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answers[0]["error"]["code"], -32002);
    assert!(answers[1]["result"].is_array(), "{text}");
}

#[tokio::test]
async fn the_nodes_answer_has_bounds() {
    let node = Node::start().await;
    node.node.set("eth_getLogs", json!({ "result": "x".repeat(20_000) }));
    node.node.set("eth_call", json!({ "result": "x".repeat(6_000) }));
    let limits = Limits { upstream_bytes: 10_000, ..Limits::default() };
    let server = Setup { limits, upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    assert_eq!(server.code("eth_getLogs", json!([])).await, -32005);
    let call = |id: u64| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_call" });
    let (_, text) = server.post("token-a", json!([call(1), call(2)]).to_string()).await;
    let answers: Value = serde_json::from_str(&text).unwrap();
    assert!(answers[0]["result"].is_string());
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(2), &json!(-32005)));
}

#[tokio::test]
async fn two_hundred_clients_are_served() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let client = |number: usize| {
        let server = &server;
        async move {
            // Connections of its own.
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let message = format!("hello {number}");
            let params = json!([alloy_primitives::Bytes::from(message.clone().into_bytes()), server.accounts[0]]);
            let body = json!({ "jsonrpc": "2.0", "id": number, "method": "personal_sign", "params": params });
            let request = http.post(&server.url).bearer_auth("token-a").header("content-type", "application/json");
            let answer = request.body(body.to_string()).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            assert_eq!(answer["id"], number);
            let signature: alloy_primitives::Signature = answer["result"].as_str().unwrap().parse().unwrap();
            assert_eq!(signature.recover_address_from_msg(message).unwrap(), server.accounts[0]);
        }
    };
    join_all((0..200).map(client)).await;
    assert_eq!(server.signatures(), 200);
}

#[tokio::test]
async fn more_than_may_be_under_way_are_sent_back() {
    let limits = Limits { in_flight: 2, ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    server.fake.set_latency(Duration::from_millis(1500));
    let hello =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "personal_sign", "params": ["0x68656c6c6f", server.accounts[0]] });
    let answers = join_all((0..6).map(|_| server.post("token-a", hello.to_string()))).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((served.len(), refused.len()), (2, 4));
    for (status, text) in refused {
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &answer["error"]["code"]), (503, &json!(-32005)));
    }
    assert_eq!(server.post("token-a", hello.to_string()).await.0, 200);
}

#[tokio::test]
async fn more_connections_than_there_may_be_are_closed() {
    let server = Setup { limits: Limits { connections: 2, ..Limits::default() }, ..Setup::default() }.start().await;
    let (first, second) = (raw(&server, "").await, raw(&server, "").await);
    // Let in one after the other.
    assert_eq!(rest(raw(&server, "").await).await, "");
    drop((first, second));
    until_let_in(&server).await;
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way() {
    let node = Node::start().await;
    let mut server = Setup::with_node(&node.url).await;
    server.fake.set_latency(Duration::from_millis(500));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": [{ "from": server.accounts[0], "to": TO }] });
    let (http, url) = (server.http.clone(), server.url.clone());
    let under_way = tokio::spawn(async move {
        let request = http.post(url).bearer_auth("token-a").header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap().text().await.unwrap()
    });
    let idle = raw(&server, &format!("{HEAD}content-length: 2\r\n\r\n[]")).await;
    while server.signatures() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.end();
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(!under_way.is_finished(), "nothing new is let in");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let address = server.address;
    let begun = Instant::now();
    server.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(under_way.await.unwrap().contains("result"));
    assert_eq!(node.node.taken().len(), 1);
    assert!(rest(idle).await.starts_with("HTTP/1.1 200"));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let limits = Limits { shutdown_seconds: 0.5, ..Limits::default() };
    let mut server = Setup { limits, ..Setup::default() }.start().await;
    let slow = raw(&server, &format!("{HEAD}content-length: 100\r\n\r\n{{")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.end();
    let begun = Instant::now();
    server.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    drop(slow);
}
