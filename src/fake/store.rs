//! Keys and aliases, and how a request's `KeyId` finds them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{FakeKms, key::Key, refusal::Refusal};
use crate::key_ref::KeyRef;

/// The keys and aliases of one Region.
pub(super) struct Store {
    region: String,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// By key id.
    keys: HashMap<String, Arc<Key>>,
    /// From alias name to key id.
    aliases: HashMap<String, String>,
}

/// How an operation reads its `KeyId`.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    operation: &'a str,
    takes_aliases: bool,
    has_invalid_arn: bool,
}

enum Target {
    Key(String),
    Alias(String),
}

impl<'a> Lookup<'a> {
    pub(super) fn of(operation: &'a str) -> Self {
        Self {
            operation,
            takes_aliases: matches!(operation, "DescribeKey" | "GetPublicKey" | "Sign"),
            // The other operations' models lack `InvalidArnException`.
            has_invalid_arn: !matches!(operation, "Sign" | "CreateAlias" | "UpdateAlias"),
        }
    }

    fn target(self, text: &str, region: &str) -> Result<Target, Refusal> {
        let reference: KeyRef = text.parse().map_err(|_| self.invalid(text))?;
        match &reference {
            KeyRef::Arn(arn) => self.check_place(text, [arn.partition(), arn.region(), arn.account()], region)?,
            KeyRef::AliasArn(arn) => self.check_place(text, [arn.partition(), arn.region(), arn.account()], region)?,
            _ => {}
        }
        match reference {
            KeyRef::Alias(alias) if self.takes_aliases => Ok(Target::Alias(alias.to_string())),
            KeyRef::AliasArn(arn) if self.takes_aliases => Ok(Target::Alias(arn.alias().to_string())),
            reference => match reference.key_id() {
                Some(id) => Ok(Target::Key(id.to_string())),
                None => Err(self.invalid(text)),
            },
        }
    }

    fn check_place(self, text: &str, [partition, region, account]: [&str; 3], here: &str) -> Result<(), Refusal> {
        if partition != "aws" {
            return Err(self.invalid(text));
        }
        if region != here {
            return Err(Refusal::not_found(format!("Invalid arn {region}")));
        }
        if account != FakeKms::ACCOUNT {
            return Err(Refusal::new(
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::{}:user/fake is not authorized to perform: kms:{} on resource: {text} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
                    FakeKms::ACCOUNT,
                    self.operation
                ),
            ));
        }
        Ok(())
    }

    fn invalid(self, text: &str) -> Refusal {
        if self.has_invalid_arn && text.starts_with("arn:") {
            Refusal::new("InvalidArnException", format!("Invalid arn {text}"))
        } else {
            Refusal::not_found(format!("Invalid keyId '{text}'"))
        }
    }
}

impl Store {
    pub(super) fn new(region: &str) -> Self {
        Self { region: region.to_owned(), tables: Mutex::default() }
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The key that a `KeyId` names.
    pub(super) fn key(&self, text: &str, lookup: Lookup<'_>, now: i64) -> Result<Arc<Key>, Refusal> {
        let target = lookup.target(text, &self.region)?;
        let mut tables = self.lock();
        tables.find(&target, now).map(|key| Arc::clone(key)).ok_or_else(|| self.not_found(&target))
    }

    /// Changes the key that a `KeyId` names, unless `change` refuses.
    pub(super) fn change<T>(
        &self,
        text: &str,
        lookup: Lookup<'_>,
        now: i64,
        change: impl FnOnce(&mut Key) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let target = lookup.target(text, &self.region)?;
        let mut tables = self.lock();
        change(Arc::make_mut(tables.find(&target, now).ok_or_else(|| self.not_found(&target))?))
    }

    pub(super) fn insert(&self, key: Key) {
        self.lock().keys.insert(key.id.clone(), Arc::new(key));
    }

    /// Makes an alias, which must not exist.
    pub(super) fn create_alias(&self, name: &str, key: &Key) -> Result<(), Refusal> {
        let mut tables = self.lock();
        if tables.aliases.contains_key(name) {
            return Err(Refusal::new(
                "AlreadyExistsException",
                format!("An alias with the name {} already exists", self.alias_arn(name)),
            ));
        }
        tables.aliases.insert(name.to_owned(), key.id.clone());
        Ok(())
    }

    /// Points an existing alias at another key of the same kind.
    pub(super) fn update_alias(&self, name: &str, key: &Key) -> Result<(), Refusal> {
        let mut tables = self.lock();
        let current = tables.aliases.get(name).ok_or_else(|| self.alias_not_found(name))?;
        if let Some(current) = tables.keys.get(current)
            && current.usage != key.usage
        {
            return Err(Refusal::validation(format!(
                "Alias {} cannot be changed from a {} key to a {} key.",
                self.alias_arn(name),
                current.usage.name(),
                key.usage.name()
            )));
        }
        tables.aliases.insert(name.to_owned(), key.id.clone());
        Ok(())
    }

    /// Points an alias at a key, whether it exists or not.
    pub(super) fn point_alias(&self, name: &str, key: &Key) {
        self.lock().aliases.insert(name.to_owned(), key.id.clone());
    }

    pub(super) fn key_count(&self) -> usize {
        self.lock().keys.len()
    }

    pub(super) fn alias_count(&self) -> usize {
        self.lock().aliases.len()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_found(&self, target: &Target) -> Refusal {
        match target {
            Target::Alias(name) => self.alias_not_found(name),
            Target::Key(id) => Refusal::not_found(format!(
                "Key 'arn:aws:kms:{}:{}:key/{id}' does not exist",
                self.region,
                FakeKms::ACCOUNT
            )),
        }
    }

    fn alias_not_found(&self, name: &str) -> Refusal {
        Refusal::not_found(format!("Alias {} is not found.", self.alias_arn(name)))
    }

    fn alias_arn(&self, name: &str) -> String {
        format!("arn:aws:kms:{}:{}:{name}", self.region, FakeKms::ACCOUNT)
    }
}

impl Tables {
    /// A deleted key takes its aliases along.
    fn find(&mut self, target: &Target, now: i64) -> Option<&mut Arc<Key>> {
        let id = match target {
            Target::Key(id) => id,
            Target::Alias(name) => self.aliases.get(name)?,
        };
        self.keys.get_mut(id).filter(|key| !key.is_deleted(now))
    }
}

/// Checks the name of an alias that is to be made or changed.
pub(super) fn check_alias_name(name: &str) -> Result<&str, Refusal> {
    if name.starts_with("alias/aws/") {
        return Err(Refusal::new("NotAuthorizedException", "Aliases that begin with alias/aws/ are reserved for AWS."));
    }
    if !name.starts_with("alias/") {
        return Err(Refusal::validation("Invalid identifier"));
    }
    match name.parse() {
        Ok(KeyRef::Alias(_)) => Ok(name),
        _ => Err(Refusal::new("InvalidAliasNameException", format!("{name} is not a valid alias name."))),
    }
}
