//! A guarded signer as alloy's users hold it.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy, transaction::SignerRecoverable};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip7702::Authorization;
use alloy_network::{Ethereum, EthereumWallet, FullSigner, IntoWallet, NetworkWallet, TransactionBuilder, TxSigner};
use alloy_primitives::{Address, B256, Signature, TxKind, U256};
use alloy_provider::{Provider, ProviderBuilder, mock::Asserter};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::Signer;
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain, sol};
use futures_util::future::join_all;
use kms_signer::{
    ErrorKind, KmsSigner,
    fake::{FakeKms, Fault},
    guard::{Guard, Guarded},
};
use serde_json::{Value, json};

use super::properties::Counting;
use crate::{assert_kind, fake_and_signer, ours};

const RULES: &str = r#"
    [[transactions]]
    name = "pay"
    chain_ids = [1]
    to = ["0x4242424242424242424242424242424242424242"]
    max_value = 100
    max_fee_per_gas = 0
    max_gas_limit = 21000

    [[messages]]
    name = "log in"
    prefixes = ["Log in: "]

    [[typed_data]]
    name = "permit"
    domain_names = ["Token"]
    domain_versions = "any"
    chain_ids = [1]
    verifying_contracts = "any"
    primary_types = ["Permit"]

    [[authorizations]]
    name = "wallet"
    chain_ids = [1]
    delegates = ["0x0707070707070707070707070707070707070707"]
"#;

sol! {
    struct Permit {
        address spender;
        uint256 value;
    }

    struct Order {
        uint256 value;
    }
}

fn guard() -> Guard {
    Guard::from_toml(RULES).unwrap()
}

/// A KMS whose requests are counted, and a guarded signer.
async fn guarded() -> (FakeKms, Guarded<KmsSigner>) {
    let (fake, signer) = fake_and_signer().await;
    (fake, Guarded::new(signer, guard()))
}

fn payment(value: u64) -> TxEip1559 {
    let to = TxKind::Call(Address::repeat_byte(0x42));
    TxEip1559 { chain_id: 1, gas_limit: 21_000, to, value: U256::from(value), ..Default::default() }
}

fn domain(name: &'static str) -> Eip712Domain {
    eip712_domain! { name: name, chain_id: 1, }
}

#[tokio::test]
async fn what_is_allowed_is_signed_with_the_signer() {
    let (_fake, signer) = guarded().await;
    let address = Signer::address(&signer);
    assert_eq!(address, TxSigner::address(&signer));

    let mut transaction = payment(100);
    let signature = signer.sign_transaction(&mut transaction).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&transaction.signature_hash()).unwrap(), address);

    let signature = signer.sign_message(b"Log in: 1").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("Log in: 1").unwrap(), address);

    let permit = Permit { spender: address, value: U256::from(1) };
    let signature = signer.sign_typed_data(&permit, &domain("Token")).await.unwrap();
    let digest = permit.eip712_signing_hash(&domain("Token"));
    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), address);

    let data = typed_data("Permit");
    let signature = signer.sign_dynamic_typed_data(&data).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&data.eip712_signing_hash().unwrap()).unwrap(), address);

    let authorization = Authorization { chain_id: U256::from(1), address: Address::repeat_byte(7), nonce: 1 };
    let signed = signer.sign_authorization(&authorization).await.unwrap();
    assert_eq!(signed.recover_authority().unwrap(), address);
}

/// Typed data as JSON has it, with a struct of this name.
fn typed_data(primary_type: &str) -> TypedData {
    serde_json::from_value(json!({
        "domain": { "name": "Token", "chainId": 1 },
        "types": {
            "EIP712Domain": [{ "name": "name", "type": "string" }, { "name": "chainId", "type": "uint256" }],
            primary_type: [{ "name": "value", "type": "uint256" }],
        },
        "primaryType": primary_type,
        "message": { "value": "1" },
    }))
    .unwrap()
}

#[tokio::test]
async fn what_is_denied_is_asked_of_nobody() {
    let (fake, signer) = guarded().await;
    let before = fake.requests().len();
    let order = Order { value: U256::from(1) };
    let every_chain = Authorization { chain_id: U256::ZERO, address: Address::repeat_byte(7), nonce: 1 };
    for (error, rule) in [
        (signer.sign_transaction(&mut payment(101)).await.unwrap_err(), Some("pay")),
        (signer.sign_message(b"log in").await.unwrap_err(), Some("log in")),
        (signer.sign_typed_data(&order, &domain("Token")).await.unwrap_err(), Some("permit")),
        (signer.sign_dynamic_typed_data(&typed_data("Order")).await.unwrap_err(), Some("permit")),
        (signer.sign_authorization(&every_chain).await.unwrap_err(), Some("wallet")),
        (signer.sign_hash(&payment(1).signature_hash()).await.unwrap_err(), None),
    ] {
        assert_kind(&error, ErrorKind::GuardDenied);
        assert_eq!(ours(&error).rule(), rule);
        assert!(!ours(&error).is_retryable() && !ours(&error).may_have_signed());
    }
    assert_eq!(fake.requests().len(), before);
}

