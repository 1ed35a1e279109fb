//! `eth_sendTransaction`: nonces in order, none burnt, and the node's failures told.

use std::{collections::BTreeSet, time::Duration};

use alloy_consensus::Transaction;
use alloy_network::TransactionBuilder;
use alloy_primitives::{B256, U256};
use alloy_provider::{Provider, ProviderBuilder};
use alloy_rpc_types_eth::TransactionRequest;
use futures_util::future::join_all;
use kms_signer::fake::Fault;
use remote_signer::Limits;
use serde_json::json;

use crate::{
    node::Node,
    support::{Setup, TO},
};

#[tokio::test]
async fn a_provider_that_knows_nothing_of_us_sends() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let url = format!("http://anybody:token-a@{}", server.address);
    let provider = ProviderBuilder::new().disable_recommended_fillers().connect_http(url.parse().unwrap());
    let accounts = provider.get_accounts().await.unwrap();
    assert_eq!(accounts, server.accounts[..2]);
    let transfer = TransactionRequest::default().with_from(accounts[1]).with_to(TO).with_value(U256::from(5));
    let sent = provider.send_transaction(transfer.clone()).await.unwrap();
    let taken = node.node.taken();
    assert_eq!((taken.len(), *taken[0].tx_hash(), taken[0].value()), (1, *sent.tx_hash(), U256::from(5)));

    let ether = U256::from(10).pow(U256::from(18));
    let denied = provider.send_transaction(transfer.with_value(ether)).await.unwrap_err();
    let denied = denied.as_error_resp().unwrap();
    assert_eq!(denied.code, -32003);
    assert!(denied.message.contains("value 1 ether is above max_value, 0.1 ether"), "{}", denied.message);
    assert_eq!(node.node.taken().len(), 1);
}

#[tokio::test]
async fn transactions_at_once_have_nonces_of_their_own() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    server.fake.set_latency(Duration::from_millis(5));
    let send = |number: u64| {
        let (server, from) = (&server, server.accounts[(number % 2) as usize]);
        // Every fifth is outside the rules.
        let value = if number.is_multiple_of(5) { "0xde0b6b3a7640000".to_owned() } else { format!("{number:#x}") };
        async move { server.a("eth_sendTransaction", json!([{ "from": from, "to": TO, "value": value }])).await }
    };
    let outcomes = join_all((0..50).map(send)).await;
    let hashes: BTreeSet<B256> =
        outcomes.iter().flatten().map(|hash| serde_json::from_value(hash.clone()).unwrap()).collect();
    let taken = node.node.taken();
    assert_eq!((hashes.len(), taken.len()), (40, 40));
    assert!(taken.iter().all(|transaction| hashes.contains(transaction.tx_hash())));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref().is_err_and(|error| error.0 == -32003)).count(), 10);
}

#[tokio::test]
async fn what_fails_burns_no_nonce() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let send = || server.a("eth_sendTransaction", json!([{ "to": TO, "from": server.accounts[0] }]));
    send().await.unwrap();
    server.fake.inject(Fault::error("AccessDeniedException", 400, "no").on("Sign"));
    assert_eq!(send().await.unwrap_err().0, -32603);
    node.node.set("eth_sendRawTransaction", json!({ "error": { "code": -32000, "message": "insufficient funds" } }));
    let (code, text, _) = send().await.unwrap_err();
    assert_eq!((code, text.as_str()), (-32000, "insufficient funds"));
    node.node.reset("eth_sendRawTransaction");
    send().await.unwrap();
    let nonces: Vec<u64> = node.node.taken().iter().map(Transaction::nonce).collect();
    assert_eq!(nonces, [0, 1]);

    // A node that lags behind another answers with a count of before.
    node.node.set("eth_getTransactionCount", json!({ "result": "0x1" }));
    send().await.unwrap();
    assert_eq!(node.node.taken().last().unwrap().nonce(), 2);
}

