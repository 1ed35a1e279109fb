//! The FakeKms of several Regions that know each other: one account, one set of credentials.

use core::mem;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Shared, access::Access};

/// Every FakeKms has one. When two are joined, one group takes over what the other has, and the other says where it went.
pub(super) struct Group(Mutex<Place>);

enum Place {
    Here(Members),
    Moved(Arc<Group>),
}

#[derive(Default)]
pub(super) struct Members {
    /// By Region.
    pub(super) regions: BTreeMap<String, Arc<Shared>>,
    pub(super) access: Access,
}

impl Group {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        let regions = BTreeMap::from([(shared.store.region().to_owned(), Arc::clone(shared))]);
        Self(Mutex::new(Place::Here(Members { regions, access: Access::default() })))
    }

    /// Joins two groups, unless both have a FakeKms of the same Region, which is the error.
    pub(super) fn join(one: &Arc<Self>, other: &Arc<Self>) -> Result<(), String> {
        // Nobody else holds the locks of two groups.
        static JOINING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = JOINING.lock().unwrap_or_else(PoisonError::into_inner);
        let (one, other) = (one.root(), other.root());
        if Arc::ptr_eq(&one, &other) {
            return Ok(());
        }
        let (mut to, mut from) = (one.lock(), other.lock());
        if let (Place::Here(to), Place::Here(from)) = (&mut *to, &mut *from) {
            if let Some(region) = from.regions.keys().find(|region| to.regions.contains_key(*region)) {
                return Err(region.clone());
            }
            to.take_over(mem::take(from));
        }
        *from = Place::Moved(Arc::clone(&one));
        Ok(())
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Members) -> T) -> T {
        let moved = match &mut *self.lock() {
            Place::Here(members) => return act(members),
            Place::Moved(group) => Arc::clone(group),
        };
        moved.with(act)
    }

    fn root(self: &Arc<Self>) -> Arc<Self> {
        let moved = match &*self.lock() {
            Place::Here(_) => return Arc::clone(self),
            Place::Moved(group) => Arc::clone(group),
        };
        moved.root()
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn take_over(&mut self, other: Self) {
        self.regions.extend(other.regions);
        self.access.take_over(other.access);
    }
}
