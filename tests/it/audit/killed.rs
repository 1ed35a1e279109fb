//! A program that signs is killed, again and again. The child is this test binary, run again.
#![cfg(unix)]

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use alloy_consensus::TxEip1559;
use alloy_network::TxSigner;
use alloy_primitives::{B256, TxKind, U256, address, eip191_hash_message};
use alloy_signer::Signer;
use kms_signer::{
    ErrorKind,
    guard::{
        audit::{verify, verify_with_head},
        spendings,
    },
};
use serde_json::Value;

use super::*;
use crate::assert_kind;

const FILE: &str = "KMS_SIGNER_AUDIT_TEST_FILE";
const ROUND: &str = "KMS_SIGNER_AUDIT_TEST_ROUND";
const ROUNDS: usize = 5;

/// So many payments are within the limit.
const MOST: usize = 800;

/// What a payment may cost, in wei.
const PRICE: u64 = 1_000_000_000_000_000;

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

/// Restores the limit, pays for eight callers until that is spent, and prints the digest of each signature that is returned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the child process of another test"]
async fn paying_child() {
    let fake = FakeKms::new();
    let key = fake.import_key(B256::repeat_byte(7)).unwrap();
    let signer = KmsSigner::new(fake.client(), key, Some(1)).await.unwrap();
    let guard = Guard::from_toml(&RULES.replace("2 ether", &(PRICE * MOST as u64).to_string())).unwrap();
    let log = AuditLog::open(std::env::var(FILE).expect("this is run by another test")).unwrap();
    log.restore(&guard, Some("payroll")).unwrap();
    let signer = Guarded::new(signer, guard).with_caller("payroll").with_recorder(log);

    let round: usize = std::env::var(ROUND).unwrap().parse().unwrap();
    let callers = (0..8).map(async |caller| {
        for number in 0.. {
            // However late it is killed, it leaves something for the next.
            if round < ROUNDS && number == MOST / ROUNDS / 8 - 1 {
                core::future::pending::<()>().await;
            }
            let mut payment = payment(((round << 32) | (caller << 24) | number) as u64);
            match signer.sign_transaction(&mut payment).await {
                Ok(_) => println!("signed {}", alloy_consensus::SignableTransaction::signature_hash(&payment)),
                Err(error) => return assert_kind(&error, ErrorKind::GuardDenied),
            }
        }
    });
    futures_util::future::join_all(callers).await;
}

fn payment(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")),
        value: U256::from(PRICE - 21_000 * 1_000_000_000),
        ..TxEip1559::default()
    }
}

/// A child of this name, which prints to the pipe.
fn child_of(name: &str, round: usize, folder: &Folder) -> Child {
    let test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--ignored", "--nocapture"])
        .env(FILE, folder.file())
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The digests that a child printed until it was killed, after so many signatures.
fn killed_after(signatures: usize, mut child: Child) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while read.matches("signed ").count() < signatures {
        assert_ne!(out.read_line(&mut read).unwrap(), 0, "{read}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    out.read_to_string(&mut read).unwrap();
    signed(&read)
}

fn signed(out: &str) -> Vec<String> {
    // The last line may be cut, with the child.
    let whole = out.rsplit_once('\n').unwrap().0;
    whole.lines().filter_map(|line| Some(line.split_once("signed ")?.1.to_owned())).collect()
}

#[test]
fn each_signature_that_was_returned_is_in_the_file() {
    let folder = Folder::new();
    let mut returned = Vec::new();
    let mut head = alloy_primitives::B256::ZERO;
    for round in 0..ROUNDS {
        returned.extend(killed_after(1 + 41 * round, child_of("child", round, &folder)));
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

#[test]
fn what_all_runs_together_spend_stays_within_the_limit() {
    let folder = Folder::new();
    let mut returned = HashSet::new();
    for round in 0..ROUNDS {
        let signed = killed_after(1 + 7 * round, child_of("paying_child", round, &folder));
        assert!(!signed.is_empty(), "nothing was signed in round {round}");
        returned.extend(signed);
    }
    // The last one pays until nothing is left.
    let output = child_of("paying_child", ROUNDS, &folder).wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}");
    let last = signed(&out);
    assert!(!last.is_empty(), "{out}");
    returned.extend(last);

    // What was decided and not returned is spent, too: eight callers may have waited each time.
    let decided = spendings(folder.file(), Some("payroll"), std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(decided.len(), MOST);
    assert!((MOST - 8 * ROUNDS..=MOST).contains(&returned.len()), "{} of {MOST} were returned", returned.len());
}
