//! The keys of an account and Region, as a stream.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_kms::operation::{list_aliases::ListAliasesOutput, list_keys::ListKeysOutput};
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    future::{self, Either, Ready},
    stream::{self, BoxStream},
};

use super::{Filter, KeyInfo, Keys, new_key::alias_name};
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

impl Keys {
    /// The keys that fit a filter, in KMS's order. Requests are made as the stream is read, several at once within the client's limits.
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
    /// let mut listed = std::pin::pin!(keys.list(Filter::new().alias_prefix("alias/wallets/")));
    /// while let Some(item) = listed.try_next().await? {
    ///     match item {
    ///         Listed::Key(key) => println!("{} {:?}", key.arn(), key.address()),
    ///         Listed::Skipped(skipped) => eprintln!("{}: {}", skipped.key(), skipped.reason()),
    ///         other => eprintln!("{other:?}"),
    ///     }
    /// }
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    pub fn list(&self, filter: Filter) -> impl Stream<Item = Result<Listed>> + Send + 'static + use<> {
        self.listed(filter, true)
    }

    /// Tags are read where they are wanted or the filter asks for one.
    pub(super) fn listed(&self, filter: Filter, tags: bool) -> BoxStream<'static, Result<Listed>> {
        let (keys, filter) = (self.clone(), Arc::new(filter));
        let inspections = stream::once(keys.clone().all_aliases())
            .map_ok({
                let (keys, filter) = (keys.clone(), Arc::clone(&filter));
                move |aliases| keys.clone().candidates(&filter, aliases)
            })
            .try_flatten()
            .map(move |candidate| {
                let (keys, filter) = (keys.clone(), Arc::clone(&filter));
                async move {
                    match candidate {
                        Ok((key, aliases)) => keys.inspect(key, aliases, &filter, tags).await,
                        Err(error) => Err(error),
                    }
                }
            });
        let mut has_ended = false;
        inspections
            .buffered(self.client.useful_concurrency())
            .try_filter_map(|listed| future::ready(Ok(listed)))
            .take_while(move |item| {
                let goes_on = !has_ended;
                has_ended |= item.is_err();
                future::ready(goes_on)
            })
            .boxed()
    }

    async fn all_aliases(self) -> Result<Aliases> {
        let mut aliases = Aliases::new();
        let mut marker: Option<String> = None;
        loop {
            let mut page = self.client.list_aliases(None, marker.as_deref()).await?;
            for entry in page.aliases() {
                // AWS's own exist without a key until they are used.
                let (Some(name), Some(key)) = (entry.alias_name(), entry.target_key_id()) else { continue };
                if let Ok(name) = alias_name(name) {
                    aliases.entry(key.to_owned()).or_default().push(name);
                }
            }
            marker = page.next(marker)?;
            if marker.is_none() {
                return Ok(aliases);
            }
        }
    }

    /// The keys that a listing has to look at, each with its aliases.
    fn candidates(
        self,
        filter: &Filter,
        mut aliases: Aliases,
    ) -> impl Stream<Item = Result<(String, Vec<AliasName>)>> + Send + use<> {
        if filter.alias_prefix.is_some() {
            aliases.retain(|_, names| names.iter().any(|name| filter.fits_alias(name.as_str())));
            let mut keys: Vec<_> = aliases.into_iter().collect();
            keys.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
            return Either::Left(stream::iter(keys.into_iter().map(Ok)));
        }
        let pages = stream::try_unfold(Some(None), move |marker: Option<Option<String>>| {
            let client = self.client.clone();
            async move {
                let Some(marker) = marker else { return Ok(None) };
                let mut page = client.list_keys(marker.as_deref()).await?;
                let keys = page.keys.take().unwrap_or_default();
                let next = page.next(marker)?;
                Ok(Some((stream::iter(keys.into_iter().map(Ok)), next.map(Some))))
            }
        });
        Either::Right(pages.try_flatten().try_filter_map(move |entry: aws_sdk_kms::types::KeyListEntry| {
            let names = |id: &str| aliases.get(id).cloned().unwrap_or_default();
            let found = entry.key_id.map(|id| {
                let names = names(&id);
                (entry.key_arn.unwrap_or(id), names)
            });
            future::ready(Ok(found)) as Ready<Result<_>>
        }))
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

/// A page of a list, and the marker of the next.
pub(super) trait Page {
    fn is_truncated(&self) -> bool;
    fn marker(&mut self) -> Option<String>;

    /// A page that leads to itself would be read for ever.
    fn next(&mut self, marker: Option<String>) -> Result<Option<String>> {
        match self.marker().filter(|_| self.is_truncated()) {
            Some(next) if Some(&next) == marker.as_ref() => {
                Err(Error::new(ErrorKind::InvalidResponse, Operation::ListKeys, "a page of the list leads to itself"))
            }
            next => Ok(next),
        }
    }
}

macro_rules! page {
    ($($output:ty),*) => {$(
        impl Page for $output {
            fn is_truncated(&self) -> bool {
                self.truncated
            }

            fn marker(&mut self) -> Option<String> {
                self.next_marker.take()
            }
        }
    )*};
}

page!(ListAliasesOutput, ListKeysOutput);