#[tokio::test]
async fn the_denial_is_found_in_what_a_provider_returns() {
    let (fake, signer) = guarded().await;
    let before = fake.requests().len();
    let provider = ProviderBuilder::default().wallet(signer.clone()).connect_mocked_client(Asserter::new());
    let request = TransactionRequest::default()
        .with_from(Signer::address(&signer))
        .with_to(Address::repeat_byte(0x42))
        .with_value(U256::from(101))
        .with_nonce(0)
        .with_chain_id(1)
        .with_gas_limit(21_000)
        .with_max_fee_per_gas(0)
        .with_max_priority_fee_per_gas(0);
    let error = provider.send_transaction(request).await.unwrap_err();
    assert_kind(&error, ErrorKind::GuardDenied);
    let text = ours(&error).to_string();
    assert!(text.contains("transaction denied by \"pay\": value 101 wei is above max_value, 100 wei"), "{text}");
    assert_eq!(fake.requests().len(), before);
}

#[tokio::test]
async fn wallets_and_trait_objects_take_it() {
    let (_fake, signer) = guarded().await;
    let address = Signer::address(&signer);
    for wallet in [EthereumWallet::from(signer.clone()), signer.clone().into_wallet()] {
        let signed: TxEnvelope = NetworkWallet::<Ethereum>::sign_transaction(&wallet, payment(1).into()).await.unwrap();
        assert_eq!(signed.recover_signer().unwrap(), address);
    }
    let boxed: Box<dyn FullSigner<Signature> + Send + Sync> = Box::new(signer);
    assert_kind(&boxed.sign_message(b"x").await.unwrap_err(), ErrorKind::GuardDenied);
}

#[tokio::test]
async fn the_signers_chain_id_is_applied_before_it_judges() {
    let (_fake, mut signer) = guarded().await;
    let bare = TxLegacy {
        chain_id: None,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(0x42)),
        ..Default::default()
    };

    let error = signer.sign_transaction(&mut bare.clone()).await.unwrap_err();
    assert_kind(&error, ErrorKind::GuardDenied);
    assert!(error.to_string().contains("no chain id"), "{error}");

    signer.set_chain_id(Some(5));
    assert_eq!(signer.chain_id(), Some(5));
    let error = signer.sign_transaction(&mut bare.clone()).await.unwrap_err();
    assert!(error.to_string().contains("chain id 5 is not among chain_ids, 1"), "{error}");

    let error = signer.sign_transaction(&mut payment(1)).await.unwrap_err();
    assert!(matches!(error, alloy_signer::Error::TransactionChainIdMismatch { signer: 5, tx: 1 }), "{error}");

    signer.set_chain_id(Some(1));
    let mut transaction = bare;
    signer.sign_transaction(&mut transaction).await.unwrap();
    assert_eq!(transaction.chain_id, Some(1));
}

#[tokio::test]
async fn blind_hashes_are_signed_where_the_rules_say_so() {
    let (_fake, signer) = fake_and_signer().await;
    let signer = Guarded::new(signer, Guard::from_toml("allow_blind_hashes = true").unwrap());
    signer.sign_hash(&B256::repeat_byte(1)).await.unwrap();
    // They allow nothing that shows its content.
    assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::GuardDenied);
}

#[tokio::test]
async fn a_signature_that_fails_gives_its_share_of_the_limit_back() {
    let (fake, signer) = fake_and_signer().await;
    let limit = "[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100";
    let signer = Guarded::new(signer, Guard::from_toml(&format!("{RULES}{limit}")).unwrap());
    fake.inject(Fault::error("DisabledException", 400, "disabled"));
    assert_kind(&signer.sign_transaction(&mut payment(100)).await.unwrap_err(), ErrorKind::KeyUnusable);
    signer.sign_transaction(&mut payment(100)).await.unwrap();
    let error = signer.sign_transaction(&mut TxEip1559 { nonce: 1, ..payment(1) }).await.unwrap_err();
    assert_eq!(ours(&error).rule(), Some("l"));
}

/// Nobody knows whether it was signed. A restart sees a decision without an outcome, and counts it, too.
#[tokio::test]
async fn a_call_that_is_no_longer_waited_for_counts_as_signed() {
    let (fake, signer) = fake_and_signer().await;
    let limit = "[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100";
    let signer = Guarded::new(signer, Guard::from_toml(&format!("{RULES}{limit}")).unwrap());
    fake.inject(Fault::stall());
    let mut stalled = payment(100);
    let waiting = signer.sign_transaction(&mut stalled);
    tokio::time::timeout(Duration::from_millis(50), waiting).await.unwrap_err();
    let error = signer.sign_transaction(&mut TxEip1559 { nonce: 1, ..payment(1) }).await.unwrap_err();
    assert_eq!(ours(&error).rule(), Some("l"));
    // Asked once more, it counts once.
    signer.sign_transaction(&mut payment(100)).await.unwrap();
}

