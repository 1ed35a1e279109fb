//! A sliding window of amounts, in slices.

use std::collections::VecDeque;

use alloy_primitives::U256;

/// What counts is the last 64 slices and the one under way: an amount counts for the window's length, and for a 64th more at most.
pub(super) const SLICES: u64 = 64;

/// The amounts of a window, each with the number of its slice, and their sum.
#[derive(Debug, Default)]
pub(super) struct Window {
    slices: VecDeque<(u64, U256)>,
    sum: U256,
}

impl Window {
    pub(super) fn sum(&self) -> U256 {
        self.sum
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Forgets what has left the window.
    pub(super) fn advance(&mut self, now: u64) {
        while let Some(&(slice, amount)) = self.slices.front()
            && has_left(slice, now)
        {
            self.slices.pop_front();
            self.subtract(amount);
        }
    }

    pub(super) fn add(&mut self, slice: u64, amount: U256) {
        self.sum = self.sum.saturating_add(amount);
        let at = self.slices.partition_point(|&(earlier, _)| earlier < slice);
        match self.slices.get_mut(at) {
            Some((same, counted)) if *same == slice => *counted = counted.saturating_add(amount),
            _ => self.slices.insert(at, (slice, amount)),
        }
    }

    /// Takes out what was added; nothing, if its slice has left the window.
    pub(super) fn remove(&mut self, slice: u64, amount: U256) {
        let at = self.slices.partition_point(|&(earlier, _)| earlier < slice);
        if let Some((same, counted)) = self.slices.get_mut(at)
            && *same == slice
        {
            *counted = counted.saturating_sub(amount);
            if counted.is_zero() {
                self.slices.remove(at);
            }
            self.subtract(amount);
        }
    }

    /// Where the sum is more than can be said, it is added up again.
    fn subtract(&mut self, amount: U256) {
        self.sum = match self.sum {
            U256::MAX => self.slices.iter().fold(U256::ZERO, |sum, (_, amount)| sum.saturating_add(*amount)),
            sum => sum.saturating_sub(amount),
        };
    }
}

pub(super) fn has_left(slice: u64, now: u64) -> bool {
    slice.saturating_add(SLICES) < now
}
