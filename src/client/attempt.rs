//! What one attempt is given: its deadline, a sleep to keep it with, and a count of what was transmitted.

use core::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use std::{panic::catch_unwind, sync::Arc};

use aws_sdk_kms::{
    config::{
        self, AsyncSleep, ConfigBag, Intercept, RuntimeComponents, SharedAsyncSleep, Sleep,
        interceptors::BeforeTransmitInterceptorContextRef, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::BoxError,
};

use super::misconfigured;
use crate::error::Result;

/// The first pause is at most this long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The settings that make one SDK operation one attempt with a deadline.
pub(super) fn settings(limit: Duration, sleep: SharedAsyncSleep, transmissions: Transmissions) -> config::Builder {
    config::Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(limit).disable_operation_attempt_timeout().build())
        .sleep_impl(sleep)
        .interceptor(transmissions)
}

/// A random pause before the next attempt (full jitter), so that callers who failed together do not return together.
pub(super) fn pause_after(attempt: u32) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
    ceiling.mul_f64(fastrand::f64())
}

/// Counts the requests that reached transmission: only those can have been signed.
#[derive(Clone, Debug, Default)]
pub(super) struct Transmissions(Arc<AtomicU32>);

impl Transmissions {
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Transmissions {
    fn name(&self) -> &'static str {
        "kms_signer::Transmissions"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The client's own sleep, or tokio's where it has none and a timer is running here.
///
/// Without a sleep the SDK would drop the deadline silently, and tokio's panics where its timer does not run.
pub(super) fn sleep_for(sdk: &aws_sdk_kms::Client) -> Result<SharedAsyncSleep> {
    let own = sdk.config().sleep_impl();
    match own {
        Some(sleep) if !is_tokio(&sleep) => Ok(sleep),
        own => {
            tokio_timer_runs()?;
            Ok(own.unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep)))
        }
    }
}

/// The SDK offers no other way to tell its tokio sleep from a caller's own.
fn is_tokio(sleep: &SharedAsyncSleep) -> bool {
    format!("{sleep:?}").contains("TokioSleep")
}

pub(super) fn tokio_timer_runs() -> Result<()> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(misconfigured(
            "no tokio runtime is running here; call from inside one, or give the SDK client a sleep_impl of your runtime",
        ));
    }
    // tokio cannot be asked whether the timer runs; making a sleep panics where it does not.
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO)))
        .map_err(|_| misconfigured("the tokio runtime has no timer; build it with enable_time() or enable_all()"))
}

#[derive(Debug)]
struct TokioSleep;

impl AsyncSleep for TokioSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_no_further() {
        for (attempt, longest) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1000), (u32::MAX, 1000)] {
            for _ in 0..100 {
                assert!(pause_after(attempt) <= Duration::from_millis(longest), "attempt {attempt}");
            }
        }
    }
}
