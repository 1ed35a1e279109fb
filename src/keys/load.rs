//! Many signers at once.

use core::slice;
use std::vec;

use alloy_primitives::{Address, ChainId};
use alloy_signer::Signer;
use aws_sdk_kms::types::{KeySpec, KeyState};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Filter, KeyInfo, KeyRecord, Keys, Listed, Skipped};
use crate::{
    error::{ErrorKind, Result},
    key_ref::KeyRef,
    signer::KmsSigner,
};

/// Which keys to load signers for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Selection {
    /// The Ethereum keys that fit and are enabled.
    Filter(Filter),
    /// Keys by id, ARN or alias: one `GetPublicKey` each.
    Keys(Vec<String>),
    /// Keys whose public keys are known: no request at all.
    Records(Vec<KeyRecord>),
}

impl Selection {
    /// Keys by id, ARN or alias.
    pub fn keys<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::Keys(keys.into_iter().map(|key| key.as_ref().to_owned()).collect())
    }
}

impl From<Filter> for Selection {
    fn from(filter: Filter) -> Self {
        Self::Filter(filter)
    }
}

impl From<Vec<KeyRecord>> for Selection {
    fn from(records: Vec<KeyRecord>) -> Self {
        Self::Records(records)
    }
}

/// Signers that were loaded together, and the keys that could not be.
#[derive(Debug)]
#[must_use]
pub struct Signers {
    signers: Vec<KmsSigner>,
    skipped: Vec<Skipped>,
}

impl Keys {
    /// Connects many signers at once, concurrently within the client's limits: by a [`Filter`], by ids, or from [`KeyRecord`]s.
    ///
    /// Needs `kms:GetPublicKey` on each key, with a filter also what [`list`](Self::list) needs except `kms:ListResourceTags`, and
    /// with records nothing.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list); [`ErrorKind::InvalidKeyRef`] if one of the ids is no key reference; [`ErrorKind::Credentials`] if there
    /// are none. A key that cannot be loaded for a reason of its own is among the [skipped](Signers::skipped).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use kms_signer::{fake::FakeKms, keys::{Keys, NewKey, Selection}};
    ///
    /// let keys = Keys::new(FakeKms::new().client());
    /// let payouts = keys.create(NewKey::signing().alias("alias/payouts")).await?;
    /// keys.create(NewKey::signing().alias("alias/deposits")).await?;
    /// let signers = keys.load_signers(Selection::keys(["alias/deposits", "alias/payouts"])).await?;
    /// # #[cfg(feature = "network")]
    /// let wallet = signers.into_wallet(payouts.address().unwrap_or_default())?;
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    pub async fn load_signers(&self, selection: impl Into<Selection>) -> Result<Signers> {
        let concurrency = self.client.useful_concurrency();
        let mut loaded = Signers { signers: Vec::new(), skipped: Vec::new() };
        match selection.into() {
            Selection::Filter(filter) => {
                let mut listed = self.listed(filter, false);
                while let Some(item) = listed.try_next().await? {
                    match item {
                        Listed::Key(info) if !is_loadable(&info) => {}
                        Listed::Key(info) => loaded.add(info.reference(), self.connect_listed(&info).await)?,
                        Listed::Skipped(skipped) => loaded.skipped.push(skipped),
                    }
                }
            }
            Selection::Keys(keys) => {
                let keys: Vec<KeyRef> = keys.iter().map(|key| key.parse()).collect::<Result<_>>()?;
                let mut connecting = stream::iter(keys)
                    .map(async |key| {
                        let connected = KmsSigner::builder(&self.client, &key).connect().await;
                        (key, connected)
                    })
                    .buffered(concurrency);
                while let Some((key, connected)) = connecting.next().await {
                    loaded.add(key, connected)?;
                }
            }
            Selection::Records(records) => {
                for record in records {
                    loaded.add(record.key().clone(), self.connect_known(&record).await)?;
                }
            }
        }
        Ok(loaded)
    }

    async fn connect_listed(&self, info: &KeyInfo) -> Result<KmsSigner> {
        match info.record() {
            Some(record) => self.connect_known(&record).await,
            None => KmsSigner::builder(&self.client, info.arn()).connect().await,
        }
    }

    async fn connect_known(&self, record: &KeyRecord) -> Result<KmsSigner> {
        KmsSigner::builder(&self.client, record.key()).public_key(record.public_key().clone()).connect().await
    }
}

fn is_loadable(info: &KeyInfo) -> bool {
    info.state() == &KeyState::Enabled && info.spec() == &KeySpec::EccSecgP256K1 && info.is_for_signing()
}

impl Signers {
    fn add(&mut self, key: KeyRef, connected: Result<KmsSigner>) -> Result<()> {
        match connected {
            Ok(signer) => self.signers.push(signer),
            // What holds for one key would hold for all the others.
            Err(error) if error.kind() == ErrorKind::Credentials => return Err(error),
            Err(reason) => self.skipped.push(Skipped { key, aliases: Vec::new(), reason }),
        }
        Ok(())
    }

    /// How many signers there are.
    pub fn len(&self) -> usize {
        self.signers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// The signers, in the order in which they were selected.
    pub fn iter(&self) -> slice::Iter<'_, KmsSigner> {
        self.signers.iter()
    }

    /// The signer of an address.
    pub fn get(&self, address: Address) -> Option<&KmsSigner> {
        self.signers.iter().find(|signer| signer.address() == address)
    }

    /// The keys that could not be loaded, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What a later start needs to know, so that it asks KMS nothing.
    pub fn records(&self) -> Vec<KeyRecord> {
        self.signers.iter().map(KeyRecord::from).collect()
    }

    /// The same signers with this chain id applied to transactions.
    pub fn with_chain_id(mut self, chain_id: Option<ChainId>) -> Self {
        for signer in &mut self.signers {
            signer.set_chain_id(chain_id);
        }
        self
    }

    /// A wallet of all the signers. `default` signs what says no sender: name it, so that a key that was skipped does not let another
    /// one pay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyNotFound`] if no signer of that address was loaded.
    #[cfg(feature = "network")]
    pub fn into_wallet(self, default: Address) -> Result<alloy_network::EthereumWallet> {
        use crate::error::{Error, Operation};

        let first = self.get(default).cloned().ok_or_else(|| {
            Error::new(ErrorKind::KeyNotFound, Operation::Connect, format!("no signer of {default} was loaded"))
                .with_remedy("check the selection, and the reasons for which keys were skipped")
        })?;
        let mut wallet = alloy_network::EthereumWallet::from(first);
        for signer in self.signers.into_iter().filter(|signer| signer.address() != default) {
            wallet.register_signer(signer);
        }
        Ok(wallet)
    }
}

impl IntoIterator for Signers {
    type Item = KmsSigner;
    type IntoIter = vec::IntoIter<KmsSigner>;

    fn into_iter(self) -> Self::IntoIter {
        self.signers.into_iter()
    }
}

impl<'a> IntoIterator for &'a Signers {
    type Item = &'a KmsSigner;
    type IntoIter = slice::Iter<'a, KmsSigner>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
