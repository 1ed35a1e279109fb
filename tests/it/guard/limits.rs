//! Limits: windows, replacements, what is held and given back, and what is restored.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime},
};

use alloy_primitives::{Address, U256};
use kms_signer::{ErrorKind, guard::Spending};
use proptest::prelude::*;

use super::asks::{SENDER, Timed, Tx};

const HOUR: Duration = Duration::from_secs(3600);

/// Everything is allowed, within these limits.
fn guard(limits: &str) -> Timed {
    Timed::new(&format!(
        "
        [[transactions]]
        name = 'all'
        chain_ids = 'any'
        to = 'any'
        create = true
        calls = 'any'
        max_value = '1000 ether'
        max_fee_per_gas = '100 gwei'
        max_gas_limit = 1000000
        types = ['legacy', 'eip2930', 'eip1559', 'eip4844']
        max_blobs = 6
        max_fee_per_blob_gas = '10 gwei'
        {limits}"
    ))
}

/// A transaction without a fee.
fn tx(nonce: u64, wei: u64) -> Tx {
    Tx { nonce, value: wei.to_string(), max_fee_per_gas: "0".to_owned(), ..Tx::default() }
}

fn to(address: u8, tx: Tx) -> Tx {
    Tx { to: Address::repeat_byte(address).to_string(), ..tx }
}

#[test]
fn the_fee_counts_at_its_highest() {
    // 10 wei of value, 21,000 gas for 2 wei each, and two blobs of 131,072 gas for 3 wei each.
    let plain = Tx { max_fee_per_gas: "2".to_owned(), ..tx(0, 10) };
    let blobs = Tx { r#type: "eip4844".to_owned(), blobs: 2, max_fee_per_blob_gas: "3".to_owned(), ..plain.clone() };
    for (tx, wei) in [(&plain, 42_010), (&blobs, 42_010 + 2 * 131_072 * 3)] {
        for (total, is_allowed) in [(wei, true), (wei - 1, false)] {
            let guard = guard(&format!("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = {total}"));
            assert_eq!(guard.sign(tx), is_allowed, "{total}");
        }
    }
}

#[test]
fn a_denial_says_what_is_spent_and_by_which_limit() {
    let guard = guard("[[limits]]\nname = 'hourly'\nwindow = '1h'\ntotal = '1 ether'");
    let ether = |nonce, value: &str| Tx { value: super::asks::wei(value).to_string(), ..tx(nonce, 0) };
    assert!(guard.sign(&ether(0, "0.75 ether")));
    let error = guard.judge(&ether(1, "0.5 ether")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GuardDenied);
    assert_eq!(error.rule(), Some("hourly"));
    assert_eq!(
        error.to_string(),
        "guard: transaction denied by \"hourly\": 0.75 ether of 1 ether (total) are spent within 1h, and this may take 0.5 ether"
    );
}

#[test]
fn a_replacement_counts_once_at_the_higher_amount() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    assert!(guard.sign(&tx(0, 60)));
    assert!(!guard.sign(&tx(0, 101)), "a replacement above the limit");
    assert!(guard.sign(&tx(0, 80)), "a higher one");
    assert!(guard.sign(&tx(0, 10)), "a lower one frees nothing");
    assert!(!guard.sign(&tx(1, 21)));
    assert!(guard.sign(&tx(1, 20)));
    // Another chain's nonces are others.
    assert!(!guard.sign(&Tx { chain_id: Some(5), ..tx(1, 1) }));
}

#[test]
fn a_replacement_to_another_recipient_counts_for_both_of_them() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100\nper_recipient = 70");
    assert!(guard.sign(&to(1, tx(0, 60))));
    assert!(guard.sign(&to(2, tx(0, 60))), "only one of both is mined");
    assert!(!guard.sign(&to(1, tx(1, 11))), "but it may be the first");
    assert!(!guard.sign(&to(2, tx(1, 11))), "or the second");
    assert!(guard.sign(&to(3, tx(1, 40))));
    assert!(!guard.sign(&to(4, tx(2, 1))));
}

#[test]
fn creations_count_as_one_recipient() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\nper_recipient = 10");
    let create = |nonce| Tx { to: "create".to_owned(), ..tx(nonce, 6) };
    assert!(guard.sign(&create(0)));
    let error = guard.judge(&create(1)).unwrap_err().to_string();
    assert!(error.contains("per_recipient for contract creation"), "{error}");
}

