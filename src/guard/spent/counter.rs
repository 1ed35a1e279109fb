//! One limit, and what counts against it.

use core::hash::{Hash, Hasher};
use std::collections::HashMap;

use alloy_primitives::{Address, ChainId, U256};

use super::{
    LimitRule, Spending, show_wei,
    slots::Slots,
    window::{SLICES, Window, has_left},
};

/// So many transactions are known again when they are replaced; half as many where both `total` and `per_recipient` are limited. Of
/// older ones a replacement counts once more, which errs on the safe side.
const MAX_SLOTS: usize = 2_048;

/// So many recipients can have something in their windows at once.
const MAX_RECIPIENTS: usize = 10_000;

/// The slice of what is under way: it does not leave, however long that takes.
const UNDER_WAY: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Counter {
    limit: LimitRule,
    slice_millis: u64,
    now: u64,
    windows: HashMap<Scope, Window>,
    slots: Slots<Key, Slot>,
}

/// Whose spending is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scope {
    All,
    Recipient(Option<Address>),
}

/// Transactions of which one can be mined at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    scope: Scope,
    chain_id: ChainId,
    sender: Address,
    nonce: u64,
}

/// What such transactions count: the highest of what was signed and what is under way, from the latest of them on.
#[derive(Debug, Default)]
struct Slot {
    counted: Option<Amount>,
    signed: Option<Amount>,
    /// The number of each that is under way, and its wei.
    held: Vec<(u64, U256)>,
}

#[derive(Clone, Copy, Debug)]
struct Amount {
    slice: u64,
    wei: U256,
}

impl Counter {
    pub(super) fn new(limit: LimitRule) -> Self {
        let slice = limit.window.as_millis().div_ceil(u128::from(SLICES));
        Self {
            slice_millis: u64::try_from(slice).unwrap_or(u64::MAX).max(1),
            limit,
            now: 0,
            windows: HashMap::new(),
            // What is under way is kept.
            slots: Slots::new(MAX_SLOTS, |slot| !slot.held.is_empty()),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.limit.name
    }

    pub(super) fn advance(&mut self, now_millis: u64) {
        self.now = self.slice_of(now_millis);
    }

    /// Whether there is room for what a transaction may spend; why not.
    pub(super) fn check(&mut self, spending: &Spending) -> Result<(), String> {
        for (scope, most) in self.scopes(spending) {
            let taken = self.sum(scope)?;
            let own = self.counted(&Key::of(scope, spending));
            let with_it = taken.saturating_sub(own).saturating_add(own.max(spending.wei));
            if with_it > most {
                let whose = match scope {
                    Scope::All => "total".to_owned(),
                    Scope::Recipient(Some(to)) => format!("per_recipient for {to}"),
                    Scope::Recipient(None) => "per_recipient for contract creation".to_owned(),
                };
                return Err(format!(
                    "{} of {} ({whose}) are spent within {}, and this may take {}",
                    show_wei(taken),
                    show_wei(most),
                    humantime::format_duration(self.limit.window),
                    show_wei(spending.wei),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn hold(&mut self, number: u64, spending: &Spending) {
        self.for_each_slot(spending, |slot| slot.held.push((number, spending.wei)));
    }

    pub(super) fn settle(&mut self, number: u64, spending: &Spending) {
        let amount = Amount { slice: self.now, wei: spending.wei };
        self.for_each_slot(spending, |slot| {
            slot.let_go(number);
            slot.signed = Some(amount.with(slot.signed));
        });
    }

    pub(super) fn release(&mut self, number: u64, spending: &Spending) {
        self.for_each_slot(spending, |slot| slot.let_go(number));
    }

    pub(super) fn restore(&mut self, spending: &Spending, at_millis: u64) {
        let amount = Amount { slice: self.slice_of(at_millis), wei: spending.wei };
        if !has_left(amount.slice, self.now) {
            self.for_each_slot(spending, |slot| slot.signed = Some(amount.with(slot.signed)));
        }
    }

    fn slice_of(&self, millis: u64) -> u64 {
        millis / self.slice_millis
    }

    /// What a transaction counts against, and how much each may be.
    fn scopes(&self, spending: &Spending) -> impl Iterator<Item = (Scope, U256)> + use<> {
        // What costs nothing needs no memory.
        let counts = self.limit.chain_ids.has(&spending.chain_id) && !spending.wei.is_zero();
        let total = self.limit.total.map(|most| (Scope::All, most));
        let recipient = self.limit.per_recipient.map(|most| (Scope::Recipient(spending.to), most));
        [total, recipient].into_iter().flatten().filter(move |_| counts)
    }

    /// What counts in a scope now. Fails if there is no room for a scope that is new.
    fn sum(&mut self, scope: Scope) -> Result<U256, String> {
        if let Some(window) = self.windows.get_mut(&scope) {
            window.advance(self.now);
            return Ok(window.sum());
        }
        if self.windows.len() > MAX_RECIPIENTS {
            let now = self.now;
            self.windows.retain(|_, window| {
                window.advance(now);
                !window.is_empty()
            });
            if self.windows.len() > MAX_RECIPIENTS {
                return Err(format!("{MAX_RECIPIENTS} recipients have been paid within the window, which is the most"));
            }
        }
        Ok(U256::ZERO)
    }

    /// What the transaction that is replaced counts now.
    fn counted(&self, key: &Key) -> U256 {
        let counted = self.slots.get(key).and_then(|slot| slot.counted);
        counted.filter(|amount| !has_left(amount.slice, self.now)).map_or(U256::ZERO, |amount| amount.wei)
    }

    /// Changes what is known of a transaction, and counts it anew.
    fn for_each_slot(&mut self, spending: &Spending, change: impl Fn(&mut Slot)) {
        let now = self.now;
        for (scope, _) in self.scopes(spending) {
            let key = Key::of(scope, spending);
            let (before, after) = self.slots.change(key, |slot| {
                change(slot);
                let after = slot.highest(now);
                (core::mem::replace(&mut slot.counted, after), after)
            });
            // A window that could not be made would have been refused before.
            let window = self.windows.entry(scope).or_default();
            window.advance(now);
            if let Some(amount) = before {
                window.remove(amount.slice, amount.wei);
            }
            if let Some(amount) = after {
                window.add(amount.slice, amount.wei);
            }
        }
        // Not before: of what this transaction counts nothing may be forgotten since it was checked.
        self.slots.make_room();
    }
}

/// Without what is the same for nearly all, the chain and the sender: hashing is a good part of what a decision costs.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.nonce);
        if let Scope::Recipient(Some(Address(to))) = self.scope {
            state.write(to.as_slice());
        }
    }
}

impl Key {
    fn of(scope: Scope, spending: &Spending) -> Self {
        Self { scope, chain_id: spending.chain_id, sender: spending.sender, nonce: spending.nonce }
    }
}

impl Slot {
    fn let_go(&mut self, number: u64) {
        self.held.retain(|(held, _)| *held != number);
        if self.held.is_empty() {
            // Thousands of slots would each keep room for the next.
            self.held = Vec::new();
        }
    }

    fn highest(&self, now: u64) -> Option<Amount> {
        let amounts = self.signed.into_iter().chain(self.held.iter().map(|&(_, wei)| Amount { slice: UNDER_WAY, wei }));
        amounts.filter(|amount| !has_left(amount.slice, now)).reduce(|one, other| one.with(Some(other)))
    }
}

impl Amount {
    /// The higher of two amounts, from the later of their times on.
    fn with(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self { slice: self.slice.max(other.slice), wei: self.wei.max(other.wei) })
    }
}
