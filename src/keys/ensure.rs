//! One key for one alias, however many ask for it at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Mutex as AsyncMutex;

use super::{
    KeyInfo, KeySpec, KeyUsage, Keys, NewKey,
    create::{Failed, Fate},
    new_key::alias_name,
    visible::Early,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result, one_line},
    key_ref::{AliasName, KeyRef},
};

/// Who of this process may look for a key, and make it if there is none: one at a time for each alias.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<AliasName, Arc<AsyncMutex<()>>>>);

impl Turns {
    fn of(&self, alias: &AliasName) -> Arc<AsyncMutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(alias.clone()).or_default())
    }
}

impl Keys {
    /// The key that the alias leads to; a new one with that alias where there is none.
    ///
    /// Concurrent callers, in this process or others, end with the same key. One that another process was faster to make is
    /// taken, and this process's own, which nobody knows, is put out of use: its deletion is scheduled or, where that is refused, it
    /// is disabled.
    ///
    /// What an existing key is for is compared: spec, usage, and whether it is multi-Region where that is wanted. Description, tags and
    /// policy are left as they are. A key with [imported material](KeyInfo::is_imported) is taken, too.
    ///
    /// Needs `kms:DescribeKey` and what [`create`](Self::create) needs.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::KeyUnsuitable`]: the alias leads to a key of another kind, which is named.
    /// - [`ErrorKind::KeyUnusable`]: it leads to a key that is disabled, pending deletion or waiting for its import.
    /// - [`ErrorKind::AlreadyExists`]: another process was faster, and this one's own key could not be put out of use; the text names it.
    ///   The next call finds the other's.
    /// - Those of [`create`](Self::create).
    pub async fn ensure(&self, alias: impl AsRef<str>, new: NewKey) -> Result<KeyInfo> {
        let alias = alias_name(alias.as_ref())?;
        if let Some(found) = self.find(&alias, &new).await? {
            return Ok(found);
        }
        let turn = self.turns.of(&alias);
        let _turn = turn.lock().await;
        if let Some(found) = self.find(&alias, &new).await? {
            return Ok(found);
        }
        match self.create_unchecked(&new.clone().alias(alias.as_str())).await {
            Ok(info) => Ok(info),
            Err(Failed { error, fate: Fate::Deleted | Fate::Disabled }) if error.kind() == ErrorKind::AlreadyExists => {
                let reference = KeyRef::Alias(alias.clone());
                let info = self.when_spread(Early::of(&new), || self.metadata(&reference)).await?;
                self.checked(info, &alias, &new).await
            }
            Err(failed) => Err(failed.error),
        }
    }

    async fn find(&self, alias: &AliasName, new: &NewKey) -> Result<Option<KeyInfo>> {
        let reference = KeyRef::Alias(alias.clone());
        match self.when_spread(Early::of(new).or_absent(), || self.metadata(&reference)).await {
            Ok(info) => self.checked(info, alias, new).await.map(Some),
            Err(error) if error.kind() == ErrorKind::KeyNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An existing key, if it is what is wanted.
    async fn checked(&self, mut info: KeyInfo, alias: &AliasName, new: &NewKey) -> Result<KeyInfo> {
        let refused = |kind, message: String, remedy| {
            let error =
                Error::new(kind, Operation::DescribeKey, format!("the alias leads to {}, {message}", info.arn()));
            Err(error.with_key(alias.as_str()).with_remedy(remedy))
        };
        if (info.spec(), info.usage()) != (&new.spec, &new.usage) {
            let (is, wanted) = (describe(info.spec(), info.usage()), describe(&new.spec, &new.usage));
            return refused(ErrorKind::KeyUnsuitable, format!("which is {is}, not {wanted}"), "choose another alias");
        }
        if new.multi_region && !info.is_multi_region() {
            let message = "which is in one Region only and can never be in another".to_owned();
            return refused(ErrorKind::KeyUnsuitable, message, "choose another alias");
        }
        if info.state().as_str() != "Enabled" {
            let message = format!("which is in state {}", one_line(info.state().as_str()));
            return refused(ErrorKind::KeyUnusable, message, "bring the key into use again, or choose another alias");
        }
        let key = info.reference();
        if info.is_for_signing() {
            let public = self.when_spread(Early::of(new), || self.public_key(&key, info.spec())).await?;
            info.learn(public);
        }
        info.aliases.push(alias.clone());
        Ok(info)
    }
}

fn describe(spec: &KeySpec, usage: &KeyUsage) -> String {
    one_line(&format!("{} for {}", spec.as_str(), usage.as_str()))
}
