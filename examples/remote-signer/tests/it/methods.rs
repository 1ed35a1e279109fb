//! Each method, asked by a client that knows JSON-RPC and nothing else.

use std::time::Duration;

use alloy_consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable};
use alloy_dyn_abi::TypedData;
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, Bytes, Signature};
use kms_signer::fake::Fault;
use serde_json::{Value, json};

use crate::{
    node::{CHAIN, Node},
    support::{Setup, TO},
};

fn mail(contents: &str) -> Value {
    json!({
        "types": {
            "EIP712Domain": [{ "name": "name", "type": "string" }, { "name": "chainId", "type": "uint256" }],
            "Mail": [{ "name": "to", "type": "address" }, { "name": "contents", "type": "string" }],
        },
        "primaryType": "Mail",
        "domain": { "name": "Ether Mail", "chainId": 1 },
        "message": { "to": TO, "contents": contents },
    })
}

fn signature(value: Value) -> Signature {
    let text = value.as_str().unwrap();
    assert!(text.len() == 132 && (text.ends_with("1b") || text.ends_with("1c")), "{text}");
    text.parse().unwrap()
}

fn complete(from: Address) -> Value {
    json!({
        "from": from, "to": TO, "value": "0x1", "nonce": "0x5", "gas": "0x5208",
        "maxFeePerGas": "0x3b9aca00", "maxPriorityFeePerGas": "0x1", "chainId": "0x7a69",
    })
}

fn read(answer: &Value) -> TxEnvelope {
    let raw: Bytes = serde_json::from_value(answer["raw"].clone()).unwrap();
    let signed = TxEnvelope::decode_2718(&mut &raw[..]).unwrap();
    let tx: TxEnvelope = serde_json::from_value(answer["tx"].clone()).unwrap();
    assert_eq!(signed, tx);
    signed
}

#[tokio::test]
async fn accounts_are_the_callers_own() {
    let server = Setup::default().start().await;
    let [first, second, third] = server.accounts[..] else { panic!() };
    for method in ["eth_accounts", "eth_requestAccounts"] {
        assert_eq!(server.call("token-a", method, json!([])).await.unwrap(), json!([first, second]));
        assert_eq!(server.call("token-b", method, json!([])).await.unwrap(), json!([third]));
    }
    assert_eq!(server.code("eth_accounts", json!([1])).await, -32602);
}

#[tokio::test]
async fn messages_are_signed_as_geth_signs_them() {
    let server = Setup::default().start().await;
    let from = server.accounts[1];
    let message = Bytes::from_static(b"hello \xff\x00");
    for (method, params) in [
        ("eth_sign", json!([from, message])),
        ("personal_sign", json!([message, from])),
        ("personal_sign", json!([message, from, "a password of geth's"])),
    ] {
        let signed = signature(server.a(method, params).await.unwrap());
        assert_eq!(signed.recover_address_from_msg(&message).unwrap(), from);
    }
    for (method, params) in [
        ("eth_sign", json!([message, from])),
        ("eth_sign", json!([from])),
        ("eth_sign", json!([from, "hello"])),
        ("eth_sign", json!([from, message, 1])),
        ("personal_sign", json!({ "message": message, "address": from })),
        ("personal_sign", json!(["0xabc", from])),
    ] {
        assert_eq!(server.code(method, params.clone()).await, -32602, "{method} {params}");
    }
    let (code, text, data) = server.a("personal_sign", json!(["0x6279650a", from])).await.unwrap_err();
    assert_eq!((code, &data["kind"], &data["retryable"]), (4100, &json!("GuardDenied"), &json!(false)), "{text}");
    assert!(text.contains("message denied"), "{text}");
    assert_eq!(server.signatures(), 3);
}

/// Text that looks like bytes would be signed as other bytes than its client means.
#[tokio::test]
async fn a_message_has_0x() {
    let server = Setup::default().start().await;
    for message in [json!("cafe"), json!([1, 2]), json!("hello"), json!(5)] {
        assert_eq!(server.code("personal_sign", json!([message, server.accounts[0]])).await, -32602, "{message}");
    }
    assert_eq!(server.signatures(), 0);
}

