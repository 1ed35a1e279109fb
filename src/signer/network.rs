//! Transactions and EIP-7702 authorisations: what alloy's wallets ask of a signer.

use alloy_consensus::SignableTransaction;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_network::{Ethereum, EthereumWallet, IntoWallet, TxSigner};
use alloy_primitives::{Address, Signature};
use alloy_signer::{Signer, sign_transaction_with_chain_id};
use async_trait::async_trait;

use super::KmsSigner;
use crate::error::Result;

impl KmsSigner {
    /// Signs an EIP-7702 authorisation, by which this signer's account delegates to a contract.
    ///
    /// Signed as it is: the signer's own chain id is neither applied nor checked, since chain id 0 in an
    /// authorisation means every chain. Needs `kms:Sign`.
    ///
    /// # Errors
    ///
    /// Those of signing.
    pub async fn sign_authorization(&self, authorization: &Authorization) -> Result<SignedAuthorization> {
        let signature = self.sign_digest(&authorization.signature_hash()).await?;
        Ok(authorization.clone().into_signed(signature))
    }
}

#[async_trait]
impl TxSigner<Signature> for KmsSigner {
    fn address(&self) -> Address {
        self.address()
    }

    async fn sign_transaction(
        &self,
        transaction: &mut dyn SignableTransaction<Signature>,
    ) -> alloy_signer::Result<Signature> {
        sign_transaction_with_chain_id!(self, transaction, self.sign_hash(&transaction.signature_hash()).await)
    }
}

/// Lets `ProviderBuilder::wallet` take the signer itself.
impl IntoWallet<Ethereum> for KmsSigner {
    type NetworkWallet = EthereumWallet;

    fn into_wallet(self) -> EthereumWallet {
        self.into()
    }
}