#[tokio::test]
async fn a_batch_sends_in_its_order() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let from = server.accounts[0];
    let call = |value: u64| {
        let params = json!([{ "from": from, "to": TO, "value": format!("{value:#x}") }]);
        json!({ "jsonrpc": "2.0", "id": value, "method": "eth_sendTransaction", "params": params })
    };
    let (status, _) = server.post("token-a", json!((1..=10).map(call).collect::<Vec<_>>()).to_string()).await;
    assert_eq!(status, 200);
    let values: Vec<U256> = node.node.taken().iter().map(Transaction::value).collect();
    assert_eq!(values, (1..=10).map(U256::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_node_that_is_away_is_told() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let transfer = json!([{ "from": server.accounts[0], "to": TO }]);
    assert!(server.a("eth_chainId", json!([])).await.is_ok());

    node.node.set("eth_blockNumber", json!("<html>502 Bad Gateway</html>"));
    assert_eq!(server.code("eth_blockNumber", json!([])).await, -32002);
    node.end().await;
    for (method, params) in [("eth_blockNumber", json!([])), ("eth_sendTransaction", transfer)] {
        let (code, text, data) = server.a(method, params).await.unwrap_err();
        assert_eq!((code, &data["retryable"]), (-32002, &json!(true)), "{text}");
        assert!(!text.contains("pass-word") && !text.contains("api-key"), "{text}");
    }
    // What needs no node goes on.
    assert!(server.a("personal_sign", json!(["0x68656c6c6f", server.accounts[0]])).await.is_ok());
}

/// The node takes it, something before the node says otherwise, and the node is asked.
#[tokio::test]
async fn a_transaction_that_was_taken_is_a_success_whatever_came_back() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let transfer = json!([{ "from": server.accounts[0], "to": TO }]);
    node.node.lose("eth_sendRawTransaction");
    let hash = server.a("eth_sendTransaction", transfer.clone()).await.unwrap();
    assert_eq!(hash, json!(node.node.taken()[0].tx_hash()));
    node.node.reset("eth_sendRawTransaction");
    server.a("eth_sendTransaction", transfer).await.unwrap();
    let nonces: Vec<u64> = node.node.taken().iter().map(Transaction::nonce).collect();
    assert_eq!(nonces, [0, 1]);
}

/// Nobody says whether the node took it: the next one waits until it does, and never takes the same nonce.
#[tokio::test]
async fn a_transaction_in_doubt_is_cleared_up_before_the_next() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let transfer = |value: &str| json!([{ "from": server.accounts[0], "to": TO, "value": value }]);
    for taken in [true, false] {
        let before = node.node.taken().len();
        node.node.set("eth_getTransactionByHash", json!("<html>502 Bad Gateway</html>"));
        match taken {
            true => node.node.lose("eth_sendRawTransaction"),
            false => node.node.set("eth_sendRawTransaction", json!("<html>502 Bad Gateway</html>")),
        }
        // What is counted lags behind.
        node.node.set("eth_getTransactionCount", json!({ "result": format!("{before:#x}") }));
        let (code, text, data) = server.a("eth_sendTransaction", transfer("0x1")).await.unwrap_err();
        assert_eq!((code, &data["retryable"]), (-32002, &json!(false)), "{text}");
        assert!(text.contains("may have been sent") && data["transactionHash"].is_string(), "{text} {data}");

        let signatures = server.signatures();
        let (code, text, data) = server.a("eth_sendTransaction", transfer("0x2")).await.unwrap_err();
        assert_eq!((code, &data["retryable"]), (-32002, &json!(true)), "{text}");
        assert!(text.contains("nothing new was signed"), "{text}");
        assert_eq!(server.signatures(), signatures);

        node.node.reset("eth_sendRawTransaction");
        node.node.reset("eth_getTransactionByHash");
        server.a("eth_sendTransaction", transfer("0x2")).await.unwrap();
        let last: Vec<_> = node.node.taken()[before..].iter().map(|sent| (sent.nonce(), sent.value())).collect();
        let nonce = before as u64;
        assert_eq!(last, [(nonce, U256::from(1)), (nonce + 1, U256::from(2))]);
        node.node.reset("eth_getTransactionCount");
    }
}