#[tokio::test]
async fn typed_data_is_an_object_or_a_string() {
    let server = Setup::default().start().await;
    let from = server.accounts[0];
    let data: TypedData = serde_json::from_value(mail("hi")).unwrap();
    let hash = data.eip712_signing_hash().unwrap();
    for data in [mail("hi"), mail("hi").to_string().into()] {
        let signed = signature(server.a("eth_signTypedData_v4", json!([from, data])).await.unwrap());
        assert_eq!(signed.recover_address_from_prehash(&hash).unwrap(), from);
    }
    let mut other = mail("hi");
    other["domain"]["name"] = "Ether Nail".into();
    let (code, text, _) = server.a("eth_signTypedData_v4", json!([from, other])).await.unwrap_err();
    assert!(code == 4100 && text.contains("Ether Nail"), "{code} {text}");
    // Wallets hash what the domain's type declares; where that is not what is there, they would hash something else.
    let mut undeclared = mail("hi");
    undeclared["domain"]["salt"] = format!("0x{}", "11".repeat(32)).into();
    let mut unknown = mail("hi");
    unknown["domain"]["note"] = "x".into();
    for (data, said) in [(undeclared, "salt"), (unknown, "note")] {
        let (code, text, _) = server.a("eth_signTypedData_v4", json!([from, data])).await.unwrap_err();
        assert!(code == -32602 && text.contains(said), "{code} {text}");
    }
    let mut untyped = mail("hi");
    untyped["types"]["Mail"][1]["type"] = "strin".into();
    let mut recursive = mail("hi");
    recursive["types"]["Mail"][1]["type"] = "Mail".into();
    // A small document of types that stands for a struct of billions of members is refused before it is hashed.
    let mut wide = mail("hi");
    for level in 0..20 {
        let next = format!("L{}", level + 1);
        let members: Vec<Value> = (0..8).map(|place| json!({ "name": format!("m{place}"), "type": next })).collect();
        wide["types"][format!("L{level}")] = members.into();
    }
    wide["types"]["L20"] = json!([{ "name": "x", "type": "uint8" }]);
    wide["types"]["Mail"][1] = json!({ "name": "wide", "type": "L0" });
    let (code, text, _) = server.a("eth_signTypedData_v4", json!([from, wide])).await.unwrap_err();
    assert!(code == 4100 && text.contains("expand"), "{code} {text}");
    for data in [json!({}), json!("{"), json!(5), Value::Null, untyped, recursive] {
        assert_eq!(server.code("eth_signTypedData_v4", json!([from, data])).await, -32602, "{data}");
    }
    assert_eq!(server.signatures(), 2);
}

