//! `authorized_keys`: requests that their callers sign.

use ed25519_dalek::{Signer, SigningKey};
use kms_signer::{keys::NewKey, tezos};
use serde_json::json;

use super::*;

/// Of octez's base58: `edpk…` and `edsig…`.
fn edpk(key: &SigningKey) -> String {
    bs58::encode([&[13, 15, 37, 217][..], key.verifying_key().as_bytes()].concat()).with_check().into_string()
}

fn authenticate(key: &SigningKey, hash: &PublicKeyHash, bytes: &[u8]) -> String {
    let signed = [&[4, 1][..], &hash.to_bytes(), bytes].concat();
    let signature = key.sign(tezos::digest(&signed).as_slice());
    bs58::encode([&[9, 245, 205, 134, 18][..], &signature.to_bytes()].concat()).with_check().into_string()
}

async fn ask(vault: &Running, hash: &PublicKeyHash, bytes: &[u8], authentication: &str) -> (u16, Value) {
    let path = format!("/keys/{hash}?version=2&authentication={authentication}");
    vault.post(&path, format!("\"{}\"", hex::encode(bytes))).await
}

#[tokio::test]
async fn only_known_callers_are_served() {
    let [one, two, stranger] = [1, 2, 3].map(|byte| SigningKey::from_bytes(&[byte; 32]));
    let kms = Kms::new(NewKey::p256()).await;
    let hash = kms.hash();
    let before = format!("server: {{authorized_keys: [{}, {}]}}", edpk(&one), edpk(&two));
    let rules = format!("{{allow: {{generic: [transaction]}}, authorized_keys: {}}}", edpk(&one));
    let vault = kms.serve(kms.config(&before, &rules), Marks::in_memory()).await;

    let (_, answer) = vault.get("/authorized_keys").await;
    let known = |key: &SigningKey| edpk(key).parse::<PublicKey>().unwrap().hash().to_string();
    let mut expected = [known(&one), known(&two)];
    expected.sort();
    assert_eq!(answer, json!({"authorized_keys": expected}));

    assert!(vault.refuses(TRANSACTION, 401).await.contains("authentication= is missing"));
    let signed = authenticate(&one, &hash, TRANSACTION);
    let (status, answer) = ask(&vault, &hash, TRANSACTION, &signed).await;
    assert_eq!(status, 200, "{answer}");
    // Known to the server, but not to the key; to nobody; of other bytes, of another key.
    let said = message(&ask(&vault, &hash, TRANSACTION, &authenticate(&two, &hash, TRANSACTION)).await, 403);
    assert!(said.contains(&format!("{} is not authorized for this key", known(&two))), "{said}");
    message(&ask(&vault, &hash, TRANSACTION, &authenticate(&stranger, &hash, TRANSACTION)).await, 403);
    // Another transaction, which the key's rules allow: the last byte of the amount.
    let mut another = TRANSACTION.to_vec();
    let amount = another.len() - 24;
    another[amount] ^= 1;
    let said = message(&ask(&vault, &hash, &another, &signed).await, 403);
    assert!(said.contains("by none of the authorized keys"), "{said}");
    let other = "tz3hFR7NZtjT2QtzgMQnWb4xMuD6yt2YzXUt".parse().unwrap();
    message(&ask(&vault, &hash, TRANSACTION, &authenticate(&one, &other, TRANSACTION)).await, 403);
    message(&ask(&vault, &hash, TRANSACTION, "edsig").await, 400);
    // What is wrong with a request is told to callers only.
    message(&ask(&vault, &hash, b"\x04", &signed).await, 403);
    vault.end().await;
}

#[tokio::test]
async fn callers_may_have_keys_of_every_curve() {
    let (kms, caller) = (Kms::new(NewKey::p256()).await, Kms::new(NewKey::signing()).await);
    let rules = format!("{{allow: {{generic: [transaction]}}, authorized_keys: [{}]}}", caller.key);
    let vault = kms.serve(kms.config("", &rules), Marks::in_memory()).await;
    let found = discover(&caller.vaults()).await.unwrap();
    let signer = tezos::TezosSigner::new(found[0].client.clone(), &found[0].arn).await.unwrap();
    let signed = [&[4, 1][..], &kms.hash().to_bytes(), TRANSACTION].concat();
    let signature = signer.sign(&signed).await.unwrap();
    for authentication in [signature, signature.to_generic()] {
        let (status, answer) = ask(&vault, &kms.hash(), TRANSACTION, &authentication.to_string()).await;
        assert_eq!(status, 200, "{answer}");
    }
    vault.refuses(TRANSACTION, 401).await;
    // octez-client learns that it has to sign.
    assert_eq!(vault.get("/authorized_keys").await.1, json!({"authorized_keys": [caller.hash().to_string()]}));
    vault.end().await;
}
