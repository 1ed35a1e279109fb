//! What a guarded signer leaves in the file, and what it does without one.

use std::{fs::File, io::BufReader, time::SystemTime};

use alloy_consensus::TxEip1559;
use alloy_network::TxSigner;
use alloy_primitives::{TxKind, U256, address};
use alloy_signer::Signer;
use futures_util::future::join_all;
use kms_signer::{
    ErrorKind, Stage,
    fake::Fault,
    guard::{Spending, audit::verify, spendings},
};
use serde_json::Value;

use super::*;
use crate::{assert_kind, fake_and_signer, ours};

const ETHER: u64 = 1_000_000_000_000_000_000;

fn payout(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")),
        value: U256::from(9 * (ETHER / 10)),
        ..TxEip1559::default()
    }
}

fn lines(folder: &Folder) -> Vec<Value> {
    verify(BufReader::new(File::open(folder.file()).unwrap())).unwrap();
    fs::read_to_string(folder.file()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn signs(fake: &FakeKms) -> usize {
    fake.requests().iter().filter(|request| request.operation() == "Sign").count()
}

#[tokio::test]
async fn what_came_of_a_decision_has_its_id_and_the_request_of_kms() {
    let folder = Folder::new();
    let (fake, log, signer) = recorded(&folder).await;
    signer.sign_message(b"Log in: 1").await.unwrap();
    signer.sign_message(b"I owe you").await.unwrap_err();
    fake.inject(Fault::error("AccessDeniedException", 400, "not authorized"));
    signer.sign_message(b"Log in: 2").await.unwrap_err();

    let lines = lines(&folder);
    let stages: Vec<_> = lines.iter().map(|line| line["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["opened", "allowed", "signed", "denied", "allowed", "failed"]);
    assert_eq!((&lines[1]["id"], &lines[4]["id"]), (&lines[2]["id"], &lines[5]["id"]));
    assert_ne!(lines[1]["id"], lines[4]["id"]);
    for line in &lines[1..] {
        assert_eq!(
            (&line["caller"], &line["signer"]),
            (&"payroll".into(), &Signer::address(&signer).to_string().into())
        );
    }
    for line in [&lines[2], &lines[5]] {
        assert!(line["request_id"].is_string() && line["key"].as_str().unwrap().starts_with("arn:"), "{line}");
    }
    assert!(lines[1]["asked"].to_string().contains("Log in: 1"), "{}", lines[1]);
    assert!(lines[3]["reason"].to_string().contains("I owe you"), "{}", lines[3]);
    assert_eq!(log.lines(), 6);
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_signed_while_the_file_is_away() {
    let folder = Folder::new();
    let (fake, _, signer) = recorded(&folder).await;
    let away = folder.0.join("audit.1");
    fs::rename(folder.file(), &away).unwrap();
    let error = signer.sign_message(b"Log in: 1").await.unwrap_err();
    assert_kind(&error, ErrorKind::Unrecorded);
    assert!(ours(&error).to_string().contains("audit.jsonl is no longer there"), "{error}");
    assert_kind(&signer.sign_message(b"I owe you").await.unwrap_err(), ErrorKind::GuardDenied);
    assert_eq!(signs(&fake), 0);

    fs::rename(&away, folder.file()).unwrap();
    signer.sign_message(b"Log in: 1").await.unwrap();
    assert_eq!((signs(&fake), lines(&folder).len()), (1, 3));
}

#[tokio::test]
async fn limits_are_rebuilt_from_the_file() {
    let folder = Folder::new();
    let (_, log, signer) = recorded(&folder).await;
    for nonce in 0..2 {
        signer.sign_transaction(&mut payout(nonce)).await.unwrap();
    }
    assert_kind(&signer.sign_transaction(&mut payout(2)).await.unwrap_err(), ErrorKind::GuardDenied);
    let sender = Signer::address(&signer);
    drop((signer, log));

    let spent = spendings(folder.file(), Some("payroll"), SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(spent.iter().map(Spending::nonce).collect::<Vec<_>>(), [0, 1]);
    assert!(spent.iter().all(|spending| spending.sender() == sender && spending.chain_id() == 1));
    assert!(spendings(folder.file(), Some("nobody"), SystemTime::UNIX_EPOCH).unwrap().is_empty());

    let (_, signer) = fake_and_signer().await;
    let (fresh, restored) = (guard(), guard());
    restored.restore(spent);
    let ask = async |guard| Guarded::new(signer.clone(), guard).sign_transaction(&mut payout(3)).await;
    ask(fresh).await.unwrap();
    assert_kind(&ask(restored).await.unwrap_err(), ErrorKind::GuardDenied);
}

#[tokio::test]
async fn limits_are_restored_from_the_file_that_is_open() {
    let folder = Folder::new();
    let (_, log, signer) = recorded(&folder).await;
    for nonce in 0..2 {
        signer.sign_transaction(&mut payout(nonce)).await.unwrap();
    }
    drop((signer, log));

    let (_, log, signer) = recorded(&folder).await;
    assert_eq!(log.restore(signer.guard(), Some("nobody")).unwrap(), 0);
    assert_eq!(log.restore(signer.guard(), Some("payroll")).unwrap(), 2);
    assert_kind(&signer.sign_transaction(&mut payout(2)).await.unwrap_err(), ErrorKind::GuardDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_signers_share_a_file_and_each_signature_is_in_it() {
    let folder = Folder::new();
    let (_, log, signer) = recorded(&folder).await;
    let tasks = (0..16).map(|task| {
        let signer = signer.clone();
        tokio::spawn(async move {
            for number in 0..10 {
                signer.sign_message(format!("Log in: {task} {number}").as_bytes()).await.unwrap();
                signer.sign_message(b"I owe you").await.unwrap_err();
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let verified = verify(BufReader::new(File::open(folder.file()).unwrap())).unwrap();
    assert_eq!([Stage::Allowed, Stage::Signed, Stage::Denied].map(|stage| verified.count(stage)), [160; 3]);
    assert_eq!(verified.head(), log.head());
}