#[tokio::test]
async fn a_transaction_that_is_complete_needs_no_node() {
    let server = Setup { chain_id: Some(CHAIN), ..Setup::default() }.start().await;
    let from = server.accounts[0];
    let signed = read(&server.a("eth_signTransaction", json!([complete(from)])).await.unwrap());
    assert_eq!(signed.recover_signer().unwrap(), from);
    assert_eq!((signed.nonce(), signed.chain_id(), signed.tx_type() as u8), (5, Some(CHAIN), 2));

    // The service's chain, where the transaction names none; legacy by its fields, and by its type.
    let mut legacy = complete(from);
    for field in ["chainId", "maxFeePerGas", "maxPriorityFeePerGas"] {
        legacy.as_object_mut().unwrap().remove(field);
    }
    legacy["gasPrice"] = "0x3b9aca00".into();
    for (kind, number) in [(None, 0), (Some("0x0"), 0), (Some("0x1"), 1)] {
        let mut transaction = legacy.clone();
        if let Some(kind) = kind {
            transaction["type"] = kind.into();
        }
        let signed = read(&server.a("eth_signTransaction", json!([transaction])).await.unwrap());
        assert_eq!((signed.chain_id(), signed.tx_type() as u8), (Some(CHAIN), number));
    }
    let change = |field: &str, value: Value| {
        let mut transaction = complete(from);
        transaction[field] = value;
        transaction
    };
    for transaction in [
        change("nonce", Value::Null),
        change("gas", Value::Null),
        change("maxFeePerGas", Value::Null),
        change("type", json!("0x0")),
        change("type", json!("0x7f")),
        change("gasPrice", json!("0x1")),
        change("value", json!("lots")),
        change("to", json!("0x42")),
        {
            let mut both = change("data", json!("0x01"));
            both["input"] = json!("0x02");
            both
        },
        json!([]),
    ] {
        assert_eq!(server.code("eth_signTransaction", json!([transaction])).await, -32602, "{transaction}");
    }
    let (_, text, _) = server.a("eth_signTransaction", json!([change("maxFeePerGas", Value::Null)])).await.unwrap_err();
    assert_eq!(text, "the transaction lacks maxFeePerGas");
    // Without `to` it creates a contract, if there is what to create.
    let mut nowhere = change("to", Value::Null);
    assert_eq!(server.code("eth_signTransaction", json!([nowhere])).await, -32602);
    nowhere["data"] = json!("0x6000");
    let (code, text, _) = server.a("eth_signTransaction", json!([nowhere])).await.unwrap_err();
    assert!(code == -32003 && text.contains("creat"), "{code} {text}");
    // A chain that no rule names.
    let (code, text, _) = server.a("eth_signTransaction", json!([change("chainId", json!("0x1"))])).await.unwrap_err();
    assert!(code == -32003 && text.contains("chain"), "{code} {text}");
    assert_eq!(server.code("eth_sendTransaction", json!([complete(from)])).await, -32601);
    assert_eq!(server.signatures(), 4);
}

#[tokio::test]
async fn what_is_missing_is_asked_of_the_node() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    let from = server.accounts[0];
    let transfer = json!({ "from": from, "to": TO, "value": "0x1" });
    let signed = read(&server.a("eth_signTransaction", json!([transfer])).await.unwrap());
    assert_eq!((signed.nonce(), signed.gas_limit(), signed.chain_id()), (0, 21000, Some(CHAIN)));
    assert_eq!((signed.max_fee_per_gas(), signed.max_priority_fee_per_gas()), (2_100_000_000, Some(100_000_000)));

    // What is there stays.
    let given = json!({ "from": from, "to": TO, "maxFeePerGas": "0x5", "gas": "0x9999", "nonce": "0x3" });
    let signed = read(&server.a("eth_signTransaction", json!([given])).await.unwrap());
    assert_eq!((signed.nonce(), signed.gas_limit()), (3, 0x9999));
    assert_eq!((signed.max_fee_per_gas(), signed.max_priority_fee_per_gas()), (5, Some(5)));

    // A chain without EIP-1559, and a client without.
    let kinds = [json!({ "from": from, "to": TO, "type": "0x0" }), json!({ "from": from, "to": TO, "type": "0x1" })];
    for (transaction, kind) in kinds.into_iter().zip([0, 1]) {
        let signed = read(&server.a("eth_signTransaction", json!([transaction])).await.unwrap());
        assert_eq!((signed.tx_type() as u8, signed.gas_price()), (kind, Some(2_000_000_000)));
    }
    node.node.set("eth_getBlockByNumber", json!({ "result": {} }));
    let signed = read(&server.a("eth_signTransaction", json!([transfer])).await.unwrap());
    assert_eq!((signed.tx_type() as u8, signed.gas_price()), (0, Some(2_000_000_000)));
    assert!(node.node.taken().is_empty());
}

