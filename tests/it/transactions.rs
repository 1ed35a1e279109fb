//! Every transaction type, EIP-7702 authorisations, and what the signature of each recovers to.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::eip7702::Authorization;
use alloy_network::TxSigner;
use alloy_primitives::{Address, B256, Signature, TxKind, U256, bytes};

use crate::fake_and_signer;

#[tokio::test]
async fn every_type_recovers_to_the_signer() {
    let (_fake, signer) = fake_and_signer().await;
    let to = Address::repeat_byte(0x42);
    let authorization = Authorization { chain_id: U256::from(1), address: to, nonce: 3 };
    let authorization = signer.sign_authorization(&authorization).await.unwrap();

    let mut legacy = TxLegacy { chain_id: Some(1), nonce: 1, gas_limit: 21_000, ..Default::default() };
    let mut access_list = TxEip2930 { chain_id: 1, to: TxKind::Call(to), ..Default::default() };
    let mut create = TxEip1559 { chain_id: 1, to: TxKind::Create, input: bytes!("600160005500"), ..Default::default() };
    let mut blob =
        TxEip4844 { chain_id: 1, to, blob_versioned_hashes: vec![B256::repeat_byte(1)], ..Default::default() };
    let mut set_code = TxEip7702 { chain_id: 1, to, authorization_list: vec![authorization], ..Default::default() };
    let all: [(&str, &mut dyn SignableTransaction<Signature>); 5] = [
        ("legacy", &mut legacy),
        ("EIP-2930", &mut access_list),
        ("EIP-1559", &mut create),
        ("EIP-4844", &mut blob),
        ("EIP-7702", &mut set_code),
    ];
    for (name, transaction) in all {
        let signature = signer.sign_transaction(transaction).await.unwrap();
        let recovered = signature.recover_address_from_prehash(&transaction.signature_hash()).unwrap();
        assert_eq!(recovered, signer.address(), "{name}");
    }
}

#[tokio::test]
async fn an_authorisation_recovers_to_its_authority_on_any_chain() {
    let (_fake, signer) = fake_and_signer().await;
    for chain_id in [0u64, 1, 31337] {
        let authorization =
            Authorization { chain_id: U256::from(chain_id), address: Address::repeat_byte(7), nonce: u64::MAX };
        let signed = signer.sign_authorization(&authorization).await.unwrap();
        assert_eq!(signed.recover_authority().unwrap(), signer.address());
        assert_eq!(*signed.inner(), authorization);
    }
}
