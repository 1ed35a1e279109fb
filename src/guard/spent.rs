//! What transactions have spent, and what those under way may spend.
//!
//! Memory is bounded, whatever is asked: a window is kept in slices, and of replacements only so many are known as such.

mod counter;
mod slots;
mod window;

use std::time::{SystemTime, UNIX_EPOCH};

use self::counter::Counter;
use super::{
    record::Spending,
    rules::{Denied, LimitRule, show_wei},
};

/// The state of all limits of a guard.
#[derive(Debug)]
pub(super) struct Spent {
    counters: Vec<Counter>,
    /// The latest time seen, in milliseconds since 1970: a clock that is set back frees nothing.
    now: u64,
    last_hold: u64,
}

/// What is held for a transaction that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    number: u64,
    spending: Spending,
}

impl Spent {
    pub(super) fn new(limits: &[LimitRule]) -> Self {
        Self { counters: limits.iter().cloned().map(Counter::new).collect(), now: 0, last_hold: 0 }
    }

    /// Holds what a transaction may spend, if every limit has room for it.
    pub(super) fn hold(&mut self, spending: Spending) -> Result<Hold, Denied> {
        let now = self.advance(spending.at);
        for counter in &mut self.counters {
            counter.advance(now);
            counter.check(&spending).map_err(|reason| Denied { rule: Some(counter.name().to_owned()), reason })?;
        }
        self.last_hold += 1;
        let hold = Hold { number: self.last_hold, spending };
        for counter in &mut self.counters {
            counter.hold(hold.number, &spending);
        }
        Ok(hold)
    }

    /// The transaction was signed: what is held is spent.
    pub(super) fn settle(&mut self, hold: Hold, now: SystemTime) {
        let now = self.advance(now);
        for counter in &mut self.counters {
            counter.advance(now);
            counter.settle(hold.number, &hold.spending);
        }
    }

    /// The transaction was not signed: its share is free again.
    pub(super) fn release(&mut self, hold: Hold) {
        for counter in &mut self.counters {
            counter.release(hold.number, &hold.spending);
        }
    }

    /// What was spent before this process began.
    pub(super) fn restore(&mut self, spending: Spending, now: SystemTime) {
        let now = self.advance(now);
        for counter in &mut self.counters {
            counter.advance(now);
            // The clock may have been ahead when it was written.
            counter.restore(&spending, millis(spending.at).min(now));
        }
    }

    fn advance(&mut self, at: SystemTime) -> u64 {
        self.now = self.now.max(millis(at));
        self.now
    }
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
