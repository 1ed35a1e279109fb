//! Making a key, and leaving none behind when that fails half-way.

use core::fmt;

use aws_sdk_kms::types::{OriginType, Tag};

use super::{KeyInfo, Keys, NewKey, new_key::alias_name, visible::Early};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{AliasName, KeyRef},
};

/// The shortest waiting period that KMS has.
const SHORTEST_WAIT_DAYS: i32 = 7;

/// Why there is no new key, and what became of the one that was made in vain.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) fate: Fate,
}

/// What became of a key that was made in vain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// None was made, as far as is known.
    None,
    Deleted,
    Disabled,
    /// It can be used, and nobody knows it.
    Left,
    /// Its alias may have been made, so others may know it.
    Kept,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, fate: Fate::None }
    }
}

/// Why a new key could not be completed.
pub(super) struct Incomplete {
    pub(super) error: Error,
    alias_may_exist: bool,
}

impl From<Error> for Incomplete {
    fn from(error: Error) -> Self {
        Self { error, alias_may_exist: false }
    }
}

impl Keys {
    /// Makes a key, waits until it can be used, and gives it its alias.
    ///
    /// If a step fails after the key was made, its deletion is scheduled, in seven days; where that is refused, it is disabled. The
    /// error says what became of it. Only if its alias may have been made, and KMS does not say, is it kept: others may know
    /// it by then. A future that is dropped half-way may leave a key, without an alias or with it.
    ///
    /// Needs `kms:CreateKey` and `kms:DescribeKey`, of a key that can sign also `kms:GetPublicKey`; with an alias
    /// `kms:CreateAlias` on alias and key, with tags `kms:TagResource`; `kms:ScheduleKeyDeletion` or `kms:DisableKey` to clean up.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::AlreadyExists`]: the alias is taken.
    /// - [`ErrorKind::InvalidKeyRef`]: the alias is no alias name.
    /// - [`ErrorKind::Config`]: a tag or the policy is not one that KMS takes.
    /// - [`ErrorKind::Timeout`], [`ErrorKind::Transport`], [`ErrorKind::Unavailable`] and [`ErrorKind::InvalidResponse`] of the operation
    ///   `CreateKey`: KMS may have made a key nevertheless, without an alias. It is not tried again.
    /// - The other kinds that a request ends with.
    pub async fn create(&self, new: NewKey) -> Result<KeyInfo> {
        self.check_alias_is_free(&new).await?;
        self.create_unchecked(&new).await.map_err(|failed| failed.error)
    }

    pub(super) async fn create_unchecked(&self, new: &NewKey) -> Result<KeyInfo, Failed> {
        let mut info = self.create_bare(new, OriginType::AwsKms).await?;
        match self.complete(&mut info, new).await {
            Ok(()) => Ok(info),
            Err(incomplete) => Err(self.give_up(&info.reference(), new, incomplete).await),
        }
    }

