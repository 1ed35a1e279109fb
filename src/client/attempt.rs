//! What one attempt is given: deadlines, a sleep to keep them with, a watch over its transmission, a bound on its answer.

use core::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{panic::catch_unwind, sync::Arc};

use aws_sdk_kms::{
    config::{
        self, AsyncSleep, ConfigBag, Intercept, RuntimeComponents, SharedAsyncSleep, Sleep,
        interceptors::{BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef},
        retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use tokio::sync::Notify;

use super::misconfigured;
use crate::error::Result;

/// The first pause is at most this long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest answer that is read. KMS's largest, a page of a thousand keys, has a fifth of it.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;

/// The settings that make one SDK operation one attempt. `left` is what is left of the call's time.
pub(super) fn settings(left: Duration, sleep: SharedAsyncSleep, transmission: Transmission) -> config::Builder {
    config::Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(left).disable_operation_attempt_timeout().build())
        .sleep_impl(sleep)
        .interceptor(transmission)
}

/// A random pause before the next attempt (full jitter), so that callers who failed together do not return together.
pub(super) fn pause_after(attempt: u32) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
    ceiling.mul_f64(fastrand::f64())
}

/// Watches one attempt's request: whether it reached transmission, and for how long.
///
/// Only a transmitted request can have been signed, and only from then on does the attempt timeout run: credentials may
/// take longer to load than KMS takes to answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Transmission(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    begun: AtomicBool,
    beginning: Notify,
}

impl Transmission {
    pub(super) fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    /// Ends when transmission began this long ago.
    pub(super) async fn lasts(&self, limit: Duration, sleep: &SharedAsyncSleep) {
        self.0.beginning.notified().await;
        sleep.sleep(limit).await;
    }
}

impl Intercept for Transmission {
    fn name(&self) -> &'static str {
        "kms_signer::Transmission"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.begun.store(true, Ordering::Release);
        self.0.beginning.notify_one();
        Ok(())
    }

    /// The SDK reads answers to their end, however long.
    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        if body.bytes().is_none_or(|whole| whole.len() > MAX_ANSWER) {
            let unread = mem::replace(body, SdkBody::taken());
            *body = SdkBody::from_body_1_x(Limited::new(unread, MAX_ANSWER));
        }
        Ok(())
    }
}

/// What deadlines are kept with: the SDK client's own sleep, or tokio's where it has none.
///
/// Without a sleep the SDK would drop a deadline silently.
#[derive(Clone)]
pub(super) struct Timer {
    sleep: SharedAsyncSleep,
    is_tokio: bool,
}

impl Timer {
    pub(super) fn of(sdk: &aws_sdk_kms::Client) -> Self {
        let sleep = sdk.config().sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep));
        // The SDK offers no other way to tell its tokio sleep from a caller's own.
        let is_tokio = format!("{sleep:?}").contains("TokioSleep");
        Self { sleep, is_tokio }
    }

    /// The sleep, where it works: tokio's panics where its timer does not run.
    pub(super) fn sleep(&self) -> Result<&SharedAsyncSleep> {
        if self.is_tokio {
            tokio_timer_runs()?;
        }
        Ok(&self.sleep)
    }
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
