//! What a log counts in the limits of a guard that starts anew.

use std::sync::atomic::AtomicBool;

use alloy_consensus::TxEip1559;
use alloy_primitives::TxKind;

use super::*;
use crate::{
    error::ErrorKind,
    guard::{Asked, Guard},
};

const HOUR: Duration = Duration::from_secs(3600);

fn guard(window: &str) -> Guard {
    Guard::from_toml(&format!(
        r#"
        [[transactions]]
        name = "anything"
        chain_ids = "any"
        to = "any"
        max_value = "1 ether"
        max_fee_per_gas = "1 wei"
        max_gas_limit = 21000

        [[limits]]
        name = "a second's"
        window = "1s"
        total = "1 ether"

        [[limits]]
        name = "the longest"
        window = "{window}"
        total = 100
        "#
    ))
    .unwrap()
}

/// Whether a guard allows to spend so many wei more, without keeping them.
fn has_room(guard: &Guard, wei: u64) -> bool {
    let to = TxKind::Call(SIGNER);
    let transaction = TxEip1559 { chain_id: 1, nonce: 1 << 40, to, value: U256::from(wei), ..TxEip1559::default() };
    guard.judge(SIGNER, &Asked::Transaction(&transaction)).is_ok()
}

/// A spending so long ago.
fn ago(past: Duration, id: u64, wei: u64) -> Record<'static> {
    let mut record = spending(id, wei);
    record.at = SystemTime::now() - past;
    record
}

#[test]
fn what_was_there_before_counts_and_what_came_since_does_not() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    assert_eq!(log.restore(&guard("24h"), None).unwrap(), 0);
    for id in 1..=3 {
        keep(&log, &ago(HOUR, id, 20)).unwrap();
    }
    keep(&log, &record(Stage::Failed, 3)).unwrap();
    assert_eq!(log.restore(&guard("24h"), None).unwrap(), 0);
    drop(log);

    let log = AuditLog::open(folder.file()).unwrap();
    keep(&log, &ago(Duration::ZERO, 4, 20)).unwrap();
    let guard = guard("24h");
    for _ in 0..2 {
        assert_eq!(log.restore(&guard, None).unwrap(), 2);
        assert_eq!((has_room(&guard, 60), has_room(&guard, 61)), (true, false));
    }
}

#[test]
fn only_the_callers_own_counts() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    for (id, caller) in [(1, Some("a")), (2, Some("b")), (3, None), (4, Some("a"))] {
        let mut line = ago(HOUR, id, 20);
        line.event.caller = caller;
        keep(&log, &line).unwrap();
    }
    drop(log);
    let log = AuditLog::open(folder.file()).unwrap();
    for (caller, counted, left) in [(None, 4, 20), (Some("a"), 2, 60), (Some("b"), 1, 80), (Some("c"), 0, 100)] {
        let guard = guard("24h");
        assert_eq!(log.restore(&guard, caller).unwrap(), counted);
        assert_eq!((has_room(&guard, left), has_room(&guard, left + 1)), (true, false), "{caller:?}");
    }
}

#[test]
fn it_looks_back_as_far_as_the_longest_window_counts() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    // A window of 64 hours counts for up to an hour more.
    for (id, hours) in [(1, 66), (2, 65), (3, 64), (4, 1)] {
        keep(&log, &ago(hours * HOUR, id, 20)).unwrap();
    }
    drop(log);
    let log = AuditLog::open(folder.file()).unwrap();
    for (window, counted) in [("64h", 3), ("63h", 1), ("65h", 4), ("66h", 4), ("2h", 1), ("59m", 0), ("1s", 0)] {
        assert_eq!(log.restore(&guard(window), None).unwrap(), counted, "{window}");
    }
    assert_eq!(log.restore(&Guard::from_toml("").unwrap(), None).unwrap(), 0);
}

#[test]
fn what_is_recorded_meanwhile_disturbs_nothing() {
    let folder = Folder::new();
    let log = AuditLog::builder(folder.file()).fsync(false).open().unwrap();
    for id in 0..500 {
        keep(&log, &ago(HOUR, id, 1)).unwrap();
    }
    drop(log);
    let log = AuditLog::builder(folder.file()).fsync(false).open().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let mut id = 500;
            while !done.load(Relaxed) || id < 600 {
                keep(&log, &ago(HOUR, id, 1)).unwrap();
                id += 1;
            }
        });
        for _ in 0..3 {
            assert_eq!(log.restore(&guard("24h"), None).unwrap(), 500);
        }
        done.store(true, Relaxed);
        writes.join().unwrap();
    });
    assert_eq!(verified(&folder.file()).unwrap().head(), log.head());
}

#[test]
fn part_of_a_line_and_a_newline_that_is_missing_are_no_obstacle() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    for id in 1..=2 {
        keep(&log, &ago(HOUR, id, 20)).unwrap();
    }
    drop(log);
    let text = fs::read_to_string(folder.file()).unwrap();
    for (missing, counted) in [(1, 2), (9, 1)] {
        fs::write(folder.file(), &text[..text.len() - missing]).unwrap();
        let log = AuditLog::open(folder.file()).unwrap();
        assert_eq!(log.restore(&guard("24h"), None).unwrap(), counted);
    }
}

#[cfg(unix)]
#[test]
fn lines_that_were_changed_since_the_opening_count_for_nothing() {
    let folder = Folder::new();
    let text = written(&folder, 3);
    let mut other = Vec::new();
    let mut chain = super::super::chain::Chain::default();
    for line in text.lines() {
        let body = line.split_once(r#"","time""#).unwrap().1.rsplit_once(r#","hash":""#).unwrap().0;
        chain.seal(format!(r#""time"{}"#, body.replace("payroll", "nobody!")).as_bytes(), &mut other);
    }
    assert_eq!(verify(&other[..]).unwrap().lines(), 4);
    assert_eq!(other.len(), text.len());

    let log = AuditLog::open(folder.file()).unwrap();
    let guard = guard("24h");
    assert_eq!(log.restore(&guard, None).unwrap(), 0);
    let now = fs::read(folder.file()).unwrap();
    for bytes in [&[&other[..], &now[other.len()..]].concat(), &now[..100], b"" as &[u8]] {
        fs::write(folder.file(), bytes).unwrap();
        let error = log.restore(&guard, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AuditBroken, "{error}");
    }
    fs::write(folder.file(), [&other[..], &now[other.len()..]].concat()).unwrap();
    assert_says(&log.restore(&guard, None).unwrap_err(), "its lines are others than when it was opened");
}
