//! A multi-Region key and its replicas: which of them there are.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Shared by the keys of all its Regions.
pub(super) struct Family {
    /// The Region of the primary key.
    primary: String,
    /// By Region, when each replica is to be deleted.
    replicas: Mutex<BTreeMap<String, Option<i64>>>,
}

impl Family {
    pub(super) fn new(primary: &str) -> Self {
        Self { primary: primary.to_owned(), replicas: Mutex::default() }
    }

    pub(super) fn primary(&self) -> &str {
        &self.primary
    }

    /// Adds a replica, or says when it is to be deleted.
    pub(super) fn set(&self, region: &str, deletion: Option<i64>) {
        if region != self.primary {
            self.lock().insert(region.to_owned(), deletion);
        }
    }

    /// The Regions of the replicas there are.
    pub(super) fn replicas(&self, now: i64) -> Vec<String> {
        let replicas = self.lock();
        let alive = replicas.iter().filter(|(_, deletion)| deletion.is_none_or(|at| at > now));
        alive.map(|(region, _)| region.clone()).collect()
    }

    /// When the last replica was deleted, if none is left.
    pub(super) fn last_deletion(&self, now: i64) -> Option<i64> {
        let replicas = self.lock();
        let last = replicas.values().copied().collect::<Option<Vec<_>>>()?.into_iter().max()?;
        (last <= now).then_some(last)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<i64>>> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
