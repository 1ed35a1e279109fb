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
use kms_signer::{ErrorKind, guard::Guard};
use proptest::prelude::*;

use super::asks::Tx;

const HOUR: Duration = Duration::from_secs(3600);

/// Everything is allowed, within these limits.
fn guard(limits: &str) -> Guard {
    Guard::from_toml(&format!(
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
    .unwrap()
}

/// A transaction without a fee.
fn tx(nonce: u64, wei: u64) -> Tx {
    Tx { nonce, value: wei.to_string(), max_fee_per_gas: "0".to_owned(), ..Tx::default() }
}

fn to(address: u8, tx: Tx) -> Tx {
    Tx { to: Address::repeat_byte(address).to_string(), ..tx }
}

/// Judges, and counts what is allowed as signed.
fn sign(guard: &Guard, tx: &Tx, at: SystemTime) -> bool {
    tx.judge_at(guard, at).map(|permit| permit.used()).is_ok()
}

#[test]
fn the_fee_counts_at_its_highest() {
    let start = SystemTime::now();
    // 10 wei of value, 21,000 gas for 2 wei each, and two blobs of 131,072 gas for 3 wei each.
    let plain = Tx { max_fee_per_gas: "2".to_owned(), ..tx(0, 10) };
    let blobs = Tx { r#type: "eip4844".to_owned(), blobs: 2, max_fee_per_blob_gas: "3".to_owned(), ..plain.clone() };
    for (tx, wei) in [(&plain, 42_010), (&blobs, 42_010 + 2 * 131_072 * 3)] {
        for (total, is_allowed) in [(wei, true), (wei - 1, false)] {
            let guard = guard(&format!("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = {total}"));
            assert_eq!(sign(&guard, tx, start), is_allowed, "{total}");
        }
    }
}

#[test]
fn a_denial_says_what_is_spent_and_by_which_limit() {
    let guard = guard("[[limits]]\nname = 'hourly'\nwindow = '1h'\ntotal = '1 ether'");
    let ether = |nonce, value: &str| Tx { value: super::asks::wei(value).to_string(), ..tx(nonce, 0) };
    assert!(sign(&guard, &ether(0, "0.75 ether"), SystemTime::now()));
    let error = ether(1, "0.5 ether").judge(&guard).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GuardDenied);
    assert_eq!(error.rule(), Some("hourly"));
    assert_eq!(
        error.to_string(),
        "judging what is to be signed: transaction denied by \"hourly\": 0.75 ether of 1 ether (total) are spent within 1h, and this may take 0.5 ether"
    );
}

#[test]
fn a_replacement_counts_once_at_the_higher_amount() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let start = SystemTime::now();
    assert!(sign(&guard, &tx(0, 60), start));
    assert!(!sign(&guard, &tx(0, 101), start), "a replacement above the limit");
    assert!(sign(&guard, &tx(0, 80), start), "a higher one");
    assert!(sign(&guard, &tx(0, 10), start), "a lower one frees nothing");
    assert!(!sign(&guard, &tx(1, 21), start));
    assert!(sign(&guard, &tx(1, 20), start));
    // Another chain's nonces are others.
    assert!(!sign(&guard, &Tx { chain_id: Some(5), ..tx(1, 1) }, start));
}

#[test]
fn a_replacement_to_another_recipient_counts_for_both_of_them() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100\nper_recipient = 70");
    let start = SystemTime::now();
    assert!(sign(&guard, &to(1, tx(0, 60)), start));
    assert!(sign(&guard, &to(2, tx(0, 60)), start), "only one of both is mined");
    assert!(!sign(&guard, &to(1, tx(1, 11)), start), "but it may be the first");
    assert!(!sign(&guard, &to(2, tx(1, 11)), start), "or the second");
    assert!(sign(&guard, &to(3, tx(1, 40)), start));
    assert!(!sign(&guard, &to(4, tx(2, 1)), start));
}

#[test]
fn creations_count_as_one_recipient() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\nper_recipient = 10");
    let create = |nonce| Tx { to: "create".to_owned(), ..tx(nonce, 6) };
    assert!(sign(&guard, &create(0), SystemTime::now()));
    let error = create(1).judge(&guard).unwrap_err().to_string();
    assert!(error.contains("per_recipient for contract creation"), "{error}");
}

#[test]
fn what_fails_gives_its_share_back() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let start = SystemTime::now();
    let held = tx(0, 100).judge_at(&guard, start).unwrap();
    assert!(!sign(&guard, &tx(1, 1), start), "held while it is under way");
    drop(held);
    assert!(sign(&guard, &tx(1, 60), start));
    // A replacement that fails leaves what it was to replace.
    let held = tx(1, 90).judge_at(&guard, start).unwrap();
    assert!(!sign(&guard, &tx(2, 11), start));
    drop(held);
    assert!(!sign(&guard, &tx(2, 41), start));
    assert!(sign(&guard, &tx(2, 40), start));
}