#[tokio::test]
async fn a_gateways_error_is_not_the_nodes_word() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let transfer = json!([{ "from": server.accounts[0], "to": TO }]);
    node.node.set("eth_sendRawTransaction", json!({ "error": { "code": -32000, "message": "insufficient funds" } }));
    assert_eq!(server.a("eth_sendTransaction", transfer.clone()).await.unwrap_err().0, -32000);
    node.node.set("eth_getTransactionByHash", json!("<html>502 Bad Gateway</html>"));
    let (code, text, data) = server.a("eth_sendTransaction", transfer).await.unwrap_err();
    assert_eq!((code, data["transactionHash"].is_string()), (-32002, true), "{text}");
}

#[tokio::test]
async fn a_nonce_that_is_given_is_taken_and_counts_where_it_is_the_next() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let from = server.accounts[0];
    server.a("eth_sendTransaction", json!([{ "from": from, "to": TO, "nonce": "0x0" }])).await.unwrap();
    // A node that lags behind.
    node.node.set("eth_getTransactionCount", json!({ "result": "0x0" }));
    server.a("eth_sendTransaction", json!([{ "from": from, "to": TO }])).await.unwrap();
    let nonces: Vec<u64> = node.node.taken().iter().map(Transaction::nonce).collect();
    assert_eq!(nonces, [0, 1]);
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_its_name() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let from = server.accounts[0];
    for (member, said) in [("gasLimit", "it is gas"), ("maxFee", "maxFee"), ("gas_price", "gas_price")] {
        let (code, text, _) =
            server.a("eth_sendTransaction", json!([{ "from": from, "to": TO, member: "0x1" }])).await.unwrap_err();
        assert_eq!(code, -32602);
        assert!(text.contains(said), "{text}");
    }
    let blobs = json!([{ "from": from, "to": TO, "blobs": ["0x00"], "commitments": [], "proofs": [] }]);
    assert_eq!(server.a("eth_sendTransaction", blobs).await.unwrap_err().0, -32602);
    assert_eq!(server.signatures(), 0);
}

/// Of a batch whose time is over nothing more is begun; what was begun says so, with its hash.
#[tokio::test]
async fn a_batch_that_is_late_begins_nothing_more() {
    let node = Node::start().await;
    let limits = Limits { request_seconds: 1.0, ..Limits::default() };
    let server = Setup { limits, upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    server.fake.set_latency(Duration::from_millis(1500));
    let call = |id: u64| {
        let params = json!([{ "from": server.accounts[(id % 2) as usize], "to": TO }]);
        json!({ "jsonrpc": "2.0", "id": id, "method": "eth_sendTransaction", "params": params })
    };
    let (_, text) = server.post("token-a", json!((0..4).map(call).collect::<Vec<_>>()).to_string()).await;
    let answers: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(answers[0]["error"]["data"]["retryable"], json!(false), "{text}");
    for answer in &answers[1..] {
        assert_eq!(answer["error"]["data"]["retryable"], json!(true), "{text}");
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((server.signatures(), node.node.taken().len()), (1, 1));
}

/// Whoever goes away after the transaction was signed leaves no nonce in doubt.
#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_half_done() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    server.fake.set_latency(Duration::from_millis(300));
    let transfer = json!([{ "from": server.accounts[0], "to": TO }]);
    let before_it_is_signed = async {
        while server.signatures() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = server.a("eth_sendTransaction", transfer.clone()) => panic!("{answer:?}"),
        () = before_it_is_signed => {}
    }
    server.a("eth_sendTransaction", transfer).await.unwrap();
    let nonces: Vec<u64> = node.node.taken().iter().map(Transaction::nonce).collect();
    assert_eq!(nonces, [0, 1]);
}
