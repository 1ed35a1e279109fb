//! The chain id of signer and transaction: unset, equal, conflicting.

use alloy_consensus::{SignableTransaction, TxEip1559, TxLegacy};
use alloy_network::TxSigner;
use alloy_signer::Signer;

use crate::fake_and_signer;

#[tokio::test]
async fn is_filled_in_where_unset_and_refused_where_different() {
    let (fake, signer) = fake_and_signer().await;
    // signer's, transaction's, what is signed for
    let cases = [
        (None, None, Ok(None)),
        (None, Some(5), Ok(Some(5))),
        (Some(1), None, Ok(Some(1))),
        (Some(1), Some(1), Ok(Some(1))),
        (Some(1), Some(5), Err((1, 5))),
    ];
    for (own, given, expected) in cases {
        let signer = signer.clone().with_chain_id(own);
        let mut transaction = TxLegacy { chain_id: given, ..Default::default() };
        let asked = fake.requests().len();
        let case = format!("signer {own:?}, transaction {given:?}");
        match (signer.sign_transaction(&mut transaction).await, expected) {
            (Ok(signature), Ok(chain_id)) => {
                assert_eq!(transaction.chain_id, chain_id, "{case}");
                let digest = TxLegacy { chain_id, ..Default::default() }.signature_hash();
                assert_eq!(
                    signature.recover_address_from_prehash(&digest).unwrap(),
                    Signer::address(&signer),
                    "{case}"
                );
            }
            (Err(alloy_signer::Error::TransactionChainIdMismatch { signer, tx }), Err(mismatch)) => {
                assert_eq!((signer, tx), mismatch, "{case}");
                assert_eq!(fake.requests().len(), asked, "nothing is asked of KMS: {case}");
            }
            (got, expected) => panic!("{case}: {got:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn zero_of_a_typed_transaction_is_a_chain_id_of_its_own_kind() {
    // alloy treats an unset chain id of a typed transaction as 0 and leaves what it does with it to the trait.
    let (_fake, signer) = fake_and_signer().await;
    let signer = signer.with_chain_id(Some(10));
    let mut transaction = TxEip1559 { chain_id: 10, ..Default::default() };
    signer.sign_transaction(&mut transaction).await.unwrap();
    transaction.chain_id = 11;
    assert!(signer.sign_transaction(&mut transaction).await.is_err());
}

#[tokio::test]
async fn does_not_change_hashes_and_messages() {
    let (_fake, signer) = fake_and_signer().await;
    let signer = signer.with_chain_id(Some(1));
    assert_eq!(Signer::chain_id(&signer), Some(1));
    let signature = signer.sign_message(b"x").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap(), Signer::address(&signer));
    assert_eq!(signer.with_chain_id(None).chain_id(), None);
}
