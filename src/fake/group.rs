//! The FakeKms of several Regions that know each other: one account, one set of credentials.

use core::mem;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{FakeKms, Shared, access::Access, exchange, store::Lookup};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyArn,
};

/// Every FakeKms has one. When two are joined, one group takes over what the other has, and the other says where it
/// went.
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

impl FakeKms {
    /// Makes the KMS of two Regions, and all that either was joined to before, one account.
    ///
    /// `ReplicateKey` finds the others, and a request that is signed for the Region of another (in the credential scope
    /// of its `Authorization` header) is answered by that one, with its faults and its log, whichever it is sent to.
    /// Access keys and IAM policies are good in all.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use kms_signer::fake::FakeKms;
    ///
    /// let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    /// east.join(&west)?;
    /// let key = east.create_multi_region_key()?;
    /// east.client().replicate_key().key_id(key.as_ref()).replica_region("us-west-2").send().await?;
    /// west.client().get_public_key().key_id(key.key_id().as_str()).send().await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if both have one of the same Region. Joining what is joined already does nothing.
    pub fn join(&self, other: &Self) -> Result<()> {
        Group::join(&self.1, &other.1).map_err(|region| {
            let message = format!("there are two FakeKms of Region {region}");
            Error::new(ErrorKind::Config, Operation::Fake, message)
        })
    }

    /// Makes a replica of a multi-Region key in the KMS of another Region, as `ReplicateKey` does: same id, same key
    /// material. They need not be [joined](Self::join).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyNotFound`] if there is no such key here; [`ErrorKind::KeyUnsuitable`] if it is no multi-Region
    /// primary key, or the other KMS is in the same Region or has a replica.
    pub fn replicate_key(&self, key: &KeyArn, to: &Self) -> Result<KeyArn> {
        let found = self
            .0
            .store
            .key(key.as_ref(), Lookup::of("ReplicateKey").within(), self.0.clock.now())
            .map_err(|refusal| refusal.into_error().with_key(key.as_ref()))?;
        let unsuitable =
            |message| Error::new(ErrorKind::KeyUnsuitable, Operation::Fake, message).with_key(key.as_ref());
        if !found.is_primary() || to.region() == self.region() {
            return Err(unsuitable("only a multi-Region primary key can have a replica, and only in another Region"));
        }
        let now = to.0.clock.now();
        let replica = to.0.store.insert_replica(found.replica(to.region(), now), now);
        replica.map_err(|_| unsuitable("it has a replica there"))?.arn.parse()
    }

    /// The joined one of a Region.
    pub(super) fn joined(&self, region: &str) -> Option<Self> {
        let shared = self.1.with(|members| members.regions.get(region).cloned())?;
        Some(Self(shared, Arc::clone(&self.1)))
    }

    /// The one whose Region a request is signed for, or this one if none is.
    pub(super) fn addressed_by(&self, request: &http::Request<Bytes>) -> Self {
        let elsewhere = exchange::scope(request).filter(|(_, region)| *region != self.region());
        elsewhere.and_then(|(_, region)| self.joined(region)).unwrap_or_else(|| self.clone())
    }
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
