//! One KMS key: its material, what it may be used for, and its state.

mod family;
mod material;
mod metadata;

use std::{collections::BTreeMap, sync::Arc};

use self::family::Family;
pub(super) use self::{
    material::{Material, Spec, random_ed25519},
    metadata::merge,
};
use super::{FakeKms, grant::Grant, policy::Policy, refusal::Refusal};

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) spec: Spec,
    pub(super) usage: Usage,
    pub(super) origin: Origin,
    /// It is AWS's own, not the account's.
    pub(super) is_aws_managed: bool,
    pub(super) state: State,
    pub(super) description: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) policy: Policy,
    /// By id.
    pub(super) grants: BTreeMap<String, Grant>,
    /// None until it is imported, and again when what was imported is deleted or expires.
    material: Option<Material>,
    /// The fingerprint of the first material imported: no other is taken any more.
    imported: Option<Vec<u8>>,
    /// When imported material expires.
    expires: Option<i64>,
    created: i64,
    region: String,
    /// Of a multi-Region key.
    family: Option<Arc<Family>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    SignVerify,
    KeyAgreement,
    EncryptDecrypt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    AwsKms,
    External,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Enabled,
    Disabled,
    PendingImport,
    /// A replica, and how many more requests find it so.
    Creating {
        requests: usize,
    },
    /// Waits for the deletion of its replicas, and so many days more.
    PendingReplicaDeletion {
        days: i64,
    },
    /// `at` is in seconds since 1970.
    PendingDeletion {
        at: i64,
    },
}

impl Key {
    /// An enabled key of random material. `now` is in seconds since 1970.
    pub(super) fn new(id: String, region: &str, material: Material, usage: Usage, now: i64) -> Self {
        let spec = material.spec();
        Self { material: Some(material), ..Self::without_material(id, region, spec, usage, Origin::AwsKms, now) }
    }

    /// A key whose material is yet to be imported.
    pub(super) fn pending_import(id: String, region: &str, spec: Spec, usage: Usage, now: i64) -> Self {
        let key = Self::without_material(id, region, spec, usage, Origin::External, now);
        Self { state: State::PendingImport, ..key }
    }

    fn without_material(id: String, region: &str, spec: Spec, usage: Usage, origin: Origin, now: i64) -> Self {
        let arn = arn(region, &id);
        let family = is_multi_region(&id).then(|| Arc::new(Family::new(region)));
        Self {
            id,
            arn,
            spec,
            usage,
            origin,
            is_aws_managed: false,
            state: State::Enabled,
            description: String::new(),
            tags: BTreeMap::new(),
            policy: Policy::default(),
            grants: BTreeMap::new(),
            material: None,
            imported: None,
            expires: None,
            created: now,
            region: region.to_owned(),
            family,
        }
    }

    /// A replica in another Region: the same id and key material, everything else its own. Imported material does not
    /// come along; it is imported into the replica, too.
    pub(super) fn replica(&self, region: &str, now: i64) -> Self {
        let is_imported = self.origin == Origin::External;
        Self {
            arn: arn(region, &self.id),
            state: if is_imported { State::PendingImport } else { State::Enabled },
            material: if is_imported { None } else { self.material.clone() },
            expires: None,
            description: String::new(),
            tags: BTreeMap::new(),
            policy: Policy::default(),
            grants: BTreeMap::new(),
            created: now,
            region: region.to_owned(),
            ..self.clone()
        }
    }

    /// Tells the other keys of the family that it is there.
    pub(super) fn announce(&self) {
        let deletion = if let State::PendingDeletion { at } = self.state { Some(at) } else { None };
        if let Some(family) = &self.family {
            family.set(&self.region, deletion);
        }
    }

    /// Whether it is a multi-Region key that may have replicas.
    pub(super) fn is_primary(&self) -> bool {
        self.family.as_ref().is_some_and(|family| family.primary() == self.region)
    }

    pub(super) fn is_multi_region(&self) -> bool {
        self.family.is_some()
    }

    /// The key material, where the state of the key lets it be used.
    pub(super) fn usable_material(&self) -> Result<&Material, Refusal> {
        self.check_enabled()?;
        self.material.as_ref().ok_or_else(|| self.invalid_state("is pending import"))
    }

    /// The Region of the primary key, of a multi-Region key.
    pub(super) fn primary_region(&self) -> Option<&str> {
        self.family.as_ref().map(|family| family.primary())
    }

    /// What KMS requires of a key before it is used.
    pub(super) fn check_enabled(&self) -> Result<(), Refusal> {
        self.check_not_pending()?;
        match self.state {
            State::Disabled => Err(Refusal::new("DisabledException", format!("{} is disabled.", self.arn))),
            _ => Ok(()),
        }
    }

    /// That it is enabled or disabled.
    pub(super) fn check_not_pending(&self) -> Result<(), Refusal> {
        self.check_manageable()?;
        match self.state {
            State::PendingImport => Err(self.invalid_state("is pending import")),
            _ => Ok(()),
        }
    }

