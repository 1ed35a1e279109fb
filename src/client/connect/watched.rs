//! Tells the observer whenever credentials are loaded.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future};
use core::fmt;

use super::super::classify;
use crate::observe::{self, CredentialsEvent, Event, Observer, Outcome};

/// A source of credentials with an observer.
pub(super) struct Watched {
    source: SharedCredentialsProvider,
    observer: Arc<dyn Observer>,
}

impl Watched {
    pub(super) fn new(source: SharedCredentialsProvider, observer: Arc<dyn Observer>) -> Self {
        Self { source, observer }
    }

    async fn load(&self) -> Result<aws_credential_types::Credentials, CredentialsError> {
        let mut report =
            Report { observer: &*self.observer, started: Instant::now(), outcome: Outcome::Cancelled, expires: None };
        let loaded = self.source.provide_credentials().await;
        (report.outcome, report.expires) = match &loaded {
            Ok(credentials) => (Outcome::Success, credentials.expiry()),
            Err(error) => (Outcome::Failure(classify::credentials_kind(error)), None),
        };
        loaded
    }
}

/// Tells the observer how the loading ended, and that it did where nobody waited any longer.
struct Report<'a> {
    observer: &'a dyn Observer,
    started: Instant,
    outcome: Outcome,
    expires: Option<SystemTime>,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let (latency, expires, outcome) = (self.started.elapsed(), self.expires, self.outcome);
        let event = Event::Credentials(CredentialsEvent { latency, expires, outcome });
        // A signature is not held up because somebody cannot count.
        observe::tell(self.observer, &event);
    }
}

impl ProvideCredentials for Watched {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }

    fn fallback_on_interrupt(&self) -> Option<aws_credential_types::Credentials> {
        self.source.fallback_on_interrupt()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("source", &self.source).finish_non_exhaustive()
    }
}
