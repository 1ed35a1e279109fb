//! Transactions and EIP-7702 authorisations: what alloy's wallets ask of a signer.

use alloy_consensus::SignableTransaction;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_network::{Ethereum, EthereumWallet, IntoWallet, TxSigner, TxSignerSync};
use alloy_primitives::{Address, Signature};
use alloy_signer::{Signer, SignerSync, sign_transaction_with_chain_id};
use async_trait::async_trait;

use super::SealedSigner;

impl SealedSigner {
    /// Signs an EIP-7702 authorisation, by which this signer's account delegates to a contract.
    ///
    /// Signed as it is: the signer's own chain id is neither applied nor checked, since chain id 0 in an authorisation means every
    /// chain. KMS is not asked.
    ///
    /// # Errors
    ///
    /// Those of signing with a local key: none that is expected.
    pub async fn sign_authorization(&self, authorization: &Authorization) -> alloy_signer::Result<SignedAuthorization> {
        let signature = self.sign_hash_sync(&authorization.signature_hash())?;
        Ok(authorization.clone().into_signed(signature))
    }
}

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