#[tokio::test]
async fn concurrent_signatures_cannot_overspend() {
    let signer = Counting::new();
    let limit = "[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100";
    let guarded = Guarded::new(signer.clone(), Guard::from_toml(&format!("{RULES}{limit}")).unwrap());
    let all = (0..64).map(|nonce| {
        let guarded = guarded.clone();
        tokio::spawn(async move { guarded.sign_transaction(&mut TxEip1559 { nonce, ..payment(9) }).await.is_ok() })
    });
    let signed = join_all(all).await.into_iter().filter(|result| *result.as_ref().unwrap()).count();
    assert_eq!(signed, 11, "11 times 9 fit into 100");
    assert_eq!(signer.asked.load(Relaxed), 11);
}

#[tokio::test]
async fn its_debug_shows_the_signer_and_no_rule() {
    let (_fake, signer) = guarded().await;
    let text = format!("{:?}", signer.with_caller("relayer"));
    assert!(text.contains("KmsSigner") && text.contains("relayer"), "{text}");
    assert!(!text.contains("max_value"), "{text}");
}

#[tokio::test]
async fn a_box_takes_no_typed_data_for_a_hash_that_is_allowed() {
    let (_fake, signer) = guarded().await;
    let permit = Permit { spender: Address::ZERO, value: U256::from(1) };
    let boxed = Box::new(signer);
    let error = boxed.sign_typed_data(&permit, &domain("Token")).await.unwrap_err();
    assert_kind(&error, ErrorKind::GuardDenied);
    assert!(error.to_string().contains("sign_dynamic_typed_data"), "{error}");
}

#[tokio::test]
async fn a_kms_signer_is_guarded_with_its_key() {
    let (_fake, signer) = fake_and_signer().await;
    let key = signer.key().clone();
    let signer = signer.guarded(guard());
    assert_eq!(signer.key(), &key);
    signer.preflight().await.unwrap();
    assert!(format!("{signer:?}").contains(&key.to_string()));
}

/// Some kilobytes that stand for as many members as there are atoms in a flea.
#[tokio::test]
async fn typed_data_that_expands_without_end_is_denied_at_once() {
    let (fake, signer) = guarded().await;
    let before = fake.requests().len();
    let member = |name: &str, ty: &str| json!({ "name": name, "type": ty });
    let document = |types: serde_json::Map<String, Value>, primary_type: &str, message: Value| -> TypedData {
        let domain = json!({ "name": "Token", "chainId": 1 });
        serde_json::from_value(
            json!({ "domain": domain, "types": types, "primaryType": primary_type, "message": message }),
        )
        .unwrap()
    };
    let doubling = (0..60).map(|n| {
        let next = format!("T{}", n + 1);
        (format!("T{n}"), json!([member("a", &next), member("b", &next)]))
    });
    let chain = (0..100_000).map(|n| (format!("T{n}"), json!([member("a", &format!("T{}", n + 1))])));
    let brackets = format!("uint256{}", "[]".repeat(100_000));
    let deep = [("Permit".to_owned(), json!([member("value", &brackets)]))];
    let wide = [(
        "Permit".to_owned(),
        (0..2000).map(|n| member(&format!("member_with_a_long_name_{n}"), "uint256")).collect(),
    )];
    let many = Value::Array(vec![json!({}); 100_000]);
    for (data, said) in [
        (document(doubling.collect(), "T0", json!({})), "expand"),
        (document(chain.collect(), "T0", json!({})), "types"),
        (document(deep.into_iter().collect(), "Permit", json!({ "value": [] })), "name"),
        (document(wide.into_iter().collect(), "Permit", many), "values"),
    ] {
        let error = signer.sign_dynamic_typed_data(&data).await.unwrap_err();
        assert_kind(&error, ErrorKind::GuardDenied);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(fake.requests().len(), before);
}

/// A type within itself has no end either.
#[tokio::test]
async fn typed_data_with_a_type_in_itself_is_refused() {
    let (_fake, signer) = guarded().await;
    let data: TypedData = serde_json::from_value(json!({
        "domain": { "name": "Token", "chainId": 1 },
        "types": { "Permit": [{ "name": "a", "type": "Permit[]" }] },
        "primaryType": "Permit",
        "message": { "a": [] },
    }))
    .unwrap();
    signer.sign_dynamic_typed_data(&data).await.unwrap_err();
}
