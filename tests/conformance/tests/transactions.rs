//! Every transaction type, signed by a KMS key of the emulator and mined by a real Ethereum node; messages and typed data
//! checked by the node's `ecrecover`; errors found through a provider.

use alloy_consensus::Transaction;
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4844::builder::{SidecarBuilder, SimpleCoder},
    eip7594::BlobTransactionSidecarVariant,
    eip7702::Authorization,
};
use alloy_network::{TransactionBuilder, TransactionBuilder4844, TransactionBuilder7702};
use alloy_primitives::{Address, B256, Bytes, U256, address, bytes, keccak256};
use alloy_provider::{Provider, ProviderBuilder};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_signer::Signer;
use alloy_sol_types::{SolStruct, eip712_domain, sol};
use conformance::{behaviours::ACCOUNT_0, bounded, endpoint, import::import, target::Target};
use kms_signer::{
    Error, ErrorKind, KmsSigner,
    signature::{V, to_eth_bytes},
};

const CHAIN_ID: u64 = 31337;
const TO: Address = Address::repeat_byte(0x42);

/// A signer over a new key of the emulator, and a provider that sends with it, its address funded.
async fn signer_and_provider(rpc: &str) -> (Target, KmsSigner, impl Provider + Clone) {
    let target = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    let arn = target.signing_key().await;
    let signer = KmsSigner::builder(target.sdk(), arn).chain_id(CHAIN_ID).connect().await.unwrap();
    let provider = ProviderBuilder::new().wallet(signer.clone()).connect_http(endpoint(rpc).parse().unwrap());
    fund(&provider, signer.address()).await;
    (target, signer, provider)
}

async fn fund(provider: &impl Provider, address: Address) {
    let ether = U256::from(10).pow(U256::from(18));
    provider.raw_request::<_, ()>("anvil_setBalance".into(), (address, ether)).await.unwrap();
}

/// Sends, waits, and checks that it was mined with success, from the signer, with this type.
async fn mine(
    provider: &impl Provider,
    signer: &KmsSigner,
    kind: u8,
    transaction: TransactionRequest,
) -> TransactionReceipt {
    let sending = async { provider.send_transaction(transaction).await.unwrap().get_receipt().await };
    let receipt = bounded(sending).await.unwrap();
    assert!(receipt.status(), "{receipt:?}");
    assert_eq!(receipt.from, signer.address());
    assert_eq!(receipt.inner.tx_type() as u8, kind);
    let mined = provider.get_transaction_by_hash(receipt.transaction_hash).await.unwrap().unwrap();
    assert_eq!(mined.inner.signer(), signer.address());
    assert_eq!(mined.chain_id(), Some(CHAIN_ID));
    println!("mined: type {kind}, transaction {}", receipt.transaction_hash);
    receipt
}