#[test]
fn two_under_way_with_one_nonce_count_once() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let start = SystemTime::now();
    let low = tx(0, 60).judge_at(&guard, start).unwrap();
    let high = tx(0, 90).judge_at(&guard, start).unwrap();
    assert!(!sign(&guard, &tx(1, 11), start));
    drop(high);
    assert!(sign(&guard, &tx(1, 40), start));
    low.used();
    assert!(!sign(&guard, &tx(2, 1), start));
}

#[test]
fn a_window_slides() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    let start = SystemTime::now();
    assert!(sign(&guard, &tx(0, 50), start));
    assert!(sign(&guard, &tx(1, 50), start + HOUR / 2));
    assert!(!sign(&guard, &tx(2, 1), start + HOUR));
    // A 64th of the window later the first has left it.
    assert!(sign(&guard, &tx(2, 50), start + HOUR + HOUR / 32));
    assert!(!sign(&guard, &tx(3, 1), start + HOUR + HOUR / 32));
    // A clock that is set back frees nothing, and counts as it was.
    assert!(!sign(&guard, &tx(3, 1), start - 10 * HOUR));
    assert!(sign(&guard, &tx(3, 100), start + 4 * HOUR));
}

#[test]
fn every_limit_holds_for_itself_and_one_that_denies_takes_nothing() {
    let guard = guard(
        "[[limits]]\nname = 'wide'\nwindow = '24h'\ntotal = 100\n[[limits]]\nname = 'narrow'\nwindow = '1h'\ntotal = 30",
    );
    let start = SystemTime::now();
    for _ in 0..10 {
        assert_eq!(tx(0, 40).judge_at(&guard, start).unwrap_err().rule(), Some("narrow"));
    }
    let later = |hours: u32| start + 2 * hours * HOUR;
    for hour in 0..3 {
        assert!(sign(&guard, &tx(hour.into(), 30), later(hour)), "{hour}");
    }
    assert_eq!(tx(3, 11).judge_at(&guard, later(3)).unwrap_err().rule(), Some("wide"));
    assert!(sign(&guard, &tx(3, 10), later(3)));
}

#[test]
fn clones_share_limits() {
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 100");
    assert!(sign(&guard.clone(), &tx(0, 100), SystemTime::now()));
    assert!(!sign(&guard, &tx(1, 1), SystemTime::now()));
}

#[test]
fn concurrent_calls_cannot_overspend() {
    const THREADS: u64 = 8;
    let guard = guard("[[limits]]\nname = 'l'\nwindow = '24h'\ntotal = 1000");
    let spent = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(Barrier::new(THREADS as usize));
    let threads = (0..THREADS).map(|thread| {
        let (guard, spent, barrier) = (guard.clone(), Arc::clone(&spent), Arc::clone(&barrier));
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
    let start = SystemTime::now();
    let recipient = |n: u64| Tx { to: Address::from_word(U256::from(n + 1).into()).to_string(), ..tx(n, 1) };
    for n in 0..10_000 {
        assert!(sign(&guard, &recipient(n), start), "{n}");
    }
    let error = recipient(10_000).judge_at(&guard, start).unwrap_err().to_string();
    assert!(error.contains("10000 recipients"), "{error}");
    assert!(sign(&guard, &Tx { nonce: 20_000, ..recipient(5) }, start), "one that is known may be paid again");
    // Once the window has gone by, others may be paid.
    assert!(sign(&guard, &recipient(10_000), start + 25 * HOUR));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Against a list of everything that was signed: within any window there is never more than the limit, of each nonce the highest
    /// amount; and what is denied would have been more, counted for a 64th of the window longer.
    #[test]
    fn a_window_never_holds_more_than_the_limit(
        asks in proptest::collection::vec((0u64..40, 0u64..6, 1u64..60, 0u8..3), 1..80),
    ) {
        const LIMIT: u64 = 100;
        const WINDOW: u64 = 640;
        let guard = guard("[[limits]]\nname = 'l'\nwindow = '640s'\ntotal = 100");
        let start = SystemTime::now();
        let mut now = 0;
        let mut signed: Vec<(u64, u64, u64)> = Vec::new();
        // What is signed between two times, and what it would be with one more.
        let sum = |signed: &[(u64, u64, u64)], from: u64, more: (u64, u64)| -> u64 {
            (0..6).map(|nonce| {
                let own = signed.iter().filter(|(at, n, _)| *at >= from && *n == nonce).map(|(.., wei)| *wei).max();
                own.unwrap_or(0).max(if more.0 == nonce { more.1 } else { 0 })
            }).sum()
        };
        for (pause, nonce, wei, outcome) in asks {
            now += pause;
            let Ok(permit) = tx(nonce, wei).judge_at(&guard, start + Duration::from_secs(now)) else {
                // Replacing keeps the highest amount alive, so what may count is all that was ever signed with the nonce.
                prop_assert!(sum(&signed, 0, (nonce, wei)) > LIMIT, "denied for nothing");
                continue;
            };
            prop_assert!(sum(&signed, (now + 1).saturating_sub(WINDOW), (nonce, wei)) <= LIMIT, "overspent");
            if outcome > 0 {
                permit.used();
                signed.push((now, nonce, wei));
            }
        }
    }
}
