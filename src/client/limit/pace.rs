//! How fast requests are let out: at the rate that was set, and no faster than what KMS was found to give.
//!
//! Nothing here waits or locks; the time is always given. A rate is kept as a virtual schedule (GCRA): each request moves the
//! next one's time by one interval, and a request may go as much as [`TOLERANCE`] ahead of it, so that late timers
//! lose no time.
//!
//! Once KMS throttles, the rate is cut to what it served since the cut before, and then probed upwards, slowly at first. Answers
//! to requests that were sent before a cut say nothing about the rate after it.

use core::time::Duration;

use tokio::time::Instant;

/// How far requests may run ahead of the schedule. At 500 a second that is a burst of 26.
const TOLERANCE: Duration = Duration::from_millis(50);
/// What is counted is kept for one of these to two.
const WINDOW: Duration = Duration::from_millis(500);
/// Less time than this says nothing about a rate.
const SHORTEST_SPAN: Duration = Duration::from_millis(10);
/// Fewer requests than this say nothing about it, either.
const TELLING: u32 = 8;
/// No quota of KMS is lower, and a queue must get to know soon when a service that gave nothing is back.
const LOWEST_RATE: f64 = 5.0;
const HIGHEST_RATE: f64 = 1e6;
/// A cut goes this much below what was served, so that the service's own allowance can refill.
const HEADROOM: f64 = 0.95;

pub(super) struct Pace {
    /// The rate that was set, in requests per second.
    ceiling: Option<f64>,
    learned: Option<Learned>,
    /// When the next request is due.
    due: Instant,
    counts: Counts,
}

/// The rate that KMS was found to give.
struct Learned {
    rate: f64,
    cut_at: Instant,
    /// For how long requests have been held back since the cut. Only then is the rate known to be worth raising.
    held_for: Duration,
    raised_at: Instant,
}

/// Requests sent and served since the last cut, and no longer than two windows ago.
struct Counts {
    begun: Instant,
    now: Tally,
    /// Those of the window before, if there was one.
    before: Option<Tally>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    sent: u32,
    served: u32,
}

impl Pace {
    pub(super) fn new(ceiling: Option<f64>, now: Instant) -> Self {
        Self { ceiling, learned: None, due: now, counts: Counts::new(now) }
    }

    /// When the next request may go, unless it may now.
    pub(super) fn held_until(&self, now: Instant) -> Option<Instant> {
        self.rate()?;
        (self.due > now + TOLERANCE).then(|| self.due - TOLERANCE)
    }

    /// When a request behind `ahead` others can go at the earliest, whatever KMS gives.
    pub(super) fn earliest(&self, ahead: usize, now: Instant) -> Instant {
        let Some(ceiling) = self.ceiling else { return now };
        // Queues are far shorter than 2⁵³.
        let ahead = Duration::from_secs_f64(ahead as f64 / ceiling);
        (self.due.max(now) + ahead).checked_sub(TOLERANCE).map_or(now, |time| time.max(now))
    }

    /// A request goes. `was_held` says that it, or one before it, had to wait for this pace.
    pub(super) fn spend(&mut self, was_held: bool, now: Instant) {
        if let Some(learned) = &mut self.learned {
            learned.raise(was_held, now);
        }
        self.counts.current(now).sent += 1;
        if let Some(rate) = self.rate() {
            self.due = self.due.max(now) + Duration::from_secs_f64(1.0 / rate);
        }
    }

    /// A request that went was not sent.
    pub(super) fn give_back(&mut self) {
        if let Some(rate) = self.rate() {
            self.due = self.due.checked_sub(Duration::from_secs_f64(1.0 / rate)).unwrap_or(self.due);
        }
    }

    /// KMS served a request that was sent at `sent`.
    pub(super) fn served(&mut self, sent: Instant, now: Instant) {
        if self.learned.as_ref().is_none_or(|learned| sent > learned.cut_at) {
            self.counts.current(now).served += 1;
        }
    }

    /// KMS throttled a request that was sent at `sent`. `jitter`, between 0 and 1, keeps clients apart that share a quota.
    pub(super) fn throttled(&mut self, sent: Instant, jitter: f64, now: Instant) {
        if self.learned.as_ref().is_some_and(|learned| sent <= learned.cut_at) {
            return;
        }
        let is_telling = self.counts.current(now).sent >= TELLING;
        let (sent, served) = self.counts.per_second(now.duration_since(sent), now);
        let current = self.learned.as_ref().map_or(sent, |learned| learned.rate).min(self.ceiling.unwrap_or(f64::MAX));
        let given = if is_telling { served * HEADROOM } else { current * 0.85 };
        let rate = given.clamp(current * 0.5, current * HEADROOM).clamp(LOWEST_RATE, HIGHEST_RATE);
        self.learned = Some(Learned { rate, cut_at: now, held_for: Duration::ZERO, raised_at: now });
        self.counts = Counts::new(now);
        // What the schedule would allow at once is what the service has just refused.
        self.due = self.due.max(now + TOLERANCE) + Duration::from_secs_f64(jitter / rate);
    }

    /// Requests per second, where there is a limit.
    pub(super) fn rate(&self) -> Option<f64> {
        match (self.ceiling, self.learned.as_ref().map(|learned| learned.rate)) {
            (Some(ceiling), Some(learned)) => Some(ceiling.min(learned)),
            (ceiling, learned) => ceiling.or(learned),
        }
    }
}

impl Learned {
    /// By 10 % a second at first; after a second of holding back faster and faster, for who knows how much more there is.
    fn raise(&mut self, was_held: bool, now: Instant) {
        let passed = now.duration_since(self.raised_at).min(WINDOW);
        self.raised_at = now;
        if was_held {
            self.held_for += passed;
            let beyond = (self.held_for.as_secs_f64() - 1.0).max(0.0);
            let growth = (0.1 + 0.3 * beyond * beyond).min(2.0);
            self.rate = (self.rate * (growth * passed.as_secs_f64()).exp()).min(HIGHEST_RATE);
        }
    }
}

impl Counts {
    fn new(now: Instant) -> Self {
        Self { begun: now, now: Tally::default(), before: None }
    }

    /// What is counted now.
    fn current(&mut self, now: Instant) -> &mut Tally {
        let age = now.duration_since(self.begun);
        if age >= WINDOW * 2 {
            *self = Self::new(now);
        } else if age >= WINDOW {
            *self = Self { begun: self.begun + WINDOW, now: Tally::default(), before: Some(self.now) };
        }
        &mut self.now
    }

    /// Requests sent and served per second. The first answer came `lag` after the first request.
    fn per_second(&mut self, lag: Duration, now: Instant) -> (f64, f64) {
        let Tally { sent, served } = *self.current(now);
        let span = now.duration_since(self.begun);
        let (before, sending, serving) = match self.before {
            Some(before) => (before, span + WINDOW, span + WINDOW),
            None => (Tally::default(), span, span.saturating_sub(lag)),
        };
        let per_second = |count: u32, before: u32, span: Duration| {
            (f64::from(count) + f64::from(before)) / span.max(SHORTEST_SPAN).as_secs_f64()
        };
        (per_second(sent, before.sent, sending), per_second(served, before.served, serving))
    }
}
