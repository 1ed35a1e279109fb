//! Warnings that whoever reaches this program can cause: about so many a second, and then how many there were beyond that.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const A_SECOND: u32 = 10;

/// Counts warnings of one kind.
pub(crate) struct Warnings(Mutex<State>);

struct State {
    since: Instant,
    told: u32,
    left_out: u64,
}

impl Warnings {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { since: Instant::now(), told: 0, left_out: 0 }))
    }

    /// None if this one is left out; else, where some were before it, how many.
    pub(crate) fn next(&self) -> Option<Option<u64>> {
        self.next_at(Instant::now())
    }

    fn next_at(&self, now: Instant) -> Option<Option<u64>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.since) >= Duration::from_secs(1) {
            (state.since, state.told) = (now, 0);
        }
        if state.told == A_SECOND {
            state.left_out = state.left_out.saturating_add(1);
            return None;
        }
        state.told += 1;
        Some(Some(std::mem::take(&mut state.left_out)).filter(|&count| count > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_are_told_and_the_rest_is_counted() {
        let start = Instant::now();
        let warnings = Warnings::new();
        let at = |millis| warnings.next_at(start + Duration::from_millis(millis));
        for _ in 0..10 {
            assert_eq!(at(0), Some(None));
        }
        for _ in 0..1000 {
            assert_eq!(at(999), None);
        }
        assert_eq!(at(1100), Some(Some(1000)));
        assert_eq!(at(1100), Some(None));
    }
}
