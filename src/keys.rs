//! Keys from code: create, ensure, list, import, replicate, grant and retire them, and load many signers.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use kms_signer::{fake::FakeKms, keys::{Filter, Keys, NewKey}};
//!
//! let keys = Keys::new(FakeKms::new().client());
//! let key = keys.ensure("alias/wallets/treasury", NewKey::signing().tag("team", "treasury")).await?;
//! println!("{} {:?}", key.arn(), key.address());
//!
//! let wallets = keys.load_signers(Filter::new().alias_prefix("alias/wallets/")).await?;
//! assert_eq!(wallets.iter().map(|signer| signer.address()).next(), key.address());
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! # Which rights it needs
//!
//! A signer needs `kms:GetPublicKey` and `kms:Sign` on its key. Who manages keys needs more; each method says what. Where a key is
//! given by an alias, most need `kms:DescribeKey`, too, because KMS takes no alias for them. Policies with just that come from
//! [`iam`](crate::iam).
//!
//! # What it does not do
//!
//! It deletes nothing at once: KMS has a waiting period of 7 to 30 days, in which a deletion can be
//! [cancelled](Keys::cancel_deletion). It never exports a key; KMS cannot.

mod create;
mod ensure;
mod filter;
mod grant;
mod import;
mod info;
mod keystore;
mod list;
mod load;
mod new_key;
mod pages;
mod record;
mod replicate;
mod secret;
mod visible;
mod wrap;

use core::fmt;
use std::{sync::Arc, time::Duration};

use aws_sdk_kms::types::{KeyState, Tag};

use self::ensure::Turns;
pub use self::{
    filter::Filter,
    grant::Grant,
    info::KeyInfo,
    list::{Listed, Skipped},
    load::{Selection, Signers},
    new_key::NewKey,
    record::KeyRecord,
    replicate::Replica,
    secret::Secret,
};
use crate::{
    client::KmsClient,
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};
pub use aws_sdk_kms::types::{KeySpec, KeyState as State, KeyUsageType as KeyUsage};

/// Manages the keys of an account in the client's first Region. A key that is named by an ARN is looked for in the ARN's Region,
/// which must be one of the client's.
///
/// Clones are cheap and share the client with its limits.
#[derive(Clone)]
pub struct Keys {
    client: KmsClient,
    visible_within: Duration,
    turns: Arc<Turns>,
}

impl Keys {
    /// Through this client: an [`aws_sdk_kms::Client`] or a [`KmsClient`].
    pub fn new(client: impl Into<KmsClient>) -> Self {
        Self { client: client.into(), visible_within: visible::VISIBLE_WITHIN, turns: Arc::default() }
    }

