//! The keys of an account and Region, as a stream.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_kms::types::KeyListEntry;
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    future::{self, Either},
    stream::{self, BoxStream},
};

use super::{Filter, KeyInfo, Keys, new_key::alias_name, pages::Pages};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{AliasName, KeyRef},
};

/// What a listing says of one key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listed {
    /// It could be read, and fits the filter.
    Key(Box<KeyInfo>),
    /// It could not be read, so nobody knows whether it fits.
    Skipped(Skipped),
}

/// A key that could not be read, or not be loaded, and why.
#[derive(Debug)]
pub struct Skipped {
    pub(super) key: KeyRef,
    pub(super) aliases: Vec<AliasName>,
    pub(super) reason: Error,
}

impl Skipped {
    /// The key: its ARN, or what it was named by.
    pub fn key(&self) -> &KeyRef {
        &self.key
    }

    /// The aliases that lead to it, as far as they are known.
    pub fn aliases(&self) -> &[AliasName] {
        &self.aliases
    }

    /// Why it was skipped, and what would let it be read.
    pub fn reason(&self) -> &Error {
        &self.reason
    }
}

/// The aliases of an account and Region, by key id.
type Aliases = HashMap<String, Vec<AliasName>>;
/// A key's ARN or id, and its aliases.
type Candidate = (String, Vec<AliasName>);

/// A batch has so many keys for each that is read at a time: the slowest of it holds up the others.
const BATCH: usize = 2;