#[test]
fn what_fails_gives_its_share_back() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let held = guard.judge(&tx(0, 100)).unwrap();
    assert!(!guard.sign(&tx(1, 1)), "held while it is under way");
    drop(held);
    assert!(guard.sign(&tx(1, 60)));
    // A replacement that fails leaves what it was to replace.
    let held = guard.judge(&tx(1, 90)).unwrap();
    assert!(!guard.sign(&tx(2, 11)));
    drop(held);
    assert!(!guard.sign(&tx(2, 41)));
    assert!(guard.sign(&tx(2, 40)));
}

#[test]
fn two_under_way_with_one_nonce_count_once() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let low = guard.judge(&tx(0, 60)).unwrap();
    let high = guard.judge(&tx(0, 90)).unwrap();
    assert!(!guard.sign(&tx(1, 11)));
    drop(high);
    assert!(guard.sign(&tx(1, 40)));
    low.used();
    assert!(!guard.sign(&tx(2, 1)));
}

#[test]
fn a_window_slides() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    assert!(guard.sign(&tx(0, 50)));
    assert!(guard.set(HOUR / 2).sign(&tx(1, 50)));
    assert!(!guard.set(HOUR).sign(&tx(2, 1)));
    // A 64th of the window later the first has left it.
    assert!(guard.set(HOUR + HOUR / 32).sign(&tx(2, 50)));
    assert!(!guard.set(HOUR + HOUR / 32).sign(&tx(3, 1)));
    // A clock that is set back frees nothing, and counts as it was.
    assert!(!guard.set(Duration::ZERO).sign(&tx(3, 1)));
    assert!(guard.set(4 * HOUR).sign(&tx(3, 100)));
}

#[test]
fn every_limit_holds_for_itself_and_one_that_denies_takes_nothing() {
    let guard = guard(
        "[[limits]]\nname = 'wide'\nwindow = '24h'\ntotal = 100\n[[limits]]\nname = 'narrow'\nwindow = '1h'\ntotal = 30",
    );
    for _ in 0..10 {
        assert_eq!(guard.judge(&tx(0, 40)).unwrap_err().rule(), Some("narrow"));
    }
    for turn in 0..3 {
        assert!(guard.set(2 * turn * HOUR).sign(&tx(turn.into(), 30)), "{turn}");
    }
    assert_eq!(guard.set(6 * HOUR).judge(&tx(3, 11)).unwrap_err().rule(), Some("wide"));
    assert!(guard.sign(&tx(3, 10)));
}

#[test]
fn clones_share_limits() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    tx(0, 100).judge(&guard.guard.clone()).unwrap().used();
    assert!(!guard.sign(&tx(1, 1)));
}

