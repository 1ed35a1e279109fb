//! The queue before KMS: how many requests are under way at a time, how many a second, and in which order they go.
//!
//! Strictly first in, first out, by the number that a call is given when it begins. A call that tries again keeps its number, and so
//! goes before all that began after it. Only the first in the queue waits for time to pass; who leaves wakes the next.

mod pace;
mod refused;

use core::{mem, pin::pin};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_kms::config::{AsyncSleep, SharedAsyncSleep};
use futures_util::future::select;
use tokio::{sync::Notify, time::Instant};

use self::pace::Pace;
pub(super) use self::refused::Refused;

/// What a client lets out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) requests_per_second: Option<u32>,
    pub(super) max_in_flight: u32,
    pub(super) max_queued: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_second: None, max_in_flight: 64, max_queued: 10_000 }
    }
}

/// A queue, and what is let out of it.
pub(super) struct Limiter {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    /// Who waits, by number.
    waiting: BTreeMap<u64, Waiting>,
    in_flight: u32,
    max_in_flight: u32,
    pace: Pace,
    /// Somebody has waited for the pace since a request last went.
    held: bool,
}

struct Waiting {
    deadline: Instant,
    woken: Arc<Notify>,
}

/// A call that wants to send.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    /// Its place in the order of calls.
    pub(super) number: u64,
    /// When its time ends.
    pub(super) deadline: Instant,
    /// Whether it was let out before: then no queue is too long for it.
    pub(super) returns: bool,
}

/// A request under way. It ends when dropped.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    sent: Instant,
}

/// A place in the queue. It is free again when dropped.
struct Place<'a> {
    limiter: &'a Limiter,
    number: u64,
    woken: Arc<Notify>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let pace = Pace::new(limits.requests_per_second.map(f64::from), Instant::now());
        let state =
            State { waiting: BTreeMap::new(), in_flight: 0, max_in_flight: limits.max_in_flight, pace, held: false };
        Self { limits, state: Mutex::new(state) }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Waits for the call's turn.
    pub(super) async fn admit(&self, ticket: Ticket, sleep: &SharedAsyncSleep) -> Result<Permit<'_>, Refused> {
        let Some(place) = self.enter(ticket)? else { return Ok(self.permit()) };
        loop {
            let now = Instant::now();
            if now >= ticket.deadline {
                return Err(self.lock().held_by());
            }
            let until = match self.lock().turn(ticket.number, now) {
                Turn::Come => return Ok(self.permit()),
                Turn::At(time) => time.min(ticket.deadline),
                Turn::Later => ticket.deadline,
            };
            select(pin!(place.woken.notified()), sleep.sleep(until - now)).await;
        }
    }

    /// A place in the queue, or none if the call may go at once.
    fn enter(&self, ticket: Ticket) -> Result<Option<Place<'_>>, Refused> {
        let now = Instant::now();
        let mut state = self.lock();
        if matches!(state.turn(ticket.number, now), Turn::Come) {
            return Ok(None);
        }
        let ahead = state.waiting.len();
        if !ticket.returns && ahead >= self.limits.max_queued as usize {
            return Err(Refused::QueueFull(ahead));
        }
        if !ticket.returns && state.pace.earliest(ahead, now) >= ticket.deadline {
            return Err(Refused::TooManyAhead(ahead));
        }
        let woken = Arc::new(Notify::new());
        state.waiting.insert(ticket.number, Waiting { deadline: ticket.deadline, woken: woken.clone() });
        Ok(Some(Place { limiter: self, number: ticket.number, woken }))
    }

    fn permit(&self) -> Permit<'_> {
        Permit { limiter: self, sent: Instant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a call may go.
enum Turn {
    /// It has gone: it is under way and no longer in the queue.
    Come,
    /// It is first, and the pace lets it go then.
    At(Instant),
    /// Somebody else is first, or a request must end before another begins. It will be woken.
    Later,
}

impl State {
    fn turn(&mut self, number: u64, now: Instant) -> Turn {
        self.pass_over_the_late(number, now);
        let is_first = self.waiting.first_key_value().is_none_or(|(&first, _)| number <= first);
        if !is_first || self.in_flight >= self.max_in_flight {
            return Turn::Later;
        }
        if let Some(time) = self.pace.held_until(now) {
            self.held = true;
            return Turn::At(time);
        }
        self.waiting.remove(&number);
        self.in_flight += 1;
        self.pace.spend(mem::take(&mut self.held), now);
        self.wake_first();
        Turn::Come
    }

    /// A call whose time has ended leaves by itself, if somebody polls it. If nobody does, it must not hold up the others.
    fn pass_over_the_late(&mut self, number: u64, now: Instant) {
        let mut passed = false;
        while let Some(first) =
            self.waiting.first_entry().filter(|first| *first.key() < number && first.get().deadline <= now)
        {
            first.remove();
            passed = true;
        }
        if passed {
            self.wake_first();
        }
    }

    fn wake_first(&self) {
        if let Some((_, first)) = self.waiting.first_key_value() {
            first.woken.notify_one();
        }
    }

    fn held_by(&self) -> Refused {
        let is_free = self.in_flight < self.max_in_flight;
        if is_free && self.pace.rate().is_some() { Refused::HeldByRate } else { Refused::HeldInFlight }
    }
}

impl Permit<'_> {
    /// KMS did what it was asked.
    pub(super) fn served(&self) {
        self.limiter.lock().pace.served(self.sent, Instant::now());
    }

    /// It was not sent after all.
    pub(super) fn give_back(self) {
        self.limiter.lock().pace.give_back();
    }

    /// KMS refused because it is asked too often.
    pub(super) fn throttled(&self) {
        self.limiter.lock().pace.throttled(self.sent, fastrand::f64(), Instant::now());
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.wake_first();
    }
}

impl Drop for Place<'_> {
    /// Does nothing for a call that has gone.
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        if state.waiting.remove(&self.number).is_some() {
            state.wake_first();
        }
    }
}

#[cfg(test)]
mod tests;
