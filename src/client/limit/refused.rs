//! Why a request was not let out of the queue, and what the caller is told.

use core::time::Duration;

use super::Limits;
use crate::error::{Error, ErrorKind, Operation};

/// Why a request was not let out. It was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Refused {
    /// So many wait already.
    QueueFull(usize),
    /// At the rate that was set, so many who wait take longer than the call has.
    TooManyAhead(usize),
    /// The call's time ended while the rate held its turn back.
    HeldByRate,
    /// The call's time ended while as many requests as may be were under way.
    HeldInFlight,
}

impl Refused {
    pub(in crate::client) fn into_error(self, operation: Operation, limits: Limits, timeout: Duration) -> Error {
        let (kind, message, remedy) = match self {
            Self::QueueFull(waiting) => (
                ErrorKind::Throttled,
                format!("this client's own queue is full: {waiting} calls wait in it"),
                "ask for fewer signatures at once, or raise max_queued",
            ),
            Self::TooManyAhead(waiting) => (
                ErrorKind::Throttled,
                format!(
                    "{waiting} calls wait in this client's own queue, more than its requests_per_second let out within {timeout:.1?}"
                ),
                "ask for fewer signatures at once, or raise requests_per_second (and KMS's quota) or the operation timeout",
            ),
            Self::HeldByRate => (
                ErrorKind::Throttled,
                format!(
                    "its turn in this client's own queue, which sends no more than KMS gives or requests_per_second says, did not come within {timeout:.1?}"
                ),
                "ask for fewer signatures at once, or raise KMS's quota, requests_per_second or the operation timeout",
            ),
            Self::HeldInFlight => (
                ErrorKind::Timeout,
                format!(
                    "its turn in this client's own queue did not come within {timeout:.1?}: {} requests were under way",
                    limits.max_in_flight
                ),
                "ask for fewer signatures at once, or raise max_in_flight or the operation timeout; if KMS is slow, check the network path to it",
            ),
        };
        Error::new(kind, operation, message).with_remedy(remedy)
    }
}