#[test]
fn concurrent_calls_cannot_overspend() {
    const THREADS: u64 = 8;
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '24h'\ntotal = 1000");
    let spent = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(Barrier::new(THREADS as usize));
    let threads = (0..THREADS).map(|thread| {
        let (guard, spent, barrier) = (guard.guard.clone(), Arc::clone(&spent), Arc::clone(&barrier));
        thread::spawn(move || {
            barrier.wait();
            for n in 0..500 {
                let Ok(permit) = tx(thread * 1000 + n, 7).judge(&guard) else { continue };
                // A third of the signatures fail.
                if n % 3 > 0 {
                    permit.used();
                    spent.fetch_add(7, Relaxed);
                }
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    // All that fits, and no more: 142 times 7.
    assert_eq!(spent.load(Relaxed), 994);
}

#[test]
fn memory_is_bounded() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '24h'\ntotal = '1 ether'\nper_recipient = '1 ether'");
    let recipient = |n: u64| Tx { to: Address::from_word(U256::from(n + 1).into()).to_string(), ..tx(n, 1) };
    for n in 0..10_000 {
        assert!(guard.sign(&recipient(n)), "{n}");
    }
    let error = guard.judge(&recipient(10_000)).unwrap_err().to_string();
    assert!(error.contains("10000 recipients"), "{error}");
    assert!(guard.sign(&Tx { nonce: 20_000, ..recipient(5) }), "one that is known may be paid again");
    // What costs nothing needs no room.
    assert!(guard.sign(&Tx { value: "0".to_owned(), ..recipient(20_000) }));
    // Once the window has gone by, others may be paid.
    assert!(guard.set(25 * HOUR).sign(&recipient(10_000)));
}

#[test]
fn of_very_many_transactions_the_oldest_are_no_longer_known_as_replaced() {
    const KNOWN: u64 = 2_048;
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '24h'\ntotal = 100000");
    // The oldest is under way all the time, and stays known.
    let under_way = guard.judge(&tx(0, 1)).unwrap();
    for nonce in 1..=KNOWN {
        assert!(guard.sign(&tx(nonce, 1)), "{nonce}");
    }
    let spent = |guard: &Timed| {
        let text = guard.judge(&tx(u64::MAX, 1_000_000)).unwrap_err().to_string();
        text.split("\"l\": ").nth(1).unwrap().split(" wei").next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(spent(&guard), KNOWN + 1);
    assert!(guard.sign(&tx(KNOWN, 2)), "known: the higher amount counts");
    assert_eq!(spent(&guard), KNOWN + 2);
    assert!(guard.sign(&tx(1, 2)), "forgotten: it counts once more");
    assert_eq!(spent(&guard), KNOWN + 4);
    assert!(guard.sign(&tx(0, 1)));
    under_way.used();
    assert_eq!(spent(&guard), KNOWN + 4);
}

/// Where the oldest is forgotten to make room for a replacement, it is not what the replacement was checked against.
#[test]
fn what_a_replacement_counts_is_known_until_it_is_counted() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '24h'\ntotal = 1000000\nper_recipient = 10");
    let other = |nonce: u64| Tx { to: Address::from_word(U256::from(nonce).into()).to_string(), ..tx(nonce, 1) };
    // Three amounts for the first transaction, so that the total's is forgotten first, and then the one of 0x0a….
    assert!(guard.sign(&to(0x0a, tx(0, 10))) && guard.sign(&to(0x0b, tx(0, 10))));
    for nonce in 1..=1023 {
        assert!(guard.sign(&other(nonce)), "{nonce}");
    }
    assert!(guard.sign(&to(0x0a, tx(0, 10))));
    let error = guard.judge(&to(0x0a, tx(5000, 1))).unwrap_err().to_string();
    assert!(error.contains("10 wei of 10 wei"), "{error}");
}

#[test]
fn what_was_spent_before_a_restart_counts() {
    let limits = "[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100\nper_recipient = 60";
    let spending = |guard: &Timed, ago: Duration, nonce, wei: u64| {
        let to = Some(Address::repeat_byte(0x70));
        Spending::new(guard.start() - ago, SENDER, 1, nonce, to, U256::from(wei))
    };
    let guard = guard(limits);
    guard.guard.restore([
        spending(&guard, HOUR / 2, 0, 40),
        spending(&guard, HOUR / 4, 0, 30),
        spending(&guard, 2 * HOUR, 1, 1000),
    ]);
    assert!(!guard.sign(&tx(2, 21)), "40 of 60 are spent");
    assert!(guard.sign(&tx(0, 60)), "it replaces what was restored");
    assert!(!guard.sign(&to(1, tx(2, 41))));
    assert!(guard.sign(&to(1, tx(2, 40))));
}

#[test]
fn a_spending_from_the_future_locks_nothing_up() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let to = Some(Address::repeat_byte(0x70));
    let future = guard.start() + 100_000 * HOUR;
    guard.guard.restore([Spending::new(future, SENDER, 1, 0, to, U256::from(60))]);
    assert!(!guard.sign(&tx(1, 41)));
    assert!(guard.sign(&tx(1, 40)));
    assert!(guard.set(2 * HOUR).sign(&tx(2, 100)));
}

#[test]
fn amounts_beyond_all_measure_are_counted_and_leave_again() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let to = Some(Address::repeat_byte(0x70));
    let at = |ago| guard.start() - ago;
    guard.guard.restore([
        Spending::new(at(HOUR / 2), SENDER, 1, 0, to, U256::MAX),
        Spending::new(at(HOUR / 4), SENDER, 1, 1, to, U256::MAX),
        Spending::new(at(Duration::ZERO), SENDER, 1, 2, to, U256::from(60)),
    ]);
    assert!(!guard.sign(&tx(3, 1)));
    assert!(guard.set(HOUR * 7 / 8).sign(&tx(3, 40)));
    assert!(!guard.sign(&tx(4, 1)), "the 60 still count");
}

/// What a transaction may bring about, and is counted as.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Signed,
    Failed,
    /// It stays under way until the end.
    UnderWay,
    /// It is signed, and the process begins anew with what it signed.
    SignedThenRestart,
}

fn ask() -> impl Strategy<Value = (u64, u64, u8, u64, Fate)> {
    let fate = prop_oneof![
        6 => Just(Fate::Signed),
        2 => Just(Fate::Failed),
        1 => Just(Fate::UnderWay),
        1 => Just(Fate::SignedThenRestart),
    ];
    (0u64..40, 0u64..6, 1u8..4, 1u64..60, fate)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Against a list of everything that was allowed: within any window there is never more than a limit, of each nonce the highest
    /// amount; and what is denied would have been more, if everything counted for ever.
    #[test]
    fn a_window_never_holds_more_than_the_limit(asks in proptest::collection::vec(ask(), 1..80)) {
        const TOTAL: u64 = 100;
        const EACH: u64 = 60;
        const WINDOW: u64 = 640;
        let limits = "[[limits]]\nname = 'sum'\nwindow = '640s'\ntotal = 100\n[[limits]]\nname = 'each'\nwindow = '640s'\nper_recipient = 60";
        let mut timed = guard(limits);
        let begun = timed.start();
        let mut now = 0;
        // Time, nonce, recipient, amount, whether it is under way.
        let mut counted: Vec<(u64, u64, u8, u64, bool)> = Vec::new();
        let mut under_way = Vec::new();
        let sum = |counted: &[(u64, u64, u8, u64, bool)], from: u64, to: Option<u8>| -> u64 {
            let of = |nonce| {
                let it = counted.iter().filter(|it| it.0 >= from || it.4);
                it.filter(|it| it.1 == nonce && to.is_none_or(|to| to == it.2)).map(|it| it.3).max().unwrap_or(0)
            };
            (0..6).map(of).sum()
        };
        for (pause, nonce, recipient, wei, fate) in asks {
            now += pause;
            let asked = to(recipient, tx(nonce, wei));
            let result = timed.set(begun_offset(&timed, begun, now)).judge(&asked);
            let mut with_it = counted.clone();
            with_it.push((now, nonce, recipient, wei, false));
            let Ok(permit) = result else {
                let for_ever = sum(&with_it, 0, None) > TOTAL || sum(&with_it, 0, Some(recipient)) > EACH;
                prop_assert!(for_ever, "denied for nothing");
                continue;
            };
            let from = (now + 1).saturating_sub(WINDOW);
            prop_assert!(sum(&with_it, from, None) <= TOTAL, "overspent");
            prop_assert!(sum(&with_it, from, Some(recipient)) <= EACH, "overspent on one recipient");
            match fate {
                Fate::Failed => drop(permit),
                Fate::UnderWay => {
                    under_way.push(permit);
                    counted.push((now, nonce, recipient, wei, true));
                }
                Fate::Signed | Fate::SignedThenRestart => {
                    permit.used();
                    counted.push((now, nonce, recipient, wei, false));
                }
            }
            if matches!(fate, Fate::SignedThenRestart) {
                // What was under way counts from when it was decided: nobody knows what became of it.
                counted.iter_mut().for_each(|it| it.4 = false);
                under_way.clear();
                timed = guard(limits);
                let spendings: Vec<_> = counted.iter().map(|&(at, nonce, to, wei, _)| {
                    let to = Some(Address::repeat_byte(to));
                    Spending::new(begun + Duration::from_secs(at), SENDER, 1, nonce, to, U256::from(wei))
                }).collect();
                timed.set(begun_offset(&timed, begun, now));
                timed.guard.restore(spendings);
            }
        }
    }
}

/// So long after the process began the clock says `now`, which is counted from the first start.
fn begun_offset(timed: &Timed, begun: SystemTime, now: u64) -> Duration {
    (begun + Duration::from_secs(now)).duration_since(timed.start()).unwrap_or_default()
}