    /// Before a key is made in vain. Whether the alias is free is decided only when it is made.
    pub(super) async fn check_alias_is_free(&self, new: &NewKey) -> Result<()> {
        new.check_alias()?;
        let Some(alias) = &new.alias else { return Ok(()) };
        match self.client.describe_key(&KeyRef::Alias(alias_name(alias)?)).await {
            Ok(_) => Err(taken(alias).with_remedy("choose another alias, or use `ensure`; no key was made")),
            // Who may not look may still be allowed to make it.
            Err(error) if matches!(error.kind(), ErrorKind::KeyNotFound | ErrorKind::AccessDenied) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A key without alias, which may not be visible yet.
    pub(super) async fn create_bare(&self, new: &NewKey, origin: OriginType) -> Result<KeyInfo, Failed> {
        let tags = tags(new)?;
        let metadata = self
            .client
            .create_key(|request| {
                request
                    .key_spec(new.spec.clone())
                    .key_usage(new.usage.clone())
                    .origin(origin.clone())
                    .multi_region(new.multi_region)
                    .set_description(new.description.clone())
                    .set_tags((!tags.is_empty()).then(|| tags.clone()))
                    .set_policy(new.policy.clone())
            })
            .await?;
        let key: Option<KeyRef> = metadata.arn().and_then(|arn| arn.parse().ok());
        match (KeyInfo::of_metadata(metadata), key) {
            (Ok(mut info), _) => {
                info.tags = Some(new.tags.clone());
                Ok(info)
            }
            (Err(error), Some(key)) => {
                Err(self.give_up(&key, new, error.with_operation(Operation::CreateKey).into()).await)
            }
            (Err(error), None) => Err(error.with_operation(Operation::CreateKey).with_note("a key was made").into()),
        }
    }

    /// Waits until a new key can be used, and gives it its alias.
    pub(super) async fn complete(&self, info: &mut KeyInfo, new: &NewKey) -> Result<(), Incomplete> {
        let (key, early) = (info.reference(), Early::of(new));
        if info.is_for_signing() {
            let public = self.when_spread(early, || self.public_key(&key, info.spec())).await?;
            info.learn(public);
        } else {
            self.when_spread(early, || self.client.describe_key(&key)).await?;
        }
        if let Some(alias) = &new.alias {
            let alias = alias_name(alias)?;
            self.name(&alias, &key, early).await?;
            info.aliases.push(alias);
        }
        Ok(())
    }

    /// Gives a key an alias. Where KMS's answers do not tell whether it was made, the alias is looked up.
    pub(super) async fn name(&self, alias: &AliasName, key: &KeyRef, early: Early) -> Result<(), Incomplete> {
        let Err(error) = self.when_spread(early, || self.client.create_alias(alias.as_str(), key)).await else {
            return Ok(());
        };
        let is_answer = error.code().is_some() && error.kind() != ErrorKind::Unavailable;
        let is_first = error.attempts() == 1;
        if is_answer && is_first && error.kind() != ErrorKind::AlreadyExists {
            return Err(error.into());
        }
        // An earlier request may have made it, and its answer been lost.
        let reference = KeyRef::Alias(alias.clone());
        match self.when_visible(|| self.metadata(&reference)).await {
            Ok(found) if found.arn().as_ref() == key.as_ref() => Ok(()),
            Ok(_) => Err(taken(alias.as_str()).into()),
            Err(not_found) if not_found.kind() == ErrorKind::KeyNotFound => Err(error.into()),
            Err(_) => Err(Incomplete { error, alias_may_exist: true }),
        }
    }

    /// Puts a new key that nobody will use out of use, and says so in the error that was the reason.
    pub(super) async fn give_up(&self, key: &KeyRef, new: &NewKey, reason: Incomplete) -> Failed {
        let fate = if reason.alias_may_exist { Fate::Kept } else { self.retire(key, Early::of(new)).await };
        Failed { error: reason.error.with_note(&format!("the new key {key} {fate}")), fate }
    }

    async fn retire(&self, key: &KeyRef, early: Early) -> Fate {
        if self.when_visible(|| self.schedule_deletion_of(key, SHORTEST_WAIT_DAYS)).await.is_ok() {
            return Fate::Deleted;
        }
        match self.when_spread(early, || self.client.disable_key(key)).await {
            Ok(()) => Fate::Disabled,
            Err(_) => Fate::Left,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "was not made",
            Self::Deleted => "is scheduled for deletion in 7 days",
            Self::Disabled => "was disabled, since its deletion could not be scheduled; have it deleted",
            Self::Left => "is left behind without an alias, since it could not be disabled or deleted; have it deleted",
            Self::Kept => "was kept, since its alias may have been made; look where the alias leads",
        })
    }
}

fn taken(alias: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, Operation::CreateAlias, "the alias leads to a key already").with_key(alias)
}

/// As KMS takes them.
pub(super) fn tags(new: &NewKey) -> Result<Vec<Tag>> {
    new.tags.iter().map(|(key, value)| tag(key, value)).collect()
}

pub(super) fn tag(key: &str, value: &str) -> Result<Tag> {
    let tag = Tag::builder().tag_key(key).tag_value(value).build();
    tag.map_err(|error| Error::new(ErrorKind::Config, Operation::TagResource, error.to_string()))
}
