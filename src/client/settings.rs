//! What can be set on a client that exists already, and what holds unless it is.

use core::time::Duration;
use std::sync::Arc;

use aws_sdk_kms::Client;

use super::{KmsClient, limit::Limits};
use crate::observe::Observer;

/// How long a call may take and how often it may try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) operation_timeout: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) max_attempts: u32,
    pub(super) hedge_after: Option<Duration>,
}

/// A longer one would mean none, and a time that far ahead cannot be computed with.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Default for Policy {
    fn default() -> Self {
        Self {
            operation_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(5),
            max_attempts: 4,
            hedge_after: None,
        }
    }
}

impl KmsClient {
    /// Bounds a call with all its attempts and pauses. The default is 10 s.
    #[must_use]
    pub fn with_operation_timeout(self, timeout: Duration) -> Self {
        self.with_policy(|policy| policy.operation_timeout = timeout)
    }

    /// Bounds one attempt from its transmission on, within what is left of the operation timeout. The default is 5 s.
    #[must_use]
    pub fn with_attempt_timeout(self, timeout: Duration) -> Self {
        self.with_policy(|policy| policy.attempt_timeout = timeout)
    }

    /// Bounds the number of attempts, the first one included. The default is 4; 0 is taken as 1.
    ///
    /// Throttled attempts are not counted: they wait for their turn again until the deadline. With 1 nothing is tried again.
    #[must_use]
    pub fn with_max_attempts(self, attempts: u32) -> Self {
        self.with_policy(|policy| policy.max_attempts = attempts.max(1))
    }

    /// Bounds the requests let out per second, in each Region, for signing and for everything else apart. There is no bound
    /// by default; 0 is taken as 1.
    ///
    /// The client that is returned has new queues, which only its own clones share.
    #[must_use]
    pub fn with_requests_per_second(self, requests: u32) -> Self {
        self.with_limits(|limits| limits.requests_per_second = Some(requests.max(1)))
    }

    /// Bounds the requests under way at a time, in each Region, for signing and for everything else apart. The default is 64;
    /// 0 is taken as 1.
    ///
    /// The client that is returned has new queues, which only its own clones share.
    #[must_use]
    pub fn with_max_in_flight(self, requests: u32) -> Self {
        self.with_limits(|limits| limits.max_in_flight = requests.max(1))
    }

    /// Bounds the calls that wait for their turn. The default is 10,000; with 0 a call that cannot go at once fails.
    ///
    /// The client that is returned has new queues, which only its own clones share.
    #[must_use]
    pub fn with_max_queued(self, calls: u32) -> Self {
        self.with_limits(|limits| limits.max_queued = calls)
    }

    /// Adds a Region to turn to when those before it fail: an SDK client for it, used as it is. Signers of this client need
    /// multi-Region keys (`mrk-…`) with a replica in that Region.
    ///
    /// The caller needs the same actions on the replica as on the key: policies, grants, aliases and states are each Region's own.
    #[must_use]
    pub fn with_failover_client(mut self, sdk: impl Into<Client>) -> Self {
        Arc::make_mut(&mut self.0).regions.add(sdk.into());
        self
    }

    /// Asks the next Region, too, when an attempt has taken this long, and takes the first good answer. Off by default.
    ///
    /// Each attempt may then cost two requests, and KMS make two signatures, of which the caller gets one. Needs a second Region.
    #[must_use]
    pub fn with_hedge_after(self, delay: Duration) -> Self {
        self.with_policy(|policy| policy.hedge_after = Some(delay))
    }

    /// Tells this observer of every call. It takes the place of an earlier one.
    #[must_use]
    pub fn with_observer(self, observer: impl Observer) -> Self {
        self.with_shared_observer(Some(Arc::new(observer)))
    }

    pub(super) fn with_shared_observer(mut self, observer: Option<Arc<dyn Observer>>) -> Self {
        Arc::make_mut(&mut self.0).observer = observer;
        self
    }

    pub(super) fn with_policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let policy = &mut Arc::make_mut(&mut self.0).policy;
        change(policy);
        for timeout in [&mut policy.operation_timeout, &mut policy.attempt_timeout] {
            *timeout = (*timeout).min(LONGEST_TIMEOUT);
        }
        self
    }

    pub(super) fn with_limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        let mut limits = shared.regions.first.limits();
        change(&mut limits);
        shared.regions = shared.regions.limited(limits);
        self
    }
}
