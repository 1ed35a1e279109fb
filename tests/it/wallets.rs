//! How alloy's users hold a signer: in a wallet, behind a trait object, cloned, in a provider.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope, transaction::SignerRecoverable};
use alloy_network::{Ethereum, EthereumWallet, FullSigner, IntoWallet, NetworkWallet, TransactionBuilder, TxSigner};
use alloy_primitives::{Address, Signature, U256};
use alloy_provider::{Provider, ProviderBuilder, mock::Asserter};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::Signer;
use kms_signer::{ErrorKind, KmsSigner, fake::Fault};

use crate::{assert_kind, fake_and_signer};

fn transaction() -> TxEip1559 {
    TxEip1559 { chain_id: 1, gas_limit: 21_000, ..Default::default() }
}

#[tokio::test]
async fn a_wallet_signs_with_it() {
    let (_fake, signer) = fake_and_signer().await;
    let address = signer.address();
    let wallet = EthereumWallet::from(signer.clone());
    let signed: TxEnvelope = NetworkWallet::<Ethereum>::sign_transaction(&wallet, transaction().into()).await.unwrap();
    assert_eq!(signed.recover_signer().unwrap(), address);
    assert_eq!(NetworkWallet::<Ethereum>::default_signer_address(&signer.into_wallet()), address);
}

#[tokio::test]
async fn trait_objects_sign_with_it() {
    let (_fake, signer) = fake_and_signer().await;
    let address = signer.address();

    let boxed: Box<dyn Signer + Send + Sync> = Box::new(signer.clone());
    let signature = boxed.sign_message(b"x").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap(), address);

    let shared: Arc<dyn TxSigner<Signature> + Send + Sync> = Arc::new(signer.clone());
    let mut transaction = transaction();
    let signature = shared.sign_transaction(&mut transaction).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&transaction.signature_hash()).unwrap(), address);

    let full: Box<dyn FullSigner<Signature> + Send + Sync> = Box::new(signer);
    assert_eq!(Signer::address(&full), address);
}

#[tokio::test]
async fn clones_share_everything_but_the_chain_id() {
    let (_fake, signer) = fake_and_signer().await;
    let other = signer.clone().with_chain_id(Some(5));
    assert_eq!(other.address(), signer.address());
    assert_eq!((signer.chain_id(), other.chain_id()), (None, Some(5)));
    assert!(size_of::<KmsSigner>() <= 3 * size_of::<usize>(), "a clone copies a pointer and a chain id");
}

#[tokio::test]
async fn errors_are_found_through_everything_alloy_wraps_around_them() {
    let (fake, signer) = fake_and_signer().await;
    let deny = || fake.inject(Fault::error("AccessDeniedException", 400, "no").on("Sign"));

    deny();
    assert_kind(&signer.sign_hash(&Default::default()).await.unwrap_err(), ErrorKind::AccessDenied);
    deny();
    assert_kind(&signer.sign_transaction(&mut transaction()).await.unwrap_err(), ErrorKind::AccessDenied);
    deny();
    let wallet = EthereumWallet::from(signer.clone());
    let error = NetworkWallet::<Ethereum>::sign_transaction(&wallet, transaction().into()).await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);
    assert!(error.to_string().contains("kms:Sign"), "{error}");
    deny();
    let provider =
        ProviderBuilder::new().disable_recommended_fillers().wallet(signer).connect_mocked_client(Asserter::new());
    let request = TransactionRequest::default()
        .with_to(Address::ZERO)
        .with_value(U256::ZERO)
        .with_nonce(0)
        .with_gas_limit(21_000)
        .with_max_fee_per_gas(1)
        .with_max_priority_fee_per_gas(1)
        .with_chain_id(1);
    let error = provider.send_transaction(request).await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);

    let boxed: Box<dyn std::error::Error> = Box::new(error);
    assert_kind(&*boxed, ErrorKind::AccessDenied);
    assert!(kms_signer::Error::find(&std::io::Error::other("unrelated")).is_none());
}
