//! What a program can see of this crate at work: one event for each KMS call, one when a Region is left or returned to, one when
//! credentials are loaded, one for each decision of a guard and for what came of it.

#[cfg(feature = "guard")]
mod guard;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tracing")]
mod tracing;

use core::{fmt, time::Duration};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::SystemTime,
};

#[cfg(feature = "guard")]
pub use self::guard::{GuardEvent, Stage};
#[cfg(feature = "metrics")]
pub use self::metrics::MetricsObserver;
#[cfg(feature = "tracing")]
pub use self::tracing::TracingObserver;
use crate::error::{ErrorKind, Operation};

/// Sees what a client does. It is told, and cannot object: what it does changes no call.
///
/// It is called on the task that makes the call, so it should be quick: count, log, or pass on through a channel. A panic of it is
/// caught, unless the program was built with `panic = "abort"`. Any closure that takes an [`Event`] is an observer.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kms_signer::{Event, KmsClient, KmsSigner, fake::FakeKms};
///
/// let fake = FakeKms::new();
/// let client = KmsClient::from(fake.client()).with_observer(|event: &Event<'_>| {
///     if let Event::Call(call) = event {
///         println!("{} took {:?} and {} attempts: {}", call.operation(), call.latency(), call.attempts(), call.outcome());
///     }
/// });
/// let signer = KmsSigner::new(client, fake.create_key()?, None).await?;
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Tells an observer. What is observed is not lost because somebody cannot count it.
pub(crate) fn tell(observer: &dyn Observer, event: &Event<'_>) {
    let _ = catch_unwind(AssertUnwindSafe(|| observer.observe(event)));
}

/// What an [`Observer`] is told.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A call of KMS has ended.
    Call(CallEvent<'a>),
    /// A Region is left, or returned to.
    Region(RegionEvent<'a>),
    /// Credentials were loaded, or loaded again before they expired. Told by clients that were built here
    /// (`KmsClient::builder`), with an observer given to the builder.
    Credentials(CredentialsEvent),
    /// A guard has decided, or what it allowed was signed or failed. Told by `guard::Guarded`.
    #[cfg(feature = "guard")]
    Guard(GuardEvent<'a>),
}

/// A call of KMS, with all its attempts.
#[derive(Clone, Copy, Debug)]
pub struct CallEvent<'a> {
    pub(crate) operation: Operation,
    pub(crate) key: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) attempts: u32,
    pub(crate) throttled: u32,
    pub(crate) queue_wait: Duration,
    pub(crate) latency: Duration,
    pub(crate) outcome: Outcome,
    pub(crate) request_id: Option<&'a str>,
}

/// The loading of credentials: from the environment, a role, a container, or wherever they come from.
#[derive(Clone, Copy, Debug)]
pub struct CredentialsEvent {
    pub(crate) latency: Duration,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) outcome: Outcome,
}

/// How a call of KMS ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// With an answer; a signature has been verified.
    Success,
    /// With an error of this kind.
    Failure(ErrorKind),
    /// Its caller no longer waited for it.
    Cancelled,
}

/// A Region that is left for a while because it failed, or that answers again.
#[derive(Clone, Copy, Debug)]
pub struct RegionEvent<'a> {
    pub(crate) region: Option<&'a str>,
    pub(crate) left_for: Option<Duration>,
}

impl<'a> CallEvent<'a> {
    /// The KMS API's operation.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The key as the caller knows it: a key id, a key ARN or an alias. None where the operation is about no key yet, as
    /// `CreateKey` and `ListKeys`.
    pub fn key(&self) -> Option<&'a str> {
        self.key
    }

    /// The Region that answered last, or was asked last.
    pub fn region(&self) -> Option<&'a str> {
        self.region
    }

    /// How many requests were made, throttled ones and hedges included. None if the call never left the queue.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many of them KMS throttled.
    pub fn throttled(&self) -> u32 {
        self.throttled
    }

    /// How long the call waited in the client's own queue, all attempts together.
    pub fn queue_wait(&self) -> Duration {
        self.queue_wait
    }

    /// How long the caller waited, the queue and all attempts included.
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The id AWS gave the last request that it answered. CloudTrail records the same id.
    pub fn request_id(&self) -> Option<&'a str> {
        self.request_id
    }
}

impl<'a> RegionEvent<'a> {
    /// The Region.
    pub fn region(&self) -> Option<&'a str> {
        self.region
    }

    /// For how long it is left at least; none if it answers again.
    pub fn left_for(&self) -> Option<Duration> {
        self.left_for
    }
}

impl CredentialsEvent {
    /// How long it took.
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// When they expire, if they do. They are loaded again with the first call after that less ten seconds.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

impl Outcome {
    /// The outcome in one word, fit for a label: `success`, `cancelled`, or the error's kind as in `Throttled`.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Cancelled => "cancelled",
            Self::Failure(kind) => kind.name(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failure(kind) => kind.fmt(f),
        }
    }
}
