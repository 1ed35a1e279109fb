//! The audit file as a program's operator and an auditor see it.

mod auditor;
mod killed;
mod trail;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use kms_signer::{
    KmsSigner,
    fake::FakeKms,
    guard::{AuditLog, Guard, Guarded},
};

const RULES: &str = r#"
    [[messages]]
    name = "log in"
    prefixes = ["Log in: "]

    [[transactions]]
    name = "payouts"
    chain_ids = [1]
    to = ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
    max_value = "1 ether"
    max_fee_per_gas = "100 gwei"
    max_gas_limit = 21000

    [[limits]]
    name = "a day's"
    window = "24h"
    total = "2 ether"
"#;

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("kms-signer-it-audit-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
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

fn guard() -> Guard {
    Guard::from_toml(RULES).unwrap()
}

/// A signer under those rules that records in the folder's file.
async fn recorded(folder: &Folder) -> (FakeKms, AuditLog, Guarded<KmsSigner>) {
    let (fake, signer) = crate::fake_and_signer().await;
    let log = AuditLog::open(folder.file()).unwrap();
    (fake, log.clone(), Guarded::new(signer, guard()).with_caller("payroll").with_recorder(log))
}
