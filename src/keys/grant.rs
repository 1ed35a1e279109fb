//! Letting another principal sign with a key, without a change of its policy.

use core::fmt;

use alloy_primitives::{hex, keccak256};

use super::Keys;
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// A grant of `GetPublicKey` and `Sign`.
#[derive(Clone)]
pub struct Grant {
    key: KeyRef,
    id: String,
    token: String,
}

impl Grant {
    /// The key: its ARN, or the key id that it was given by.
    pub fn key(&self) -> &KeyRef {
        &self.key
    }

    /// What it is [revoked](Keys::revoke) by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lets the grantee use it at once: [`KmsSignerBuilder::grant_token`](crate::KmsSignerBuilder::grant_token). Without the
    /// token a grant works when it has spread, usually within five minutes.
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// Without the token.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("key", &self.key).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Keys {
    /// Lets a principal, by its ARN, connect to a key and sign with it: `GetPublicKey` and `Sign`, nothing else. Granted to the same principal
    /// twice, it is one grant.
    ///
    /// Needs `kms:CreateGrant` on the key, and `kms:DescribeKey` where it is given by an alias.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] if `key` is no key reference, and those that a request ends with.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use kms_signer::{KmsSigner, fake::FakeKms, keys::{Keys, NewKey}};
    ///
    /// let fake = FakeKms::new();
    /// let keys = Keys::new(fake.client());
    /// let key = keys.create(NewKey::signing()).await?;
    /// let grant = keys.grant_signing(key.arn(), "arn:aws:iam::111122223333:role/relayer").await?;
    ///
    /// // At the relayer, with the role's credentials:
    /// let signer = KmsSigner::builder(fake.client(), key.arn()).grant_token(grant.token()).connect().await?;
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    pub async fn grant_signing(&self, key: impl AsRef<str>, principal_arn: impl AsRef<str>) -> Result<Grant> {
        let (key, principal) = (self.resolve(key.as_ref()).await?, principal_arn.as_ref());
        // A name makes the request repeatable: the same grant is not made twice.
        let digest = keccak256(principal);
        let name = format!("kms-signer/sign/{}", hex::encode(digest.get(..16).unwrap_or_default()));
        let answer = self.client.create_signing_grant(&key, principal, &name).await?;
        let missing = |field: &str| {
            Error::new(ErrorKind::InvalidResponse, Operation::CreateGrant, format!("the answer has no {field}"))
        };
        let id = answer.grant_id.ok_or_else(|| missing("GrantId"))?;
        let token = answer.grant_token.ok_or_else(|| missing("GrantToken"))?;
        Ok(Grant { key, id, token })
    }

    /// Takes a grant back. Its holder may still sign for as long as that takes to spread, usually less than five minutes.
    ///
    /// Needs `kms:RevokeGrant` on the key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyNotFound`] if there is no such grant any more, and those that a request ends with.
    pub async fn revoke(&self, key: impl AsRef<str>, grant_id: impl AsRef<str>) -> Result<()> {
        let key = self.resolve(key.as_ref()).await?;
        match self.client.revoke_grant(&key, grant_id.as_ref()).await {
            // An earlier request may have done it, and its answer been lost.
            Err(error) if error.kind() == ErrorKind::KeyNotFound && error.attempts() > 1 => Ok(()),
            result => result,
        }
    }
}
