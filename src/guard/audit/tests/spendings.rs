//! What limits are rebuilt from.

use super::*;
use crate::{
    error::ErrorKind,
    guard::audit::{chain::Chain, spendings},
};

const LONG_AGO: SystemTime = SystemTime::UNIX_EPOCH;

fn nonces(path: &Path, caller: Option<&str>, since: SystemTime) -> Vec<u64> {
    spendings(path, caller, since).unwrap().iter().map(Spending::nonce).collect()
}

#[test]
fn what_was_allowed_counts_unless_it_failed() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    for id in 1..=4 {
        keep(&log, &spending(id, 1000 + id)).unwrap();
    }
    keep(&log, &record(Stage::Allowed, 5)).unwrap();
    keep(&log, &record(Stage::Signed, 3)).unwrap();
    keep(&log, &record(Stage::Failed, 2)).unwrap();
    keep(&log, &record(Stage::Denied, 6)).unwrap();
    assert_eq!(nonces(&folder.file(), None, LONG_AGO), [1, 3, 4]);
    assert_eq!(spendings(folder.file(), None, LONG_AGO).unwrap()[0], *spending(1, 1001).spending().unwrap());
}

#[test]
fn only_the_callers_own_and_what_is_young_enough_counts() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    for (id, caller, minutes) in [(1, Some("a"), 0), (2, Some("b"), 10), (3, None, 20), (4, Some("a"), 30)] {
        let mut line = spending(id, 1);
        line.event.caller = caller;
        line.at += Duration::from_secs(60 * minutes);
        keep(&log, &line).unwrap();
    }
    let after = |minutes: u64| LONG_AGO + NOON + Duration::from_secs(60 * minutes);
    assert_eq!(nonces(&folder.file(), None, LONG_AGO), [1, 2, 3, 4]);
    assert_eq!(nonces(&folder.file(), Some("a"), LONG_AGO), [1, 4]);
    assert_eq!(nonces(&folder.file(), Some("c"), LONG_AGO), [0; 0]);
    assert_eq!(nonces(&folder.file(), None, after(10)), [2, 3, 4]);
    assert_eq!(nonces(&folder.file(), Some("a"), after(1)), [4]);
    assert_eq!(nonces(&folder.file(), None, after(31)), [0; 0]);
}

#[test]
fn a_failure_frees_the_decision_of_its_id_only() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    keep(&log, &spending(7, 1)).unwrap();
    let mut again = spending(7, 2);
    again.spending = again.spending.map(|spending| Spending { nonce: 8, ..spending });
    keep(&log, &again).unwrap();
    keep(&log, &record(Stage::Failed, 7)).unwrap();
    keep(&log, &record(Stage::Failed, 7)).unwrap();
    assert_eq!(nonces(&folder.file(), None, LONG_AGO), [7]);
}

/// A line as a later version, or another program, may write it.
fn append(path: &Path, body: &str) {
    let mut text = fs::read(path).unwrap();
    let (mut chain, before) = (Chain::default(), text.clone());
    before.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').for_each(|line| chain.accept(line).unwrap());
    chain.seal(body.as_bytes(), &mut text);
    fs::write(path, text).unwrap();
}

#[test]
fn a_failure_that_may_have_signed_counts() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    for id in 1..=3 {
        keep(&log, &spending(id, 1)).unwrap();
    }
    drop(log);
    for (id, more) in [(1, r#","may_have_signed":true"#), (2, r#","may_have_signed":false"#), (3, "")] {
        let body = format!(r#""time":"2027-01-15T08:00:00Z","stage":"failed","id":"{id:016x}"{more}"#);
        append(&folder.file(), &body);
    }
    assert_eq!(nonces(&folder.file(), None, LONG_AGO), [1]);
}

#[test]
fn a_contract_and_the_largest_amount_are_read_back() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    let mut line = spending(1, 1);
    let most = line.spending.map(|s| Spending { to: None, wei: U256::MAX, chain_id: u64::MAX, nonce: u64::MAX, ..s });
    line.spending = most;
    keep(&log, &line).unwrap();
    assert_eq!(spendings(folder.file(), None, LONG_AGO).unwrap(), [most.unwrap()]);
}

#[test]
fn a_missing_file_is_empty_and_a_broken_one_an_error() {
    let folder = Folder::new();
    assert!(spendings(folder.file(), None, LONG_AGO).unwrap().is_empty());
    let text = written(&folder, 3);
    fs::write(folder.file(), &text[..text.len() - 5]).unwrap();
    assert!(spendings(folder.file(), None, LONG_AGO).unwrap().is_empty());
    fs::write(folder.file(), text.replacen("\"id\"", "\"ID\"", 1)).unwrap();
    let error = spendings(folder.file(), None, LONG_AGO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuditBroken);
    assert_says(&error, "audit.jsonl: line 2 was changed");
    let error = spendings(&folder.0, None, LONG_AGO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_says(&error, "cannot be read");
}
