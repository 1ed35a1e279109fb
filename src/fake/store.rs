//! Keys and aliases, and how a request's `KeyId` finds them.

mod lookup;

use core::ops::Bound;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::lookup::Target;
pub(super) use self::lookup::{Lookup, is_cipher};
use super::{
    FakeKms,
    key::{self, Key},
    refusal::Refusal,
};
use crate::key_ref::KeyRef;

/// The keys and aliases of one Region.
pub(super) struct Store {
    region: String,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// By key id.
    keys: BTreeMap<String, Arc<Key>>,
    /// By name.
    aliases: BTreeMap<String, Alias>,
    /// From key id to the names of its aliases.
    names: HashMap<String, BTreeSet<String>>,
    /// From grant token to key id and grant id.
    grant_tokens: HashMap<String, (String, String)>,
    /// Key ids and names of aliases that so many more requests do not find.
    unseen: Unseen,
}

#[derive(Default)]
struct Unseen(HashMap<String, usize>);

#[derive(Clone)]
pub(super) struct Alias {
    /// None for one of AWS's own that leads to no key yet.
    pub(super) key_id: Option<String>,
    /// In seconds since 1970, as `updated`.
    pub(super) created: i64,
    pub(super) updated: i64,
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
        if !lookup.sees_all && tables.hides(&target) {
            return Err(self.not_found(&target));
        }
        let key = tables.find(&target, now).ok_or_else(|| self.not_found(&target))?;
        if key.is_creating() && !lookup.sees_all {
            Arc::make_mut(key).named();
        }
        Ok(Arc::clone(key))
    }

    /// Changes the key of this id, unless `change` refuses.
    pub(super) fn change<T>(
        &self,
        id: &str,
        now: i64,
        change: impl FnOnce(&mut Key) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let target = Target::Key(id.to_owned());
        change(Arc::make_mut(self.lock().find(&target, now).ok_or_else(|| self.not_found(&target))?))
    }

    pub(super) fn insert(&self, key: Key) {
        self.lock().keys.insert(key.id.clone(), Arc::new(key));
    }

    /// Puts a replica in, unless the Region has one.
    pub(super) fn insert_replica(&self, key: Key, now: i64) -> Result<Arc<Key>, Refusal> {
        let mut tables = self.lock();
        if tables.keys.get(&key.id).is_some_and(|key| !key.is_deleted(now)) {
            return Err(Refusal::new("AlreadyExistsException", format!("{} already exists.", key.arn)));
        }
        key.announce();
        let key = Arc::new(key);
        for name in tables.names.remove(&key.id).unwrap_or_default() {
            tables.aliases.remove(&name);
        }
        tables.keys.insert(key.id.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// Up to `count` keys in the order of their ids, from behind that of `after`.
    pub(super) fn keys(&self, after: Option<&str>, count: usize, now: i64) -> Vec<Arc<Key>> {
        let tables = &mut *self.lock();
        let keys = tables.keys.range::<str, _>(behind(after)).map(|(_, key)| key);
        keys.filter(|key| !key.is_deleted(now) && !tables.unseen.hides(&key.id)).take(count).cloned().collect()
    }

    /// Up to `count` aliases, of one key or of all, in the order of their names, from behind that of `after`.
    pub(super) fn aliases(
        &self,
        key: Option<&Key>,
        after: Option<&str>,
        count: usize,
        now: i64,
    ) -> Vec<(String, Alias)> {
        let Tables { keys, aliases, names, unseen, .. } = &mut *self.lock();
        let mut is_seen = |name: &str, alias: &Alias| {
            let is_alive = |id| keys.get(id).is_some_and(|key| !key.is_deleted(now));
            alias.key_id.as_ref().is_none_or(is_alive) && !unseen.hides(name)
        };
        let found: Box<dyn Iterator<Item = (&String, &Alias)>> = match key {
            Some(key) => {
                let names = names.get(&key.id).into_iter().flat_map(|names| names.range::<str, _>(behind(after)));
                Box::new(names.filter_map(|name| aliases.get_key_value(name)))
            }
            None => Box::new(aliases.range::<str, _>(behind(after))),
        };
        let seen = found.filter(|(name, alias)| is_seen(name, alias));
        seen.take(count).map(|(name, alias)| (name.clone(), alias.clone())).collect()
    }

    /// Makes an alias, which must not exist.
    pub(super) fn create_alias(&self, name: &str, key: &Key, now: i64) -> Result<(), Refusal> {
        let mut tables = self.lock();
        if tables.alias(name, now).is_some() {
            return Err(Refusal::new(
                "AlreadyExistsException",
                format!("An alias with the name {} already exists", self.alias_arn(name)),
            ));
        }
        tables.remove_alias(name);
        tables.point(name, key, now);
        Ok(())
    }

    /// Points an existing alias at another key of the same kind.
    pub(super) fn update_alias(&self, name: &str, key: &Key, now: i64) -> Result<(), Refusal> {
        let mut tables = self.lock();
        let current = tables.alias(name, now).ok_or_else(|| self.alias_not_found(name))?;
        if current.usage != key.usage {
            return Err(Refusal::validation(format!(
                "Alias {} cannot be changed from a {} key to a {} key.",
                self.alias_arn(name),
                current.usage.name(),
                key.usage.name()
            )));
        }
        tables.point(name, key, now);
        Ok(())
    }

    /// Points an alias at a key, whether it exists or not.
    pub(super) fn point_alias(&self, name: &str, key: &Key, now: i64) {
        self.lock().point(name, key, now);
    }

    /// Adds an alias of AWS's own that leads to no key yet.
    pub(super) fn add_idle_alias(&self, name: &str) {
        self.lock().aliases.insert(name.to_owned(), Alias { key_id: None, created: 0, updated: 0 });
    }

    /// The key that an alias points at.
    pub(super) fn alias_target(&self, name: &str, now: i64) -> Result<Arc<Key>, Refusal> {
        let mut tables = self.lock();
        if tables.unseen.hides(name) {
            return Err(self.alias_not_found(name));
        }
        tables.alias(name, now).cloned().ok_or_else(|| self.alias_not_found(name))
    }

    pub(super) fn delete_alias(&self, name: &str) {
        self.lock().remove_alias(name);
    }

    /// The names of a key's aliases.
    pub(super) fn alias_names(&self, key: &Key) -> Vec<String> {
        self.lock().names.get(&key.id).into_iter().flatten().cloned().collect()
    }

    pub(super) fn add_grant_token(&self, token: &str, key_id: &str, grant_id: &str) {
        self.lock().grant_tokens.insert(token.to_owned(), (key_id.to_owned(), grant_id.to_owned()));
    }

    pub(super) fn drop_grant_tokens(&self, grant_id: &str) {
        self.lock().grant_tokens.retain(|_, (_, id)| id != grant_id);
    }

    /// The grant of a token: its key and id.
    pub(super) fn grant_of_token(&self, token: &str, now: i64) -> Option<(Arc<Key>, String)> {
        let mut tables = self.lock();
        let (key_id, grant_id) = tables.grant_tokens.get(token)?.clone();
        Some((Arc::clone(tables.find(&Target::Key(key_id), now)?), grant_id))
    }

    /// Lets so many requests that name a key or an alias not find it.
    pub(super) fn hide(&self, name: Option<&str>, requests: usize) {
        if let (Some(name), 1..) = (name, requests) {
            self.lock().unseen.0.insert(name.to_owned(), requests);
        }
    }

    pub(super) fn key_count(&self) -> usize {
        self.lock().keys.len()
    }

    pub(super) fn alias_count(&self) -> usize {
        self.lock().aliases.len()
    }

    pub(super) fn alias_arn(&self, name: &str) -> String {
        key::arn_of(&self.region, FakeKms::ACCOUNT, name)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_found(&self, target: &Target) -> Refusal {
        match target {
            Target::Alias(name) => self.alias_not_found(name),
            Target::Key(id) => Refusal::not_found(format!("Key '{}' does not exist", key::arn(&self.region, id))),
        }
    }

    fn alias_not_found(&self, name: &str) -> Refusal {
        Refusal::not_found(format!("Alias {} is not found.", self.alias_arn(name)))
    }
}

impl Unseen {
    /// Whether this is hidden from one more request.
    fn hides(&mut self, name: &str) -> bool {
        let Some(left) = self.0.get_mut(name) else { return false };
        *left -= 1;
        if *left == 0 {
            self.0.remove(name);
        }
        true
    }
}

impl Tables {
    fn hides(&mut self, target: &Target) -> bool {
        match target {
            Target::Key(id) => self.unseen.hides(id),
            Target::Alias(name) => {
                let id = self.aliases.get(name).and_then(|alias| alias.key_id.as_ref());
                self.unseen.hides(name) || id.is_some_and(|id| self.unseen.hides(id))
            }
        }
    }

    /// A deleted key takes its aliases along.
    fn find(&mut self, target: &Target, now: i64) -> Option<&mut Arc<Key>> {
        let id = match target {
            Target::Key(id) => id,
            Target::Alias(name) => self.aliases.get(name)?.key_id.as_ref()?,
        };
        let key = self.keys.get_mut(id).filter(|key| !key.is_deleted(now))?;
        if key.is_due(now) {
            Arc::make_mut(key).settle(now);
        }
        Some(key)
    }

    /// The key that an alias points at.
    fn alias(&self, name: &str, now: i64) -> Option<&Arc<Key>> {
        self.keys.get(self.aliases.get(name)?.key_id.as_ref()?).filter(|key| !key.is_deleted(now))
    }

    fn point(&mut self, name: &str, key: &Key, now: i64) {
        let created = self.aliases.get(name).map_or(now, |alias| alias.created);
        self.remove_alias(name);
        let alias = Alias { key_id: Some(key.id.clone()), created, updated: now };
        self.aliases.insert(name.to_owned(), alias);
        self.names.entry(key.id.clone()).or_default().insert(name.to_owned());
    }

    fn remove_alias(&mut self, name: &str) {
        if let Some(Alias { key_id: Some(id), .. }) = self.aliases.remove(name)
            && let Some(names) = self.names.get_mut(&id)
        {
            names.remove(name);
        }
    }
}

fn behind(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

/// Checks the name of an alias that is to be made, changed or deleted.
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
