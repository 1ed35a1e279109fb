//! What is known of transactions that may be replaced, of the latest of them.
//!
//! A signer has many, and touches each a few times in its life. They lie in the order in which they came, so that what is touched for
//! one lies beside what was touched for the one before; only their numbers are scattered by hash. In a map of whole values each would
//! miss the processor's caches several times, which costs more than the decision.

use core::hash::{BuildHasher, Hash};
use std::{collections::VecDeque, hash::RandomState};

use hashbrown::HashTable;

/// Values by key, of which the oldest can be forgotten.
#[derive(Debug)]
pub(super) struct Slots<K, V> {
    most: usize,
    is_kept: fn(&V) -> bool,
    hasher: RandomState,
    /// The number of each.
    numbers: HashTable<u64>,
    /// By number, from `first` on.
    entries: VecDeque<(K, V)>,
    first: u64,
}

impl<K: Eq + Hash, V: Default> Slots<K, V> {
    /// For `most` values, and for all that must be kept.
    pub(super) fn new(most: usize, is_kept: fn(&V) -> bool) -> Self {
        let (hasher, numbers, entries) = (RandomState::new(), HashTable::new(), VecDeque::new());
        Self { most, is_kept, hasher, numbers, entries, first: 0 }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let number = self.number(key)?;
        entry(&self.entries, self.first, number).map(|(_, value)| value)
    }

    /// Changes the value of a key, a new one where there is none.
    pub(super) fn change<T>(&mut self, key: K, change: impl FnOnce(&mut V) -> T) -> T {
        if let Some(number) = self.number(&key)
            && let Some((_, value)) = index(self.first, number).and_then(|index| self.entries.get_mut(index))
        {
            return change(value);
        }
        let mut value = V::default();
        let result = change(&mut value);
        self.push(key, value);
        result
    }

    /// Forgets the oldest, where there are too many. Of those that must be kept it makes the latest.
    pub(super) fn make_room(&mut self) {
        for _ in 0..self.entries.len() {
            if self.entries.len() <= self.most {
                return;
            }
            let Some((key, value)) = self.entries.pop_front() else { return };
            let number = self.first;
            self.first += 1;
            if let Ok(found) = self.numbers.find_entry(self.hasher.hash_one(&key), |&other| other == number) {
                found.remove();
            }
            if (self.is_kept)(&value) {
                self.push(key, value);
            }
        }
    }

    fn push(&mut self, key: K, value: V) {
        let Self { most, hasher, numbers, entries, first, .. } = self;
        if entries.len() == entries.capacity() {
            // Twice as many, but few beyond `most` where nothing need be kept: the next takes the memory of one that was forgotten.
            entries.reserve_exact(entries.len().clamp(4, most.abs_diff(entries.len()).max(4)));
        }
        let (hash, number) = (hasher.hash_one(&key), *first + entries.len() as u64);
        entries.push_back((key, value));
        let hash_of = |&number: &u64| entry(entries, *first, number).map_or(0, |(key, _)| hasher.hash_one(key));
        numbers.insert_unique(hash, number, hash_of);
    }

    fn number(&self, key: &K) -> Option<u64> {
        let is_it = |&number: &u64| entry(&self.entries, self.first, number).is_some_and(|(found, _)| found == key);
        self.numbers.find(self.hasher.hash_one(key), is_it).copied()
    }
}

fn entry<K, V>(entries: &VecDeque<(K, V)>, first: u64, number: u64) -> Option<&(K, V)> {
    entries.get(index(first, number)?)
}

fn index(first: u64, number: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(first)?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_a_map_that_forgets_the_oldest() {
        let (mut slots, mut model) = (Slots::<u64, u64>::new(50, |_| false), BTreeMap::new());
        for step in 0..2_000 {
            // New keys in their order, and now and then one of the latest again.
            let key = if step % 3 == 0 { step - step.min(5) } else { step };
            slots.change(key, |value| *value += step);
            *model.entry(key).or_insert(0) += step;
            slots.make_room();
            if model.len() > 50 {
                model.pop_first();
            }
            for key in 0..=step {
                assert_eq!(slots.get(&key), model.get(&key), "{key} after {step}");
            }
        }
        assert_eq!((slots.entries.len(), slots.numbers.len()), (50, 50));
    }

    #[test]
    fn what_is_kept_becomes_the_latest() {
        let mut slots = Slots::<u64, bool>::new(5, |kept| *kept);
        let known = |slots: &Slots<u64, bool>| (0..13).filter(|key| slots.get(key).is_some()).collect::<Vec<_>>();
        for key in 0..10 {
            slots.change(key, |kept| *kept = key < 3);
            slots.make_room();
        }
        assert_eq!(known(&slots), [0, 1, 2, 8, 9]);
        // If all are kept, there are more than five.
        for key in 0..12 {
            slots.change(key, |kept| *kept = true);
            slots.make_room();
        }
        assert_eq!((slots.entries.len(), slots.numbers.len()), (12, 12));
        for key in 0..12 {
            slots.change(key, |kept| *kept = false);
        }
        slots.change(12, |_| ());
        slots.make_room();
        assert_eq!((slots.entries.len(), slots.numbers.len()), (5, 5));
        assert_eq!((known(&slots).len(), slots.get(&12)), (5, Some(&false)));
    }
}
