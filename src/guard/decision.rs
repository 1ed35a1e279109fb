//! The guard: rules, limits, and the permits it gives.

use core::{fmt, time::Duration};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use alloy_primitives::Address;

use super::{
    asked::Asked,
    record::Spending,
    rules::{Denied, Rules},
    spent::{Hold, Spent},
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// Decides what may be signed: by its [`Rules`], and by what their limits leave.
///
/// It is pure and synchronous, and asks nobody. Clones share the limits; so do all signers that are wrapped with clones of it. Its memory
/// is bounded, whatever it is asked: some 25 MB for each limit at most.
///
/// ```
/// use kms_signer::guard::Guard;
///
/// let guard = Guard::from_toml(r#"
///     [[transactions]]
///     name = "payouts"
///     chain_ids = [1]
///     to = ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
///     max_value = "0.5 ether"
///     max_fee_per_gas = "100 gwei"
///     max_gas_limit = 21000
///
///     [[limits]]
///     name = "a day's"
///     window = "24h"
///     total = "2 ether"
/// "#)?;
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    rules: Rules,
    spent: Mutex<Spent>,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

/// What a guard gives for what may be signed. Its share of the limits is given back when it is dropped, unless it was
/// [used](Self::used).
#[must_use = "dropped, it gives its share of the limits back"]
pub struct Permit {
    guard: Guard,
    rule: String,
    hold: Option<Hold>,
}

impl Guard {
    /// A guard with these rules.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a rule contradicts itself, allows nothing, or has another's name.
    pub fn new(rules: Rules) -> Result<Self> {
        // Time as it passes: nobody frees a limit by setting the system's clock.
        let (began, since) = (SystemTime::now(), Instant::now());
        Self::with_clock(rules, move || began + since.elapsed())
    }

    /// A guard whose limits' windows slide with a clock of yours, for instance one that a test moves. One that goes back frees nothing.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_clock(rules: Rules, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Result<Self> {
        rules.check()?;
        let spent = Mutex::new(Spent::new(&rules.limits));
        Ok(Self(Arc::new(Inner { rules, spent, clock: Box::new(clock) })))
    }

    /// A guard with rules from TOML.
    ///
    /// # Errors
    ///
    /// As [`Rules::from_toml`].
    pub fn from_toml(text: &str) -> Result<Self> {
        Self::new(Rules::from_toml(text)?)
    }

    /// A guard with rules from JSON.
    ///
    /// # Errors
    ///
    /// As [`Rules::from_json`].
    pub fn from_json(text: &str) -> Result<Self> {
        Self::new(Rules::from_json(text)?)
    }

    /// The rules it decides by.
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// Decides whether `sender` may sign what is asked. [`Guarded`](super::Guarded) does this by itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::GuardDenied`], with the name of the rule that came closest or of the limit, and the offending value.
    pub fn judge(&self, sender: Address, asked: &Asked<'_>) -> Result<Permit> {
        let denied = |denied: Denied| denied.into_error(asked);
        let rule = self.0.rules.allow(asked).map_err(denied)?;
        let hold = match asked.spending(sender, (self.0.clock)()) {
            Some(spending) if !self.0.rules.limits.is_empty() => Some(self.spent().hold(spending).map_err(denied)?),
            _ => None,
        };
        Ok(Permit { guard: self.clone(), rule: rule.to_owned(), hold })
    }

    /// Counts what was spent before this process began: from a record of your own, or from audit files that were rotated
    /// ([`spendings`](super::spendings)). From the audit file itself [`AuditLog::restore`](super::AuditLog::restore) does it. A spending in the
    /// future counts from now on.
    pub fn restore(&self, spendings: impl IntoIterator<Item = Spending>) {
        let now = (self.0.clock)();
        let mut spent = self.spent();
        for spending in spendings {
            spent.restore(spending, now);
        }
    }

    /// How far back spendings count.
    pub(super) fn longest_window(&self) -> Duration {
        self.0.rules.limits.iter().map(|limit| limit.window).max().unwrap_or_default()
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.0.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The name of the rule that allows it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// It was signed: its share of the limits is spent.
    pub fn used(self) {
        drop(self.used_unless_returned());
    }

    /// It is about to be signed: from now on its share is spent unless it is returned.
    pub(super) fn used_unless_returned(self) -> InUse {
        InUse(Some(self))
    }
}

/// A permit whose share of the limits is spent when it is dropped.
pub(super) struct InUse(Option<Permit>);

impl InUse {
    /// Returns the share if there cannot be a signature.
    pub(super) fn settle<T>(mut self, result: &alloy_signer::Result<T>) {
        let is_certain = |error| Error::find(error).is_none_or(|error| !error.may_have_signed());
        if result.as_ref().is_err_and(|error| is_certain(error)) {
            drop(self.0.take());
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(mut permit) = self.0.take()
            && let Some(hold) = permit.hold.take()
        {
            let now = (permit.guard.0.clock)();
            permit.guard.spent().settle(hold, now);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.guard.spent().release(hold);
        }
    }
}

impl Denied {
    pub(super) fn into_error(self, asked: &Asked<'_>) -> Error {
        let kind = asked.kind().replace('_', " ");
        match self.rule {
            Some(rule) => {
                let message = format!("{kind} denied by {rule:?}: {}", self.reason);
                Error::new(ErrorKind::GuardDenied, Operation::Judge, message).with_rule(rule)
            }
            None => Error::new(ErrorKind::GuardDenied, Operation::Judge, format!("{kind} denied: {}", self.reason)),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("rule", &self.rule).finish_non_exhaustive()
    }
}
