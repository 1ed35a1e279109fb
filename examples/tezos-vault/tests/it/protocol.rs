//! The protocol, and what the rules say.

use kms_signer::keys::NewKey;
use serde_json::json;

use super::*;

#[tokio::test]
async fn both_curves_are_served() {
    for (new, prefix) in [(NewKey::p256(), "p2sig"), (NewKey::signing(), "spsig1")] {
        let kms = Kms::new(new).await;
        let vault = kms.start().await;
        let path = format!("/keys/{}", kms.hash());
        assert_eq!(vault.get(&path).await, (200, json!({"public_key": kms.key.to_string()})));
        assert_eq!(vault.get("/authorized_keys").await, (200, json!({})));
        vault.signs(TRANSACTION).await;
        let (_, answer) = vault.ask(&attestation(1, 0, 1)).await;
        assert!(answer["signature"].as_str().unwrap().starts_with(prefix), "{answer}");
        vault.end().await;
    }
}

#[tokio::test]
async fn what_the_rules_do_not_name_is_refused() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    let before = kms.fake.requests().len();
    assert!(vault.refuses(DELEGATION, 403).await.contains("the operation delegation is not allowed"));
    assert!(vault.refuses(&[5, 3, 6], 403).await.contains("the request kind pack is not allowed"));
    let mut with_dal = [&ATTESTATION[..], &[1]].concat();
    with_dal[37] = 23;
    assert!(vault.refuses(&with_dal, 403).await.contains("attestation_with_dal is not allowed"));
    assert_eq!(kms.fake.requests().len(), before, "KMS was asked");
    vault.end().await;

    // Without a value the key bakes.
    let vault = kms.serve(kms.config("", ""), Marks::in_memory()).await;
    vault.signs(&ATTESTATION).await;
    vault.refuses(TRANSACTION, 403).await;
    vault.end().await;

    let rules = "{allow: {attestation: }, allowed_chains: [NetXdQprcVkpaWU]}";
    let vault = kms.serve(kms.config("", rules), Marks::in_memory()).await;
    assert!(vault.refuses(&ATTESTATION, 403).await.contains("is not allowed for this key"));
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    let path = format!("/keys/{}", kms.hash());
    for (body, why) in [
        ("", "no JSON string"),
        ("03", "no JSON string"),
        ("[]", "no JSON string"),
        ("\"0x03\"", "not in hexadecimal"),
        ("\"031\"", "not in hexadecimal"),
        ("\"zz\"", "not in hexadecimal"),
        ("\"\"", "it is empty"),
        ("\"04\"", "no watermark of Tezos"),
        ("\"0399\"", "it ends too early"),
    ] {
        let said = message(&vault.post(&path, body).await, 400);
        assert!(said.contains(why), "{body}: {said}");
    }
    message(&vault.get("/keys/tz3").await, 400);
    message(&vault.get("/keys/tz3hFR7NZtjT2QtzgMQnWb4xMuD6yt2YzXUt").await, 404);
    message(&vault.post("/keys/tz3hFR7NZtjT2QtzgMQnWb4xMuD6yt2YzXUt", "\"03\"").await, 403);
    message(&vault.get("/nothing").await, 404);
    vault.end().await;
}

#[tokio::test]
async fn a_key_of_the_configuration_may_be_missing() {
    let (kms, other) = (Kms::new(NewKey::p256()).await, Kms::new(NewKey::p256()).await);
    let vault = kms.serve(other.config("", RULES), Marks::in_memory()).await;
    let path = format!("/keys/{}", other.hash());
    let body = format!("\"{}\"", hex::encode(TRANSACTION));
    assert!(message(&vault.post(&path, body).await, 404).contains("is found in no vault"));
    let answer = vault.http.get(format!("{}/healthz", vault.utility_url)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    vault.end().await;

    let vault = kms.start().await;
    let answer = vault.http.get(format!("{}/healthz", vault.utility_url)).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"ready": true}));
    vault.end().await;
}

#[cfg(feature = "demo")]
#[tokio::test]
async fn the_demo_does_what_it_says() {
    use tezos_vault::demo;

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap();
    let demo::Demo { service, commands, .. } = demo::start(listen).await.unwrap();
    let server = Server { service: Arc::new(service), metrics: None };
    tokio::spawn(server.serve(listener, None, std::future::pending()));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut statuses = Vec::new();
    for line in commands.lines() {
        let Some((url, body)) = line.strip_prefix("curl -s ").and_then(|line| line.split_once(" -d ")) else {
            continue;
        };
        let answer = http.post(url).body(body.trim_matches('\'').to_owned()).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 403], "{commands}");
    assert!(demo::start("0.0.0.0:1".parse().unwrap()).await.unwrap_err().contains("not loopback"));
}
