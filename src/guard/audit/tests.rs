//! The audit file from within: records are made here by hand, and the disk fails when it is told to.

mod chain;
mod disk;
mod failures;
mod files;
mod group;
mod process;
mod restore;
mod spendings;

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use alloy_primitives::{Address, B256, U256};
use futures_executor::block_on;
use serde_json::Value;

use super::{AuditLog, Verified, verify};
use crate::{
    error::{Error, Result},
    guard::{Record, Recorder, Spending},
    observe::{GuardEvent, Stage},
};

const SIGNER: Address = Address::repeat_byte(0xa1);
const NOON: Duration = Duration::from_secs(1_800_000_000);

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("kms-signer-audit-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(stage: Stage, id: u64) -> Record<'static> {
    let event = GuardEvent {
        stage,
        id,
        caller: Some("payroll"),
        signer: SIGNER,
        key: None,
        asked: "transaction",
        rule: Some("small transfers"),
        reason: None,
        digest: Some(B256::repeat_byte(0xd1)),
        request_id: None,
        latency: Duration::ZERO,
    };
    Record { at: SystemTime::UNIX_EPOCH + NOON, event, asked: None, spending: None, may_have_signed: false }
}

fn spending(id: u64, wei: u64) -> Record<'static> {
    let at = SystemTime::UNIX_EPOCH + NOON;
    let spending = Spending { at, chain_id: 1, sender: SIGNER, nonce: id, to: Some(SIGNER), wei: U256::from(wei) };
    Record { spending: Some(spending), ..record(Stage::Allowed, id) }
}

/// A record that asks for something of this length.
fn asking(id: u64, text: &Value) -> Record<'_> {
    Record { asked: Some(text), ..record(Stage::Denied, id) }
}

/// A file with a line about its opening, and so many records.
fn written(folder: &Folder, records: u64) -> String {
    let log = AuditLog::builder(folder.file()).fsync(false).open().unwrap();
    for id in 0..records {
        keep(&log, &record(Stage::Allowed, id)).unwrap();
    }
    drop(log);
    fs::read_to_string(folder.file()).unwrap()
}

fn keep(log: &AuditLog, record: &Record<'_>) -> Result<()> {
    block_on(log.record(record)).map_err(|error| *error.downcast().unwrap())
}

fn verified(path: &Path) -> Result<Verified> {
    verify(BufReader::new(File::open(path).unwrap()))
}

#[track_caller]
fn assert_says(error: &Error, what: &str) {
    assert!(error.to_string().contains(what), "{error}");
}
