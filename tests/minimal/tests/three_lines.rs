//! A key, a wallet, a signed transaction, with nothing but this crate and its re-exports.

use kms_signer::{
    KmsSigner,
    alloy_consensus::{TxEip1559, TxEnvelope, transaction::SignerRecoverable},
    alloy_network::{Ethereum, EthereumWallet, NetworkWallet},
    fake::FakeKms,
};

#[tokio::test]
async fn sign_with_a_wallet() {
    let fake = FakeKms::new();
    let arn = fake.create_key().unwrap();

    let signer = KmsSigner::new(fake.client(), arn, Some(1)).await.unwrap();
    let address = signer.address();
    let wallet = EthereumWallet::from(signer);
    let transaction = TxEip1559 { chain_id: 1, ..Default::default() };
    let signed: TxEnvelope = NetworkWallet::<Ethereum>::sign_transaction(&wallet, transaction.into()).await.unwrap();

    assert_eq!(signed.recover_signer().unwrap(), address);
}