#[tokio::test]
async fn other_methods_are_the_nodes_and_accounts_never() {
    let node = Node::start().await;
    let server =
        Setup { forward: vec!["debug_*".into()], ..Setup { upstream: Some(node.url.clone()), ..Setup::default() } };
    let server = server.start().await;
    assert_eq!(server.a("eth_blockNumber", json!([])).await.unwrap(), "0x10");
    assert_eq!(server.a("eth_getBalance", json!([TO, "latest"])).await.unwrap(), Value::Null);
    // Its errors are passed on as they are, and its params verbatim.
    let odd = json!({ "named": [1.5, "x", null] });
    let (code, text, data) = server.a("debug_odd", odd.clone()).await.unwrap_err();
    assert_eq!((code, text.as_str(), data), (-32601, "the node knows no debug_odd", json!([1])));
    assert_eq!(node.node.calls().last().unwrap(), &("debug_odd".to_owned(), odd));

    let before = node.node.calls().len();
    for method in ["personal_unlockAccount", "eth_signTypedData", "admin_peers", "anvil_setBalance", "eth_resend", ""] {
        assert_eq!(server.code(method, json!([])).await, -32601, "{method}");
    }
    assert_eq!(server.code("eth_sign", json!([TO, "0x00"])).await, 4100);
    assert_eq!(server.code("eth_sendTransaction", json!([{ "from": TO, "to": TO }])).await, 4100);
    assert_eq!(node.node.calls().len(), before, "{:?}", node.node.methods());

    let alone = Setup::default().start().await;
    assert_eq!(alone.code("eth_blockNumber", json!([])).await, -32601);
    assert_eq!(alone.code("eth_chainId", json!([])).await, -32002);
}

#[tokio::test]
async fn the_chain_is_the_configurations_or_the_nodes() {
    let node = Node::start().await;
    let server = Setup::with_node(&node.url).await;
    assert_eq!(server.a("eth_chainId", json!([])).await.unwrap(), "0x7a69");
    assert_eq!(server.a("net_version", json!([])).await.unwrap(), "31337");
    let alone = Setup { chain_id: Some(5), ..Setup::default() }.start().await;
    assert_eq!(alone.a("eth_chainId", json!([])).await.unwrap(), "0x5");
    let other = Setup { chain_id: Some(5), upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    let send = json!([{ "from": other.accounts[0], "to": TO }]);
    let (code, text, _) = other.a("eth_sendTransaction", send).await.unwrap_err();
    assert!(code == -32002 && text.contains("chain 31337, not on 5"), "{text}");
    assert_eq!(other.signatures(), 0);
}

/// AWS's text names role, account and key; it is for the log.
#[tokio::test]
async fn what_kms_says_has_a_code() {
    let server = Setup { kms_timeout: Some(Duration::from_secs(1)), ..Setup::default() }.start().await;
    let hello = json!(["0x68656c6c6f", server.accounts[0]]);
    for (fault, code, kind, retryable) in [
        (Fault::error("AccessDeniedException", 400, "arn:aws:iam::1:role/x"), -32603, "AccessDenied", false),
        (Fault::error("DisabledException", 400, "arn:aws:kms:x"), -32603, "KeyUnusable", false),
        (Fault::flipped_bit(), -32603, "SignatureMismatch", false),
        (Fault::error("ThrottlingException", 400, "arn:aws:kms:x"), -32005, "Throttled", true),
        (Fault::error("KMSInternalException", 500, "arn:aws:kms:x"), -32002, "Unavailable", true),
        (Fault::stall(), -32002, "Timeout", true),
        (Fault::disconnect(), -32002, "Transport", true),
    ] {
        server.fake.inject(fault.on("Sign").forever());
        let (found, text, data) = server.a("personal_sign", hello.clone()).await.unwrap_err();
        assert_eq!((found, &data["kind"], &data["retryable"]), (code, &json!(kind), &json!(retryable)), "{text}");
        assert!(!text.contains("arn:") && !data.to_string().contains("arn:"), "{text} {data}");
        server.fake.clear_faults();
    }
    assert!(server.a("personal_sign", hello).await.is_ok());
}
