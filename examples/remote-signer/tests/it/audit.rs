//! What is decided and signed is in the audit file, and nothing is signed without it.

use std::{fs, io::BufReader, path::PathBuf};

use kms_signer::{Stage, guard::audit::verify};
use serde_json::{Value, json};

use crate::support::Setup;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("remote-signer-audit-{name}-{}.jsonl", std::process::id()))
}

#[tokio::test]
async fn each_decision_is_recorded_with_its_caller() {
    let path = path("each");
    let server = Setup { audit: Some(path.clone()), ..Setup::default() }.start().await;
    let own = server.accounts[2];
    server.a("personal_sign", json!(["0x68656c6c6f", server.accounts[0]])).await.unwrap();
    server.call("token-b", "eth_sign", json!([own, "0x68656c6c6f"])).await.unwrap();
    let (_, _, data) = server.call("token-b", "eth_sign", json!([own, "0x627965"])).await.unwrap_err();
    assert_eq!(data["rule"], "greetings");
    // Not for this caller, and so for no guard.
    assert!(server.a("personal_sign", json!(["0x68656c6c6f", own])).await.is_err());
    drop(server);

    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<(&str, &str)> =
        lines[1..].iter().map(|line| (line["caller"].as_str().unwrap(), line["stage"].as_str().unwrap())).collect();
    assert_eq!(seen, [("a", "allowed"), ("a", "signed"), ("b", "allowed"), ("b", "signed"), ("b", "denied")]);
    assert!(lines[1]["key"].as_str().unwrap().starts_with("arn:aws:kms:"));
    assert!(!text.contains("token-"), "{text}");
    let verified = verify(BufReader::new(text.as_bytes())).unwrap();
    assert_eq!((verified.count(Stage::Signed), verified.count(Stage::Denied)), (2, 1));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_signed() {
    let path = path("gone");
    let server = Setup { audit: Some(path.clone()), ..Setup::default() }.start().await;
    fs::remove_file(&path).unwrap();
    let (code, text, data) = server.a("personal_sign", json!(["0x68656c6c6f", server.accounts[0]])).await.unwrap_err();
    assert_eq!((code, &data["kind"]), (-32603, &json!("Unrecorded")), "{text}");
    assert_eq!(server.signatures(), 0);
    let answer = server.http.get(format!("{}/readyz", server.url)).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains(r#""audit":"unrecorded""#));
}
