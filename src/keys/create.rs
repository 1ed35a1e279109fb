//! Making a key, and leaving none behind when that fails half-way.

use aws_sdk_kms::types::{OriginType, Tag};

use super::{KeyInfo, Keys, NewKey, new_key::alias_name, visible::Early};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// The shortest waiting period that KMS has.
const SHORTEST_WAIT_DAYS: i32 = 7;

impl Keys {
    /// Makes a key, waits until it can be used, and gives it its alias.
    ///
    /// If a step fails after the key was made, its deletion is scheduled, in seven days; where that is refused, it is disabled. The
    /// error says what became of it. A future that is dropped half-way may leave a key without an alias.
    ///
    /// Needs `kms:CreateKey` and `kms:DescribeKey`, of a key that can sign also `kms:GetPublicKey`; with an alias
    /// `kms:CreateAlias` on alias and key, with tags `kms:TagResource`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::AlreadyExists`]: the alias is taken.
    /// - [`ErrorKind::InvalidKeyRef`]: the alias is no alias name.
    /// - [`ErrorKind::Config`]: a tag or the policy is not one that KMS takes.
    /// - [`ErrorKind::Timeout`] and [`ErrorKind::Transport`]: KMS may have made a key nevertheless, without alias; it is not tried
    ///   again. The other kinds that a request ends with: no key was made.
    pub async fn create(&self, new: NewKey) -> Result<KeyInfo> {
        self.check_alias_is_free(&new).await?;
        self.create_unchecked(&new).await
    }

    pub(super) async fn create_unchecked(&self, new: &NewKey) -> Result<KeyInfo> {
        let mut info = self.create_bare(new, OriginType::AwsKms).await?;
        match self.complete(&mut info, new).await {
            Ok(()) => Ok(info),
            Err(error) => Err(self.retire(&info.reference(), Early::of(new), error).await),
        }
    }

    /// Before a key is made in vain. Whether the alias is free is decided only when it is made.
    pub(super) async fn check_alias_is_free(&self, new: &NewKey) -> Result<()> {
        new.check_alias()?;
        let Some(alias) = &new.alias else { return Ok(()) };
        match self.client.describe_key(&KeyRef::Alias(alias_name(alias)?)).await {
            Ok(_) => {
                let error =
                    Error::new(ErrorKind::AlreadyExists, Operation::CreateAlias, "the alias leads to a key already");
                Err(error
                    .with_key(alias.as_str())
                    .with_remedy("choose another alias, or use `ensure`; no key was made"))
            }
            // Who may not look may still be allowed to make it.
            Err(error) if matches!(error.kind(), ErrorKind::KeyNotFound | ErrorKind::AccessDenied) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A key without alias, which may not be visible yet.
    pub(super) async fn create_bare(&self, new: &NewKey, origin: OriginType) -> Result<KeyInfo> {
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
        let mut info = KeyInfo::of_metadata(metadata)?;
        info.tags = Some(new.tags.clone());
        Ok(info)
    }

    /// Waits until a new key can be used, and gives it its alias.
    pub(super) async fn complete(&self, info: &mut KeyInfo, new: &NewKey) -> Result<()> {
        let (key, early) = (info.reference(), Early::of(new));
        if info.is_for_signing() {
            let public = self.when_spread(early, || self.public_key(&key)).await?;
            info.learn(public);
        } else {
            self.when_spread(early, || self.client.describe_key(&key)).await?;
        }
        if let Some(alias) = &new.alias {
            let alias = alias_name(alias)?;
            self.when_spread(early, || self.create_alias(alias.as_str(), &key)).await?;
            info.aliases.push(alias);
        }
        Ok(())
    }

    /// Makes an alias. One that leads to the key already may be this call's own, whose answer was lost.
    pub(super) async fn create_alias(&self, alias: &str, key: &KeyRef) -> Result<()> {
        match self.client.create_alias(alias, key).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let found = self.metadata(&KeyRef::Alias(alias_name(alias)?)).await;
                let is_ours = found.is_ok_and(|found| key.as_ref() == found.arn().as_ref());
                if is_ours { Ok(()) } else { Err(error.with_key(alias)) }
            }
            result => result,
        }
    }

    /// Puts a new key that nobody will use out of use, and says so in the error that was the reason.
    pub(super) async fn retire(&self, key: &KeyRef, early: Early, reason: Error) -> Error {
        let retired = async || {
            if self.when_visible(|| self.client.schedule_key_deletion(key, SHORTEST_WAIT_DAYS)).await.is_ok() {
                return "is scheduled for deletion in 7 days";
            }
            match self.when_spread(early, || self.client.disable_key(key)).await {
                Ok(()) => "was disabled, since its deletion could not be scheduled; have it deleted",
                Err(_) => "is left behind without an alias, since it could not be disabled or deleted; have it deleted",
            }
        };
        let became = retired().await;
        reason.with_note(&format!("the new key {key} {became}"))
    }
}

/// As KMS takes them.
pub(super) fn tags(new: &NewKey) -> Result<Vec<Tag>> {
    new.tags.iter().map(|(key, value)| tag(key, value)).collect()
}

pub(super) fn tag(key: &str, value: &str) -> Result<Tag> {
    let tag = Tag::builder().tag_key(key).tag_value(value).build();
    tag.map_err(|error| Error::new(ErrorKind::Config, Operation::TagResource, error.to_string()))
}
