//! The one loop: every attempt of every call passes here.
//!
//! A call chooses a Region, waits for its turn in that Region's queue, and makes one attempt of the SDK. What failed is tried again,
//! elsewhere or after a pause, within the operation timeout.

use core::{
    mem,
    pin::{Pin, pin},
    time::Duration,
};
use std::{
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use aws_sdk_kms::{
    Client, config,
    config::{AsyncSleep, SharedAsyncSleep},
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use futures_util::future::{Either, select};
use tokio::{sync::Notify, time::Instant};

use super::{
    Shared,
    attempt::{self, Transmission},
    classify::{self, Attempt, Retry, SdkResult},
    limit::{Refused, Ticket},
    regions::{Choice, Places},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
    observe::{self, CallEvent, Event, Outcome, RegionEvent},
};

pub(super) type Sending<O, E> = Pin<Box<dyn Future<Output = SdkResult<O, E>> + Send>>;

#[cfg(feature = "guard")]
use super::heard;
#[cfg(feature = "keys")]
const MAY_HAVE_CREATED: &str =
    "it may have been created nevertheless: look for it with `list` before you create another";

/// A call that is to be made.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) key: Option<&'a KeyRef>,
    pub(super) effect: Effect,
    /// Regions that are not to be asked.
    pub(super) without: Places,
    pub(super) max_attempts: u32,
}

/// What a request that was transmitted and not refused may have brought about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that a second request would not bring about as well.
    Repeatable,
    /// A signature that nobody got.
    Signature,
    /// Something that a second request would make again.
    #[cfg(feature = "keys")]
    Creation,
}

/// How a call is sent, with the SDK, to the key as one Region knows it; and how its answer is read.
pub(super) struct Exchange<S, R> {
    pub(super) send: S,
    pub(super) read: R,
}

/// A call under way.
pub(super) struct Run<'a> {
    shared: &'a Shared,
    call: Call<'a>,
    sleep: &'a SharedAsyncSleep,
    /// Its place in the order of calls.
    number: u64,
    started: Instant,
    tally: Mutex<Tally>,
}

/// What has come of a call so far.
#[derive(Default)]
struct Tally {
    attempts: u32,
    throttled: u32,
    queue_wait: Duration,
    /// It has left a queue without having sent anything.
    moved: bool,
    /// Regions whose SDK client has learnt the clock's error.
    clock_corrected: Places,
    may_have_signed: bool,
    /// Regions that refused, though the first may not.
    refused_by: Places,
    place: usize,
    request_id: Option<String>,
    outcome: Option<Outcome>,
}

/// Why an attempt brought nothing.
enum Failure {
    /// It was made, and failed.
    Failed { place: usize, error: Error, retry: Retry },
    /// It was not let out of the queue in time.
    Refused { place: usize, refused: Refused },
    /// The Region failed while the call waited for its turn there.
    Moved,
}

