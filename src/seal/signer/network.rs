//! Transactions: what alloy's wallets ask of a signer.

use alloy_consensus::SignableTransaction;
use alloy_network::{Ethereum, EthereumWallet, IntoWallet, TxSigner, TxSignerSync};
use alloy_primitives::{Address, Signature};
use alloy_signer::{Signer, SignerSync, sign_transaction_with_chain_id};
use async_trait::async_trait;

use super::SealedSigner;

#[async_trait]
impl TxSigner<Signature> for SealedSigner {
    fn address(&self) -> Address {
        self.address()
    }

    async fn sign_transaction(
        &self,
        transaction: &mut dyn SignableTransaction<Signature>,
    ) -> alloy_signer::Result<Signature> {
        self.sign_transaction_sync(transaction)
    }
}

impl TxSignerSync<Signature> for SealedSigner {
    fn address(&self) -> Address {
        self.address()
    }

    fn sign_transaction_sync(
        &self,
        transaction: &mut dyn SignableTransaction<Signature>,
    ) -> alloy_signer::Result<Signature> {
        sign_transaction_with_chain_id!(self, transaction, self.sign_hash_sync(&transaction.signature_hash()))
    }
}

/// Lets `ProviderBuilder::wallet` take the signer itself.
impl IntoWallet<Ethereum> for SealedSigner {
    type NetworkWallet = EthereumWallet;

    fn into_wallet(self) -> EthereumWallet {
        self.into()
    }
}