impl Keys {
    /// The keys that fit a filter: in KMS's order, with an alias prefix in that of the aliases. Requests are made as the stream is read,
    /// for many keys at once within the client's limits.
    ///
    /// A key that may not be read is [`Listed::Skipped`], with the reason. A key whose tags alone may not be read is listed without
    /// them, unless the filter asks for one. The names of all aliases are held in memory, the keys are not.
    ///
    /// Needs `kms:ListAliases`, `kms:ListKeys` unless an alias prefix is given, and on each key `kms:DescribeKey`, `kms:GetPublicKey`
    /// and `kms:ListResourceTags`. A filter for tags cannot be left to KMS, which has none: every key is asked.
    ///
    /// # Errors
    ///
    /// An item that is an error ends the stream: the list of keys or aliases could not be read, or there are no credentials.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use futures_util::TryStreamExt;
    /// use kms_signer::{fake::FakeKms, keys::{Filter, Keys, Listed, NewKey}};
    ///
    /// let keys = Keys::new(FakeKms::new().client());
    /// keys.create(NewKey::signing().alias("alias/wallets/1")).await?;
    ///
    /// let mut listed = keys.list(Filter::new().alias_prefix("alias/wallets/"));
    /// while let Some(item) = listed.try_next().await? {
    ///     match item {
    ///         Listed::Key(key) => println!("{} {:?}", key.arn(), key.address()),
    ///         Listed::Skipped(skipped) => eprintln!("{}: {}", skipped.key(), skipped.reason()),
    ///         other => eprintln!("{other:?}"),
    ///     }
    /// }
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    pub fn list(&self, filter: Filter) -> impl Stream<Item = Result<Listed>> + Send + Unpin + 'static + use<> {
        self.listed(filter, true)
    }

    /// Tags are read where they are wanted or the filter asks for one.
    ///
    /// The keys are read a batch at a time, each to its end before the first is given out: what waited in the client's queue without
    /// being polled would hold up everybody behind it.
    pub(super) fn listed(&self, filter: Filter, tags: bool) -> BoxStream<'static, Result<Listed>> {
        let (keys, filter) = (self.clone(), Arc::new(filter));
        let concurrency = self.client.useful_concurrency();
        let candidates = stream::once(keys.clone().all_aliases())
            .map_ok({
                let (keys, filter) = (keys.clone(), Arc::clone(&filter));
                move |aliases| keys.clone().candidates(&filter, aliases)
            })
            .try_flatten();
        candidates
            .chunks(concurrency * BATCH)
            .then(move |batch| keys.clone().inspect_all(batch, Arc::clone(&filter), tags, concurrency))
            .flat_map(stream::iter)
            .boxed()
    }

    async fn all_aliases(self) -> Result<Aliases> {
        let mut aliases = Aliases::new();
        let mut pages = Pages::default();
        while pages.has_next() {
            let mut page = self.client.list_aliases(None, pages.marker()).await?;
            for entry in page.aliases() {
                // AWS's own exist without a key until they are used.
                let (Some(name), Some(key)) = (entry.alias_name(), entry.target_key_id()) else { continue };
                if let Ok(name) = alias_name(name) {
                    aliases.entry(key.to_owned()).or_default().push(name);
                }
            }
            pages.turn(page.truncated, page.next_marker.take())?;
        }
        Ok(aliases)
    }

    /// The keys that a listing has to look at, each with its aliases.
    fn candidates(self, filter: &Filter, mut aliases: Aliases) -> impl Stream<Item = Result<Candidate>> + Send + use<> {
        if filter.alias_prefix.is_some() {
            aliases.retain(|_, names| names.iter().any(|name| filter.fits_alias(name.as_str())));
            let mut keys: Vec<_> = aliases.into_iter().collect();
            keys.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
            return Either::Left(stream::iter(keys.into_iter().map(Ok)));
        }
        let pages = stream::try_unfold(Pages::default(), move |mut pages| {
            let client = self.client.clone();
            async move {
                if !pages.has_next() {
                    return Ok(None);
                }
                let mut page = client.list_keys(pages.marker()).await?;
                pages.turn(page.truncated, page.next_marker.take())?;
                let keys = page.keys.take().unwrap_or_default();
                Ok(Some((stream::iter(keys.into_iter().map(Ok)), pages)))
            }
        });
        Either::Right(pages.try_flatten().try_filter_map(move |entry: KeyListEntry| {
            let found = entry.key_id.map(|id| {
                let names = aliases.get(&id).cloned().unwrap_or_default();
                (entry.key_arn.unwrap_or(id), names)
            });
            future::ready(Ok(found))
        }))
    }

    /// What is to be said of each, up to and with the first error that ends the listing.
    async fn inspect_all(
        self,
        batch: Vec<Result<Candidate>>,
        filter: Arc<Filter>,
        tags: bool,
        concurrency: usize,
    ) -> Vec<Result<Listed>> {
        let inspected: Vec<Result<Option<Listed>>> = stream::iter(batch)
            .map(async |candidate| {
                let (key, aliases) = candidate?;
                self.inspect(key, aliases, &filter, tags).await
            })
            .buffered(concurrency)
            .collect()
            .await;
        inspected.into_iter().filter_map(Result::transpose).collect()
    }

    /// Nothing if the key does not fit.
    async fn inspect(
        &self,
        key: String,
        aliases: Vec<AliasName>,
        filter: &Filter,
        tags: bool,
    ) -> Result<Option<Listed>> {
        let key: KeyRef = key.parse().map_err(|error: Error| {
            Error::new(ErrorKind::InvalidResponse, Operation::ListKeys, format!("a key of the list: {error}"))
        })?;
        match self.inspected(&key, filter, tags).await {
            Ok(Some(mut info)) => {
                info.aliases = aliases;
                Ok(Some(Listed::Key(Box::new(info))))
            }
            Ok(None) => Ok(None),
            // What holds for one key would hold for all the others.
            Err(error) if matches!(error.kind(), ErrorKind::Credentials | ErrorKind::Config) => Err(error),
            Err(reason) => Ok(Some(Listed::Skipped(Skipped { key, aliases, reason }))),
        }
    }

    async fn inspected(&self, key: &KeyRef, filter: &Filter, tags: bool) -> Result<Option<KeyInfo>> {
        let mut info = self.metadata(key).await?;
        if !filter.fits(&info) {
            return Ok(None);
        }
        if filter.wants_tags() {
            self.read_tags(&mut info).await?;
            if !filter.fits_tags(&info) {
                return Ok(None);
            }
        } else if tags {
            self.try_read_tags(&mut info).await?;
        }
        self.read_public_key(&mut info).await?;
        Ok(Some(info))
    }
}