impl Failure {
    /// Whether the first Region refused. A bad answer is no refusal.
    fn is_final(&self) -> bool {
        matches!(self, Self::Failed { error, retry: Retry::No, .. } if error.code().is_some())
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(shared: &'a Shared, call: Call<'a>, sleep: &'a SharedAsyncSleep, number: u64) -> Self {
        Self { shared, call, sleep, number, started: Instant::now(), tally: Mutex::default() }
    }

    pub(super) async fn finish<O, E, T, S, R>(self, exchange: Exchange<S, R>) -> Result<T>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        S: Fn(&Client, &str, config::Builder) -> Sending<O, E>,
        R: Fn(O) -> Result<T>,
    {
        let result = self.attempts(&exchange).await;
        let outcome = match &result {
            Err(error) if error.code() != Some(classify::DRY_RUN_SUCCEEDED) => Outcome::Failure(error.kind()),
            _ => Outcome::Success,
        };
        self.tally().outcome = Some(outcome);
        result
    }

    async fn attempts<O, E, T, S, R>(&self, exchange: &Exchange<S, R>) -> Result<T>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        S: Fn(&Client, &str, config::Builder) -> Sending<O, E>,
        R: Fn(O) -> Result<T>,
    {
        let mut last: Option<Error> = None;
        // Throttled attempts are not counted: KMS did nothing, and the queue sees to it that they become few.
        let mut failed = 0;
        loop {
            let Some(choice) = self.choose() else {
                return Err(last.unwrap_or_else(|| self.no_region()));
            };
            let (place, error, retry) = match self.attempt_or_hedge(choice, exchange).await {
                Ok(value) => return Ok(value),
                Err(Failure::Failed { place, error, retry }) => (place, error, retry),
                Err(Failure::Refused { place, refused }) => {
                    let limits = self.shared.regions.at(place).limits();
                    let timeout = self.shared.policy.operation_timeout;
                    return Err(last
                        .unwrap_or_else(|| self.about_key(refused.into_error(self.call.operation, limits, timeout))));
                }
                Err(Failure::Moved) => {
                    self.tally().moved = true;
                    continue;
                }
            };
            let is_throttled = error.kind() == ErrorKind::Throttled;
            failed += u32::from(!is_throttled || self.call.max_attempts == 1);
            let error = self.complete(error);
            let pause = match retry {
                Retry::No => return Err(error),
                // The queue paces those that were throttled; another Region need not be waited for.
                Retry::AfterPause if is_throttled || self.would_move_from(place) => Duration::ZERO,
                Retry::AfterPause => attempt::pause_after(failed),
                Retry::ClockCorrected | Retry::Elsewhere => Duration::ZERO,
            };
            if failed >= self.call.max_attempts || self.left() < pause + self.shortest_attempt() {
                return Err(error);
            }
            if !pause.is_zero() {
                self.sleep.sleep(pause).await;
            }
            last = Some(error);
        }
    }

    /// An attempt in one Region and, if that takes too long, one in the next. The first good answer counts.
    async fn attempt_or_hedge<O, E, T, S, R>(&self, choice: Choice, exchange: &Exchange<S, R>) -> Result<T, Failure>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        S: Fn(&Client, &str, config::Builder) -> Sending<O, E>,
        R: Fn(O) -> Result<T>,
    {
        let (let_out, hedging) = (Notify::new(), AtomicBool::new(false));
        let standby = self.shared.regions.standby(self.without().with(choice.place));
        let (Some(after), Some(standby)) = (self.shared.policy.hedge_after, standby) else {
            return self.attempt(choice, exchange, &let_out).await;
        };
        let first = pin!(self.attempt(choice, exchange, &let_out));
        let second = pin!(async {
            let_out.notified().await;
            self.sleep.sleep(after).await;
            hedging.store(true, Relaxed);
            self.attempt(standby, exchange, &Notify::new()).await
        });
        match select(first, second).await {
            Either::Left((Err(failure), second)) if hedging.load(Relaxed) && !failure.is_final() => {
                second.await.map_err(|_| failure)
            }
            Either::Left((result, _second)) => {
                // The hedge may be on its way.
                self.tally().may_have_signed |= self.signs() && hedging.load(Relaxed);
                result
            }
            Either::Right((Ok(value), _first)) => {
                self.tell_left(choice, self.shared.regions.at(choice.place).was_overtaken(choice));
                Ok(value)
            }
            Either::Right((Err(_), first)) => first.await,
        }
    }

    async fn attempt<O, E, T, S, R>(
        &self,
        choice: Choice,
        exchange: &Exchange<S, R>,
        let_out: &Notify,
    ) -> Result<T, Failure>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        S: Fn(&Client, &str, config::Builder) -> Sending<O, E>,
        R: Fn(O) -> Result<T>,
    {
        let Choice { place, .. } = choice;
        let Shared { regions, policy, .. } = self.shared;
        let region = regions.at(place);
        let queued = Instant::now();
        self.tally().place = place;
        let admitted = region.limiter(self.call.operation).admit(self.ticket(), self.sleep).await;
        self.tally().queue_wait += queued.elapsed();
        let permit = admitted.map_err(|refused| Failure::Refused { place, refused })?;
        if regions.has_been_left_since(choice) {
            permit.give_back();
            return Err(Failure::Moved);
        }
        let clock_corrected = {
            let mut tally = self.tally();
            tally.attempts += 1;
            tally.clock_corrected.has(place)
        };
        let_out.notify_one();

        let key = self.call.key.map(|key| key.in_region(region.name())).unwrap_or_default();
        let transmission = Transmission::default();
        let (left, attempt_timeout) = (self.left(), policy.attempt_timeout);
        let sending =
            (exchange.send)(&region.sdk, &key, attempt::settings(left, self.sleep.clone(), transmission.clone()));
        let result = match select(sending, pin!(transmission.lasts(attempt_timeout, self.sleep))).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(SdkError::timeout_error("the attempt timeout ended")),
        };
        let failure = match result {
            Ok(output) => {
                permit.served();
                // The next request need not wait until this answer is verified.
                drop(permit);
                self.answered(choice, output.request_id());
                let request_id = output.request_id().map(str::to_owned);
                return (exchange.read)(output).map_err(|error| {
                    let error = error.with_operation(self.call.operation).with_request_id(request_id.as_deref());
                    let error = if key.is_empty() { error } else { error.with_key(&*key) };
                    let answered = classify::Classified { error, retry: Retry::No, may_have_effect: true };
                    let (error, retry) = self.judge(answered);
                    self.failed(choice, error, retry)
                });
            }
            Err(failure) => failure,
        };
        let attempt =
            Attempt { limit: left.min(attempt_timeout), transmitted: transmission.has_begun(), clock_corrected };
        let may_have_effect = self.call.effect != Effect::Repeatable;
        let about = classify::About { operation: self.call.operation, key: &key, may_have_effect };
        let (error, retry) = self.judge(classify::classify(failure, about, attempt, policy));
        match error.kind() {
            ErrorKind::Throttled => {
                permit.throttled();
                self.tally().throttled += 1;
            }
            _ if error.code().is_some() => permit.served(),
            _ => {}
        }
        drop(permit);
        // A Region is not to blame for an answer that did not come in what little time was left.
        let had_time = attempt.limit >= policy.operation_timeout.min(attempt_timeout) / 4;
        if had_time && matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Unavailable) {
            self.tell_left(choice, region.failed(choice));
        }
        Err(self.failed(choice, error, retry))
    }

    /// What may have been created is not created again.
    fn judge(&self, classified: classify::Classified) -> (Error, Retry) {
        let classify::Classified { error, retry, may_have_effect } = classified;
        #[cfg(feature = "keys")]
        if may_have_effect && self.call.effect == Effect::Creation {
            return (error.with_retryable(false).with_remedy(MAY_HAVE_CREATED), Retry::No);
        }
        (error.with_may_have_signed(may_have_effect && self.signs()), retry)
    }

    fn signs(&self) -> bool {
        self.call.effect == Effect::Signature
    }

    /// The Region answered, whatever it said.
    fn answered(&self, choice: Choice, request_id: Option<&str>) {
        {
            let mut tally = self.tally();
            tally.request_id = request_id.map(str::to_owned);
            tally.place = choice.place;
        }
        let region = self.shared.regions.at(choice.place);
        if region.answered(choice) && !self.shared.regions.others.is_empty() {
            self.tell(&Event::Region(RegionEvent { region: region.name(), left_for: None }));
        }
    }

    fn failed(&self, choice: Choice, error: Error, retry: Retry) -> Failure {
        let place = choice.place;
        if error.code().is_some() && error.kind() != ErrorKind::Unavailable {
            self.answered(choice, error.request_id());
        }
        let mut tally = self.tally();
        tally.place = place;
        tally.request_id = error.request_id().map(str::to_owned).or(tally.request_id.take());
        tally.may_have_signed |= error.may_have_signed();
        if retry == Retry::ClockCorrected {
            tally.clock_corrected = tally.clock_corrected.with(place);
        }
        // Policies, grants and states are each Region's own. Only the first Region's refusal is final.
        let is_refusal = retry == Retry::No && error.code().is_some();
        if is_refusal && place != 0 {
            tally.refused_by = tally.refused_by.with(place);
            return Failure::Failed { place, error, retry: Retry::Elsewhere };
        }
        Failure::Failed { place, error, retry }
    }

    fn choose(&self) -> Option<Choice> {
        self.shared.regions.choose(self.without(), self.shared.policy.attempt_timeout)
    }

    fn without(&self) -> Places {
        self.call.without.and(self.tally().refused_by)
    }

    /// Whether a Region that just failed has another to take its place.
    fn would_move_from(&self, place: usize) -> bool {
        self.shared.regions.has_any(self.without().with(place))
    }

    fn ticket(&self) -> Ticket {
        // What is let out with next to no time would end as a timeout, and hide what it was told before.
        let patience = self.shared.policy.operation_timeout.saturating_sub(self.shortest_attempt());
        let tally = self.tally();
        Ticket { number: self.number, deadline: self.started + patience, returns: tally.attempts > 0 || tally.moved }
    }

    fn left(&self) -> Duration {
        self.shared.policy.operation_timeout.saturating_sub(self.started.elapsed())
    }

    /// An attempt with less time than this would only end as a timeout.
    fn shortest_attempt(&self) -> Duration {
        (self.shared.policy.operation_timeout / 20).min(Duration::from_millis(100))
    }

    fn complete(&self, error: Error) -> Error {
        let tally = self.tally();
        error.with_attempts(tally.attempts).with_may_have_signed(tally.may_have_signed)
    }

    fn no_region(&self) -> Error {
        self.about_key(Error::new(ErrorKind::Config, self.call.operation, "no Region is left to ask"))
    }

    fn about_key(&self, error: Error) -> Error {
        match self.call.key {
            Some(key) => error.with_key(key.as_ref()),
            None => error,
        }
    }

    fn tell_left(&self, choice: Choice, left_for: Option<Duration>) {
        if left_for.is_some() && !self.shared.regions.others.is_empty() {
            let region = self.shared.regions.at(choice.place).name();
            self.tell(&Event::Region(RegionEvent { region, left_for }));
        }
    }

    fn tell(&self, event: &Event<'_>) {
        if let Some(observer) = &self.shared.observer {
            observe::tell(&**observer, event);
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the observer how the call ended, and that it did where its caller dropped it.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        #[cfg(feature = "guard")]
        let is_awaited = heard::is_listening();
        #[cfg(not(feature = "guard"))]
        let is_awaited = false;
        if self.shared.observer.is_none() && !is_awaited {
            return;
        }
        let tally = mem::take(&mut *self.tally());
        let event = CallEvent {
            operation: self.call.operation,
            key: self.call.key.map(AsRef::as_ref),
            region: self.shared.regions.at(tally.place).name(),
            attempts: tally.attempts,
            throttled: tally.throttled,
            queue_wait: tally.queue_wait,
            latency: self.started.elapsed(),
            outcome: tally.outcome.unwrap_or(Outcome::Cancelled),
            request_id: tally.request_id.as_deref(),
        };
        #[cfg(feature = "guard")]
        heard::tell(&event);
        self.tell(&Event::Call(event));
    }
}
