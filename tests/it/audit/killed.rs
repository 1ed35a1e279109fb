//! A program that signs is killed, again and again. The child is this test binary, run again.
#![cfg(unix)]

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use alloy_primitives::eip191_hash_message;
use alloy_signer::Signer;
use kms_signer::guard::audit::{verify, verify_with_head};
use serde_json::Value;

use super::*;

const FILE: &str = "KMS_SIGNER_AUDIT_TEST_FILE";
const ROUNDS: usize = 5;

/// Signs for eight callers for as long as it lives, and prints the digest of each signature that is returned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the child process of another test"]
async fn child() {
    let log = AuditLog::open(std::env::var(FILE).expect("this is run by another test")).unwrap();
    let (_, signer) = crate::fake_and_signer().await;
    let signer = Guarded::new(signer, guard()).with_recorder(log);
    let callers = (0..8).map(async |caller| {
        for number in 0.. {
            let message = format!("Log in: {} {caller} {number}", std::process::id());
            signer.sign_message(message.as_bytes()).await.unwrap();
            println!("signed {}", eip191_hash_message(message));
        }
    });
    futures_util::future::join_all(callers).await;
}

/// What a child printed until it was killed, after so many signatures.
fn killed_after(signatures: usize, folder: &Folder) -> Vec<String> {
    let test = concat!(module_path!(), "::child").split_once("::").unwrap().1;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(FILE, folder.file())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while read.matches("signed ").count() < signatures {
        assert_ne!(out.read_line(&mut read).unwrap(), 0, "{read}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    out.read_to_string(&mut read).unwrap();
    let whole = read.rsplit_once('\n').unwrap().0;
    whole.lines().filter_map(|line| line.strip_prefix("signed ")).map(str::to_owned).collect()
}

#[test]
fn each_signature_that_was_returned_is_in_the_file() {
    let folder = Folder::new();
    let mut returned = Vec::new();
    let mut head = alloy_primitives::B256::ZERO;
    for round in 0..ROUNDS {
        returned.extend(killed_after(1 + 41 * round, &folder));
        // What was there is there still.
        head = verify_with_head(BufReader::new(File::open(folder.file()).unwrap()), head).unwrap().head();
    }
    drop(AuditLog::open(folder.file()).unwrap());
    let verified = verify(BufReader::new(File::open(folder.file()).unwrap())).unwrap();
    assert_eq!((verified.opened(), verified.partial_bytes()), (ROUNDS as u64 + 1, 0));

    let text = fs::read_to_string(folder.file()).unwrap();
    let digests = |stage: &str| -> HashSet<String> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["stage"] == stage).map(|line| line["digest"].as_str().unwrap().to_owned()).collect()
    };
    let (allowed, signed) = (digests("allowed"), digests("signed"));
    for digest in returned {
        assert!(allowed.contains(&digest) && signed.contains(&digest), "{digest} was returned and is not there");
    }
}