    /// That it is neither being created nor pending deletion.
    pub(super) fn check_manageable(&self) -> Result<(), Refusal> {
        self.check_created()?;
        match self.state {
            State::PendingDeletion { .. } | State::PendingReplicaDeletion { .. } => {
                Err(self.invalid_state("is pending deletion"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_created(&self) -> Result<(), Refusal> {
        if self.is_creating() { Err(self.invalid_state("is creating")) } else { Ok(()) }
    }

    pub(super) fn invalid_state(&self, state: &str) -> Refusal {
        Refusal::new("KMSInvalidStateException", format!("{} {state}.", self.arn))
    }

    /// Whether its waiting period is over. KMS then knows it no longer.
    pub(super) fn is_deleted(&self, now: i64) -> bool {
        self.deletion(now).is_some_and(|at| at <= now)
    }

    /// When it is to be deleted, if that is known.
    fn deletion(&self, now: i64) -> Option<i64> {
        match (self.state, &self.family) {
            (State::PendingDeletion { at }, _) => Some(at),
            (State::PendingReplicaDeletion { days }, Some(family)) => {
                Some(family.last_deletion(now)?.saturating_add(days * DAY))
            }
            _ => None,
        }
    }

    /// Starts the waiting period before its deletion. That of a primary key starts when its replicas are deleted.
    pub(super) fn schedule_deletion(&mut self, days: i64, now: i64) {
        let has_replicas =
            self.is_primary() && self.family.as_ref().is_some_and(|family| !family.replicas(now).is_empty());
        self.state = if has_replicas {
            State::PendingReplicaDeletion { days }
        } else {
            State::PendingDeletion { at: now.saturating_add(days * DAY) }
        };
        self.announce();
    }

    /// Ends the waiting period before a deletion. The key is disabled then, as KMS leaves it.
    pub(super) fn cancel_deletion(&mut self) {
        self.state = if self.material.is_some() { State::Disabled } else { State::PendingImport };
        self.announce();
    }

    /// One more request names it: one that is being created may be ready now.
    pub(super) fn named(&mut self) {
        self.state = match self.state {
            State::Creating { requests: 0 } if self.material.is_some() => State::Enabled,
            State::Creating { requests: 0 } => State::PendingImport,
            State::Creating { requests } => State::Creating { requests: requests - 1 },
            state => state,
        };
    }

    pub(super) fn is_creating(&self) -> bool {
        matches!(self.state, State::Creating { .. })
    }

    /// Whether time has brought something about that [`settle`](Self::settle) does.
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.expires.is_some_and(|at| at <= now)
            || matches!(self.state, State::PendingReplicaDeletion { .. }) && self.deletion(now).is_some()
    }

    /// Deletes imported material that has expired, and starts the waiting period once all replicas are deleted.
    pub(super) fn settle(&mut self, now: i64) {
        if self.expires.is_some_and(|at| at <= now) {
            self.delete_imported_material();
        }
        if let Some(at) = self.deletion(now) {
            self.state = State::PendingDeletion { at };
        }
    }

    /// Takes imported key material, unless it is other than that of the first import.
    pub(super) fn import(&mut self, material: Material, expires: Option<i64>) -> Result<(), Refusal> {
        let fingerprint = material.fingerprint();
        if self.imported.is_some() && self.imported != fingerprint {
            return Err(Refusal::new(
                "IncorrectKeyMaterialException",
                format!("The key material is not that which was imported into {} before.", self.arn),
            ));
        }
        self.imported = fingerprint;
        self.material = Some(material);
        self.expires = expires;
        if self.state == State::PendingImport {
            self.state = State::Enabled;
        }
        Ok(())
    }

    pub(super) fn delete_imported_material(&mut self) {
        self.material = None;
        self.expires = None;
        if let State::Enabled | State::Disabled = self.state {
            self.state = State::PendingImport;
        }
    }

    pub(super) fn signing_algorithms(&self) -> &'static [&'static str] {
        match self.usage {
            Usage::SignVerify => self.spec.signing_algorithms(),
            _ => &[],
        }
    }
}

fn is_multi_region(id: &str) -> bool {
    id.starts_with("mrk-")
}

pub(super) fn arn(region: &str, id: &str) -> String {
    arn_of(region, FakeKms::ACCOUNT, &format!("key/{id}"))
}

/// The ARN of `key/…` or `alias/…`.
pub(super) fn arn_of(region: &str, account: &str, resource: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{resource}")
}

impl Usage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SignVerify => "SIGN_VERIFY",
            Self::KeyAgreement => "KEY_AGREEMENT",
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
        }
    }
}

impl Origin {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS_KMS",
            Self::External => "EXTERNAL",
        }
    }
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingImport => "PendingImport",
            Self::Creating { .. } => "Creating",
            Self::PendingReplicaDeletion { .. } => "PendingReplicaDeletion",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}
