//! The Regions of a client: one, or several with replicas of a multi-Region key, in order of preference.
//!
//! Each has its own SDK client, its own queues (KMS's quotas are per Region) and its own health. A Region that fails is left for a
//! while and then tried again by one call at a time, until it answers.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::limit::{Limiter, Limits};
use crate::error::Operation;

/// For how long a Region is left the first time; then twice as long each time, up to the longest.
const FIRST_LEAVE: Duration = Duration::from_secs(1);
const LONGEST_LEAVE: Duration = Duration::from_secs(30);
/// So many answers in a row that a hedge overtook count as a failure.
const SLOW_IN_A_ROW: u32 = 5;

/// Never empty: the first Region, and those to fail over to.
#[derive(Clone)]
pub(super) struct Regions {
    pub(super) first: Region,
    pub(super) others: Vec<Region>,
}

#[derive(Clone)]
pub(super) struct Region {
    pub(super) sdk: aws_sdk_kms::Client,
    state: Arc<State>,
}

struct State {
    /// A listing that is throttled holds no signature up: KMS has separate quotas for them, too.
    signing: Limiter,
    encryption: Limiter,
    other: Limiter,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    /// How often it was left, ever. What began before the last time says nothing about now.
    times_left: u64,
    /// How often in a row.
    failures: u32,
    slow: u32,
    /// Until when nobody is to try; then one may.
    left_until: Option<Instant>,
}

/// A Region that a call is to go to, by its place.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) place: usize,
    /// How often it had been left when it was chosen.
    times_left: u64,
}

/// Some of a client's Regions, by their place.
#[derive(Clone, Copy, Default)]
pub(super) struct Places(u64);

impl Regions {
    pub(super) fn one(sdk: aws_sdk_kms::Client, limits: Limits) -> Self {
        Self { first: Region::new(sdk, limits), others: Vec::new() }
    }

    pub(super) fn add(&mut self, sdk: aws_sdk_kms::Client) {
        let limits = self.first.limits();
        self.others.push(Region::new(sdk, limits));
    }

    /// The same Regions with other limits, and new queues.
    pub(super) fn limited(&self, limits: Limits) -> Self {
        let renew = |region: &Region| Region::new(region.sdk.clone(), limits);
        Self { first: renew(&self.first), others: self.others.iter().map(renew).collect() }
    }

    pub(super) fn len(&self) -> usize {
        1 + self.others.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Region> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn at(&self, place: usize) -> &Region {
        place.checked_sub(1).and_then(|index| self.others.get(index)).unwrap_or(&self.first)
    }

    /// The first Region, by order, that is not left. If all are, the one that may be tried again first.
    ///
    /// `probe_for` is how long a call that tries a Region again keeps others from trying it, too.
    pub(super) fn choose(&self, without: Places, probe_for: Duration) -> Option<Choice> {
        let now = Instant::now();
        let mut soonest: Option<(Instant, Choice)> = None;
        for (place, region) in self.all().enumerate().filter(|&(place, _)| !without.has(place)) {
            let mut health = region.health();
            let choice = Choice { place, times_left: health.times_left };
            match health.left_until {
                Some(until) if until > now => {
                    if soonest.is_none_or(|(soonest, _)| until < soonest) {
                        soonest = Some((until, choice));
                    }
                }
                Some(_) => {
                    health.left_until = Some(now + probe_for);
                    return Some(choice);
                }
                None => return Some(choice),
            }
        }
        soonest.map(|(_, choice)| choice)
    }

    /// Whether a Region may be asked now.
    pub(super) fn has_any(&self, without: Places) -> bool {
        let now = Instant::now();
        let may_be_asked = |region: &Region| region.health().left_until.is_none_or(|until| until <= now);
        self.all().enumerate().any(|(place, region)| !without.has(place) && may_be_asked(region))
    }

    /// The first Region, by order, that is known to work.
    pub(super) fn standby(&self, without: Places) -> Option<Choice> {
        self.all()
            .enumerate()
            .filter(|&(place, _)| !without.has(place))
            .map(|(place, region)| (place, region.health()))
            .find(|(_, health)| health.left_until.is_none())
            .map(|(place, health)| Choice { place, times_left: health.times_left })
    }

    /// Whether the Region was left after it was chosen, and there are others.
    pub(super) fn has_been_left_since(&self, choice: Choice) -> bool {
        !self.others.is_empty() && self.at(choice.place).health().times_left != choice.times_left
    }
}

impl Region {
    fn new(sdk: aws_sdk_kms::Client, limits: Limits) -> Self {
        let [signing, encryption, other] = [(); 3].map(|()| Limiter::new(limits));
        Self { sdk, state: Arc::new(State { signing, encryption, other, health: Mutex::default() }) }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.sdk.config().region().map(AsRef::as_ref)
    }

    pub(super) fn limits(&self) -> Limits {
        self.state.signing.limits()
    }

    pub(super) fn limiter(&self, operation: Operation) -> &Limiter {
        match operation {
            Operation::Sign => &self.state.signing,
            Operation::Encrypt | Operation::Decrypt | Operation::GenerateDataKey => &self.state.encryption,
            _ => &self.state.other,
        }
    }

    /// It answered a request that went there by this choice. True if it had been left until then.
    pub(super) fn answered(&self, choice: Choice) -> bool {
        let mut health = self.health();
        if health.times_left != choice.times_left {
            return false;
        }
        let was_left = health.left_until.is_some();
        *health = Health { times_left: health.times_left, ..Health::default() };
        was_left
    }

    /// It failed a request that went there by this choice. For how long it is left, if it was not already.
    pub(super) fn failed(&self, choice: Choice) -> Option<Duration> {
        let mut health = self.health();
        (health.times_left == choice.times_left).then(|| health.leave(Instant::now())).flatten()
    }

    /// A hedge was faster. As [`failed`](Self::failed), once that has happened often enough.
    pub(super) fn was_overtaken(&self, choice: Choice) -> Option<Duration> {
        let mut health = self.health();
        if health.times_left != choice.times_left {
            return None;
        }
        health.slow += 1;
        (health.slow >= SLOW_IN_A_ROW).then(|| health.leave(Instant::now())).flatten()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.state.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    /// Nothing if it was left already, and is left for longer.
    fn leave(&mut self, now: Instant) -> Option<Duration> {
        let is_news = self.left_until.is_none();
        let pause = FIRST_LEAVE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_LEAVE);
        // Up to a quarter more, so that many processes do not return together.
        let pause = pause.mul_f64(1.0 + fastrand::f64() / 4.0);
        self.times_left += 1;
        self.failures = self.failures.saturating_add(1);
        self.slow = 0;
        self.left_until = Some(now + pause);
        is_news.then_some(pause)
    }
}

impl Places {
    pub(super) fn has(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    pub(super) fn with(self, place: usize) -> Self {
        Self(self.0 | Self::bit(place))
    }

    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// All but one.
    pub(super) fn all_but(place: usize) -> Self {
        Self(!Self::bit(place))
    }

    fn bit(place: usize) -> u64 {
        // More Regions than bits: those behind are never left out.
        u32::try_from(place).ok().and_then(|place| 1u64.checked_shl(place)).unwrap_or(0)
    }
}