fn transfer() -> TransactionRequest {
    TransactionRequest::default().with_to(TO).with_value(U256::from(1))
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn legacy() {
    let (_target, signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    let gas_price = provider.get_gas_price().await.unwrap();
    mine(&provider, &signer, 0, transfer().with_gas_price(gas_price)).await;
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn access_list() {
    let (_target, signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    let gas_price = provider.get_gas_price().await.unwrap();
    let list = AccessList(vec![AccessListItem { address: TO, storage_keys: vec![B256::ZERO, B256::repeat_byte(1)] }]);
    mine(&provider, &signer, 1, transfer().with_gas_price(gas_price).with_access_list(list)).await;
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn fee_market() {
    let (_target, signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    let before = provider.get_balance(TO).await.unwrap();
    mine(&provider, &signer, 2, transfer()).await;
    assert!(provider.get_balance(TO).await.unwrap() > before);
}

/// A real blob. Before Osaka a node takes its proofs per blob (EIP-4844), since then per cell (EIP-7594).
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, ETH_RPC_URL and ETH_RPC_URL_PRAGUE, started by tests/stack.sh"]
async fn blobs_in_both_sidecar_forms() {
    let data = b"a blob, signed for by a key in KMS".repeat(100);
    let builder = || SidecarBuilder::<SimpleCoder>::from_slice(&data);
    let per_blob = BlobTransactionSidecarVariant::Eip4844(builder().build_4844().unwrap());
    let per_cell = BlobTransactionSidecarVariant::Eip7594(builder().build_7594().unwrap());
    for (rpc, sidecar) in [("ETH_RPC_URL_PRAGUE", per_blob), ("ETH_RPC_URL", per_cell)] {
        let (_target, signer, provider) = signer_and_provider(rpc).await;
        let hashes: Vec<B256> = sidecar.versioned_hashes().collect();
        let transaction = TransactionRequest::default()
            .with_to(TO)
            .with_max_fee_per_blob_gas(1_000_000_000)
            .with_blob_sidecar(sidecar);
        let receipt = mine(&provider, &signer, 3, transaction).await;
        assert!(receipt.blob_gas_used.unwrap_or_default() > 0, "{receipt:?}");
        let mined = provider.get_transaction_by_hash(receipt.transaction_hash).await.unwrap().unwrap();
        assert_eq!(mined.blob_versioned_hashes(), Some(&hashes[..]));
    }
}

/// Account A, in KMS, authorises a delegation; account B, in KMS too, sends it; A's code then points at the contract.
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn set_code_with_an_authorisation_that_takes_effect() {
    let (target, sender, provider) = signer_and_provider("ETH_RPC_URL").await;
    let authority = target.signer(target.signing_key().await).await.unwrap();
    let contract = address!("00000000000000000000000000000000000000AA");
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: contract, nonce: 0 };
    let authorization = authority.sign_authorization(&authorization).await.unwrap();

    let transaction = transfer().with_authorization_list(vec![authorization]);
    mine(&provider, &sender, 4, transaction).await;
    // EIP-7702: the delegation indicator is ef0100 and the address.
    let code = provider.get_code_at(authority.address()).await.unwrap();
    assert_eq!(code, Bytes::from([&[0xef, 0x01, 0x00][..], contract.as_slice()].concat()));
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn contract_creation() {
    let (_target, signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    // Returns the one byte 00 as the contract's code.
    let transaction = TransactionRequest::default().with_deploy_code(bytes!("60016000f3"));
    let receipt = mine(&provider, &signer, 2, transaction).await;
    assert_eq!(receipt.contract_address, Some(signer.address().create(0)));
    let code = provider.get_code_at(receipt.contract_address.unwrap()).await.unwrap();
    assert_eq!(code, bytes!("00"));
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn an_imported_key_sends_for_its_known_address() {
    let target = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    let arn = import(&target, &ACCOUNT_0.0).await;
    let signer = target.signer(arn).await.unwrap();
    assert_eq!(signer.address(), ACCOUNT_0.1);
    let provider = ProviderBuilder::new().wallet(signer.clone()).connect_http(endpoint("ETH_RPC_URL").parse().unwrap());
    mine(&provider, &signer, 2, transfer()).await;
}

/// `ecrecover` is the precompile at address 1: digest, v as 32 bytes, r, s in; the address out.
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn the_node_recovers_messages_and_typed_data() {
    sol! {
        struct Vote {
            uint256 proposal;
            bool support;
        }
    }
    let (_target, signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    let message = signer.sign_message(b"checkpoint").await.unwrap();
    let domain = eip712_domain! { name: "governor", chain_id: CHAIN_ID, };
    let vote = Vote { proposal: U256::from(7), support: true };
    let typed = signer.sign_typed_data(&vote, &domain).await.unwrap();
    let cases = [
        (alloy_primitives::eip191_hash_message("checkpoint"), message),
        (vote.eip712_signing_hash(&domain), typed),
        (keccak256("bare"), signer.sign_hash(&keccak256("bare")).await.unwrap()),
    ];
    for (digest, signature) in cases {
        let bytes = to_eth_bytes(&signature, V::Legacy);
        let (rs, v) = bytes.split_at(64);
        let input = [digest.as_slice(), &[0; 31], v, rs].concat();
        let call = TransactionRequest::default().with_to(Address::with_last_byte(1)).with_input(input);
        let output = provider.call(call).await.unwrap();
        assert_eq!(Address::from_slice(&output[12..]), signer.address());
    }
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn an_error_is_found_through_the_provider() {
    let (target, signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    target.sdk().disable_key().key_id(signer.key().as_ref()).send().await.unwrap();
    let error = provider.send_transaction(transfer()).await.unwrap_err();
    let ours = Error::find(&error).unwrap_or_else(|| panic!("{error}"));
    assert_eq!(ours.kind(), ErrorKind::KeyUnusable, "{error}");
    assert_eq!(ours.key(), Some(signer.key().as_ref()));
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn a_transaction_for_another_chain_is_refused() {
    let (_target, _signer, provider) = signer_and_provider("ETH_RPC_URL").await;
    let error = provider.send_transaction(transfer().with_chain_id(1)).await.unwrap_err();
    assert!(error.to_string().contains("does not match the signer's chain ID"), "{error}");
}
