//! Replicas of multi-Region keys.

use aws_sdk_kms::types::KeyState;

use super::{KeyInfo, Keys, NewKey, Secret, create::tags, new_key::alias_name, visible::Early};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// A replica that is to be made: its Region, and what each Region has of its own. Made of a Region's name, for instance `"us-west-2"`.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is given to `replicate`"]
pub struct Replica {
    region: String,
    secret: Option<Secret>,
    own: NewKey,
}

impl Replica {
    /// A replica in this Region.
    pub fn to(region: impl Into<String>) -> Self {
        Self { region: region.into(), secret: None, own: NewKey::signing() }
    }

    /// The secret again, for a key whose material was imported: KMS does not copy that.
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// An alias in the replica's Region. The key's own are not copied.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.own = self.own.alias(alias);
        self
    }

    /// A description, at most 8,192 characters.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.own = self.own.description(description);
        self
    }

    /// A tag. May be called up to 50 times. The key's own are not copied.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.own = self.own.tag(key, value);
        self
    }

    /// The key policy. Without it KMS gives the one that lets the account's IAM policies decide; the key's own is not copied.
    pub fn policy(mut self, policy: impl Into<String>) -> Self {
        self.own = self.own.policy(policy);
        self
    }
}

impl From<&str> for Replica {
    fn from(region: &str) -> Self {
        Self::to(region)
    }
}

impl From<String> for Replica {
    fn from(region: String) -> Self {
        Self::to(region)
    }
}

impl Keys {
    /// Makes a replica of a multi-Region key in another Region, waits until it can be used, and gives it its alias. A replica that is
    /// there already is taken, and what it lacks is completed: its imported material, its alias. Its description, tags and policy stay
    /// as they are.
    ///
    /// The replica is reached through the client's own SDK client for that Region where it has one
    /// ([`with_failover_client`](crate::KmsClient::with_failover_client)), else through one made from the first one's configuration,
    /// which takes an endpoint URL along: where each Region has an endpoint of its own, give the client the Region first.
    ///
    /// Needs `kms:ReplicateKey` and `kms:DescribeKey` on the key; in the other Region `kms:CreateKey`, and what
    /// [`create`](Self::create) and [`import`](Self::import) need.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::KeyUnsuitable`]: the key is in one Region only.
    /// - [`ErrorKind::Config`]: it is in that Region itself; its material was imported, and no secret is given; or it was not, and one is.
    /// - [`ErrorKind::AddressMismatch`]: the secret is not the key's.
    /// - Those of [`create`](Self::create). The replica, if it was made by then, stays: replicate again to complete it.
    pub async fn replicate(&self, key: impl AsRef<str>, replica: impl Into<Replica>) -> Result<KeyInfo> {
        let Replica { region, secret, own } = replica.into();
        own.check_alias()?;
        let info = self.metadata(&key.as_ref().parse()?).await?;
        let key = info.reference();
        let refused = |kind, message: &str, remedy| {
            Err(Error::new(kind, Operation::ReplicateKey, message).with_key(key.as_ref()).with_remedy(remedy))
        };
        if !info.is_multi_region() {
            let message = "the key is in one Region only and can never be in another";
            return refused(ErrorKind::KeyUnsuitable, message, "make a new key with multi_region(true)");
        }
        if info.arn().region() == region {
            return refused(ErrorKind::Config, "the key is in that Region itself", "name another Region");
        }
        match (&secret, info.is_imported()) {
            (None, true) => {
                let message = "the key's material was imported, and KMS does not copy that to a replica";
                return refused(ErrorKind::Config, message, "give the secret again");
            }
            (Some(_), false) => {
                let message = "the key's material is KMS's own, and is copied to a replica";
                return refused(ErrorKind::Config, message, "leave the secret out");
            }
            _ => {}
        }
        if let Some(secret) = &secret {
            let public = self.public_key(&key, info.spec()).await?;
            if public.public_key.is_none_or(|public_key| public_key != secret.public_key()) {
                let message = "the secret is not that of the key";
                return refused(ErrorKind::AddressMismatch, message, "give the secret that was imported into it");
            }
        }
        let there = Self { client: self.client.for_region(&region), ..self.clone() };
        let mut replica = self.make_replica(&there, &key, &region, &own).await?;
        if let Some(secret) = secret.filter(|_| replica.state() == &KeyState::PendingImport) {
            there.send_material(&replica.reference(), Early::of(&own), &secret).await?;
        }
        there.finish_replica(&mut replica, &own).await?;
        if info.is_for_signing() && replica.spki_der() != self.public_key(&key, info.spec()).await?.spki_der.get(..) {
            let message = format!("the replica {} has another public key", replica.arn());
            return refused(
                ErrorKind::AddressMismatch,
                &message,
                "check that the endpoints are AWS KMS; do not use it",
            );
        }
        Ok(replica)
    }

    /// The new replica, or the one that is there.
    async fn make_replica(&self, there: &Self, key: &KeyRef, region: &str, own: &NewKey) -> Result<KeyInfo> {
        let tags = tags(own)?;
        let made = self
            .client
            .replicate_key(key, |request| {
                request
                    .replica_region(region)
                    .set_description(own.description.clone())
                    .set_tags((!tags.is_empty()).then(|| tags.clone()))
                    .set_policy(own.policy.clone())
            })
            .await;
        let reference: KeyRef = key.in_region(Some(region)).parse()?;
        let is_new = match made {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let mut info = there.when_created(&reference, own).await?;
        info.tags = is_new.then(|| own.tags.clone());
        Ok(info)
    }

    /// Waits until a replica appears and is no longer being created.
    async fn when_created(&self, key: &KeyRef, own: &NewKey) -> Result<KeyInfo> {
        self.when_spread(Early::of(own).with_material(), || async {
            let info = self.metadata(key).await?;
            if info.state() == &KeyState::Creating {
                let message = "the replica is still being created";
                let error = Error::new(ErrorKind::KeyUnusable, Operation::ReplicateKey, message);
                return Err(error.with_key(key.as_ref()).with_remedy("replicate again to complete it"));
            }
            Ok(info)
        })
        .await
    }

    async fn finish_replica(&self, info: &mut KeyInfo, own: &NewKey) -> Result<()> {
        let (key, early) = (info.reference(), Early::of(own));
        let alias = own.alias.as_deref().map(alias_name).transpose()?;
        if info.is_for_signing() {
            let public = self.when_spread(early, || self.public_key(&key, info.spec())).await?;
            info.learn(public);
        }
        if let Some(alias) = alias {
            self.name(&alias, &key, early).await.map_err(|incomplete| incomplete.error)?;
            info.aliases.push(alias);
        }
        Ok(())
    }
}