    /// For how long a new key or alias may take to appear. The default is 60 s; KMS mostly takes less than a few seconds.
    #[must_use]
    pub fn with_visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visible_within = timeout;
        self
    }

    /// The client requests go through.
    pub fn client(&self) -> &KmsClient {
        &self.client
    }

    /// Points an alias at a key: makes the alias, or points it elsewhere if it exists.
    ///
    /// Signers that are connected already go on with the key that they found. Needs `kms:CreateAlias` and `kms:UpdateAlias` on the
    /// alias and on the key, and on the key that it led to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] if `alias` is no alias name, or `key` no key reference; [`ErrorKind::KeyNotFound`] if there is no such
    /// key; those that a request ends with.
    pub async fn set_alias(&self, alias: impl AsRef<str>, key: impl AsRef<str>) -> Result<()> {
        let alias = new_key::alias_name(alias.as_ref())?;
        let key = self.resolve(key.as_ref()).await?;
        match self.client.create_alias(alias.as_str(), &key).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.client.update_alias(alias.as_str(), &key).await
            }
            result => result,
        }
    }

    /// Gives a key a tag, or an existing tag another value. Needs `kms:TagResource`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if KMS does not take the tag, and those that a request ends with.
    pub async fn tag(&self, key: impl AsRef<str>, tag: impl AsRef<str>, value: impl AsRef<str>) -> Result<()> {
        let tag: Tag = create::tag(tag.as_ref(), value.as_ref())?;
        let key = self.resolve(key.as_ref()).await?;
        self.client.tag_resource(&key, &tag).await
    }

    /// Takes a tag from a key. Needs `kms:UntagResource`.
    ///
    /// # Errors
    ///
    /// Those that a request ends with.
    pub async fn untag(&self, key: impl AsRef<str>, tag: impl AsRef<str>) -> Result<()> {
        let key = self.resolve(key.as_ref()).await?;
        self.client.untag_resource(&key, tag.as_ref()).await
    }

    /// Lets a disabled key be used again. Needs `kms:EnableKey`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyUnusable`] if it is pending deletion, and those that a request ends with.
    pub async fn enable(&self, key: impl AsRef<str>) -> Result<()> {
        let key = self.resolve(key.as_ref()).await?;
        self.client.enable_key(&key).await
    }

    /// Stops a key from being used, until it is [enabled](Self::enable) again. Needs `kms:DisableKey`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyUnusable`] if it is pending deletion, and those that a request ends with.
    pub async fn disable(&self, key: impl AsRef<str>) -> Result<()> {
        let key = self.resolve(key.as_ref()).await?;
        self.client.disable_key(&key).await
    }

    /// Has a key deleted after a waiting period of 7 to 30 days. It cannot be used from now on. Nothing brings a deleted key back:
    /// what is at its address is lost, unless its material was imported and you have it.
    ///
    /// A key whose deletion is scheduled already is left as it is. Needs `kms:ScheduleKeyDeletion`, and `kms:DescribeKey`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `days` is not 7 to 30, and those that a request ends with.
    pub async fn schedule_deletion(&self, key: impl AsRef<str>, days: u32) -> Result<()> {
        let days = i32::try_from(days).ok().filter(|days| (7..=30).contains(days)).ok_or_else(|| {
            let message = format!("a waiting period of {days} days is not one of 7 to 30");
            Error::new(ErrorKind::Config, Operation::ScheduleKeyDeletion, message).with_remedy("give 7 to 30 days")
        })?;
        self.schedule_deletion_of(&self.resolve(key.as_ref()).await?, days).await
    }

    async fn schedule_deletion_of(&self, key: &KeyRef, days: i32) -> Result<()> {
        match self.client.schedule_key_deletion(key, days).await {
            // This call may have done it, and its answer been lost.
            Err(error) if error.kind() == ErrorKind::KeyUnusable => match self.metadata(key).await {
                Ok(info) if is_pending_deletion(info.state()) => Ok(()),
                _ => Err(error),
            },
            result => result,
        }
    }

    /// Keeps a key whose deletion is scheduled. It is disabled afterwards: [enable](Self::enable) it to use it again. Needs
    /// `kms:CancelKeyDeletion`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyUnusable`] if it is not pending deletion, and those that a request ends with.
    pub async fn cancel_deletion(&self, key: impl AsRef<str>) -> Result<()> {
        let key = self.resolve(key.as_ref()).await?;
        match self.client.cancel_key_deletion(&key).await {
            // An earlier request may have done it, and its answer been lost.
            Err(error) if error.kind() == ErrorKind::KeyUnusable && error.attempts() > 1 => {
                match self.metadata(&key).await {
                    Ok(info) if !is_pending_deletion(info.state()) => Ok(()),
                    _ => Err(error),
                }
            }
            result => result,
        }
    }

    /// What KMS takes where it takes no alias: a key id or ARN.
    async fn resolve(&self, key: &str) -> Result<KeyRef> {
        let key: KeyRef = key.parse()?;
        match key.key_id() {
            Some(_) => Ok(key),
            None => Ok(self.metadata(&key).await?.reference()),
        }
    }
}

/// A key with replicas waits for these to be gone, too.
fn is_pending_deletion(state: &KeyState) -> bool {
    matches!(state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("client", &self.client).finish_non_exhaustive()
    }
}
