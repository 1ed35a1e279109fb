//! What observers and recorders are told, and what a recorder that fails brings about.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_network::TxSigner;
use alloy_primitives::{Address, B256, TxKind, U256, eip191_hash_message};
use alloy_signer::Signer;
use async_trait::async_trait;
use kms_signer::{
    ErrorKind, Event, KmsSigner, Stage,
    fake::{FakeKms, Fault},
    guard::{Guard, Guarded, Record, Recorder},
};
use serde_json::Value;

use crate::{assert_kind, fake_and_signer, ours, signer_with};

const RULES: &str = r#"
    [[transactions]]
    name = "pay"
    chain_ids = [1]
    to = "any"
    calls = "any"
    max_value = 100
    max_fee_per_gas = 2
    max_gas_limit = 100000

    [[messages]]
    name = "short"
    any = true
    max_length = 10000
"#;

/// Keeps records as JSON, fails from a record on, and knows how many requests KMS had been sent with each.
#[derive(Clone)]
struct Memory {
    fake: FakeKms,
    fails_at: Option<usize>,
    records: Arc<Mutex<Vec<(Value, usize)>>>,
}

#[async_trait]
impl Recorder for Memory {
    async fn record(&self, record: &Record<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut records = self.records.lock().unwrap();
        if self.fails_at.is_some_and(|at| records.len() >= at) {
            return Err("no room left".into());
        }
        records.push((serde_json::to_value(record).unwrap(), self.fake.requests().len()));
        Ok(())
    }
}

/// What an observer saw: stage, id, rule, reason, key, request id.
type Seen = Arc<Mutex<Vec<(Stage, u64, Option<String>, Option<String>, Option<String>, Option<String>)>>>;

struct Watched {
    fake: FakeKms,
    signer: Guarded<KmsSigner>,
    memory: Memory,
    seen: Seen,
    /// The request ids of the client's calls.
    request_ids: Arc<Mutex<Vec<String>>>,
}

async fn watched(fails_at: Option<usize>) -> Watched {
    let request_ids = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&request_ids);
    let (fake, signer) = signer_with(|client| {
        client.with_observer(move |event: &Event<'_>| {
            let Event::Call(call) = event else { return };
            told.lock().unwrap().extend(call.request_id().map(str::to_owned));
        })
    })
    .await;
    let memory = Memory { fake: fake.clone(), fails_at, records: Arc::default() };
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    let observer = move |event: &Event<'_>| {
        let Event::Guard(event) = event else { return };
        assert_eq!(event.caller(), Some("relayer"));
        let own = |text: Option<&str>| text.map(str::to_owned);
        let (rule, reason) = (own(event.rule()), own(event.reason()));
        told.lock().unwrap().push((event.stage(), event.id(), rule, reason, own(event.key()), own(event.request_id())));
    };
    let signer = Guarded::new(signer, Guard::from_toml(RULES).unwrap())
        .with_caller("relayer")
        .with_observer(observer)
        .with_recorder(memory.clone());
    Watched { fake, signer, memory, seen, request_ids }
}

impl Watched {
    fn records(&self) -> Vec<Value> {
        self.memory.records.lock().unwrap().iter().map(|(record, _)| record.clone()).collect()
    }

    fn stages(&self) -> Vec<Stage> {
        self.seen.lock().unwrap().iter().map(|seen| seen.0).collect()
    }
}

fn payment() -> TxEip1559 {
    TxEip1559 {
        chain_id: 1,
        nonce: 7,
        gas_limit: 21_000,
        max_fee_per_gas: 2,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(0x42)),
        value: U256::from(100),
        input: vec![1, 2, 3, 4, 5].into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_signature_is_recorded_before_it_is_asked_for_and_before_it_is_returned() {
    let watched = watched(None).await;
    let before = watched.fake.requests().len();
    let mut transaction = payment();
    watched.signer.sign_transaction(&mut transaction).await.unwrap();

    let records = watched.records();
    let [allowed, signed] = &records[..] else { panic!("{records:?}") };
    let requests: Vec<_> = watched.memory.records.lock().unwrap().iter().map(|(_, requests)| *requests).collect();
    assert_eq!(requests, [before, before + 1]);

    assert_eq!(allowed["stage"], "allowed");
    assert_eq!(allowed["caller"], "relayer");
    assert_eq!(allowed["rule"], "pay");
    assert_eq!(allowed["signer"], Signer::address(&watched.signer).to_string());
    assert_eq!(allowed["digest"], transaction.signature_hash().to_string());
    let asked = serde_json::json!({
        "kind": "transaction", "type": "eip1559", "chain_id": 1, "nonce": 7, "value": "100", "gas_limit": 21000,
        "to": "0x4242424242424242424242424242424242424242", "max_fee_per_gas": "2", "max_priority_fee_per_gas": "1",
        "input": "0x0102030405",
    });
    assert_eq!(allowed["asked"], asked);
    let spending = serde_json::json!({
        "chain_id": 1, "nonce": 7, "to": "0x4242424242424242424242424242424242424242", "wei": "42100",
    });
    assert_eq!(allowed["spending"], spending);

    assert_eq!(signed["stage"], "signed");
    assert_eq!(signed["id"], allowed["id"]);
    assert_eq!(signed["digest"], allowed["digest"]);
    assert!(signed["key"].as_str().unwrap().starts_with("arn:aws:kms:"), "{signed}");
    let request_id = watched.request_ids.lock().unwrap().last().unwrap().clone();
    assert_eq!(signed["request_id"], request_id);
    assert!(signed.get("asked").is_none() && signed.get("spending").is_none());

    let seen = watched.seen.lock().unwrap();
    assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), [Stage::Allowed, Stage::Signed]);
    assert_eq!(seen[0].1, seen[1].1);
    assert_eq!(seen[1].5.as_deref(), Some(&*request_id));
}

#[tokio::test]
async fn a_denial_is_recorded_with_what_was_asked_and_why() {
    let watched = watched(None).await;
    let signer = watched.signer.clone().with_key("arn:aws:kms:us-east-1:111122223333:key/1");
    let error = signer.sign_transaction(&mut TxEip1559 { value: U256::from(101), ..payment() }).await.unwrap_err();
    let records = watched.records();
    let [denied] = &records[..] else { panic!("{records:?}") };
    assert_eq!(denied["stage"], "denied");
    assert_eq!(denied["key"], "arn:aws:kms:us-east-1:111122223333:key/1");
    assert_eq!(denied["rule"], "pay");
    assert_eq!(denied["reason"], ours(&error).to_string());
    assert_eq!(denied["asked"]["value"], "101");
    assert!(denied.get("spending").is_none());
    assert_eq!(watched.stages(), [Stage::Denied]);
}

#[tokio::test]
async fn a_failure_is_recorded_with_its_reason_and_request_id() {
    let watched = watched(None).await;
    watched.fake.inject(Fault::error("DisabledException", 400, "the key is disabled"));
    let error = watched.signer.sign_message(b"hello").await.unwrap_err();
    let records = watched.records();
    let [allowed, failed] = &records[..] else { panic!("{records:?}") };
    assert_eq!(allowed["asked"], serde_json::json!({ "kind": "message", "text": "hello" }));
    assert_eq!(failed["stage"], "failed");
    assert_eq!(failed["digest"], eip191_hash_message("hello").to_string());
    assert_eq!(failed["request_id"].as_str(), ours(&error).request_id());
    assert!(failed["reason"].as_str().unwrap().contains("the key is disabled"), "{failed}");
    assert_eq!(watched.stages(), [Stage::Allowed, Stage::Failed]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_signed() {
    let watched = watched(Some(0)).await;
    let before = watched.fake.requests().len();
    let error = watched.signer.sign_message(b"hello").await.unwrap_err();
    assert_kind(&error, ErrorKind::Unrecorded);
    assert!(error.to_string().starts_with("recording: no room left; nothing is signed"), "{error}");
    assert_eq!(watched.fake.requests().len(), before);
    assert_eq!(watched.stages(), [Stage::Unrecorded]);
}

#[tokio::test]
async fn a_signature_that_cannot_be_recorded_is_not_returned() {
    let watched = watched(Some(1)).await;
    let error = watched.signer.sign_message(b"hello").await.unwrap_err();
    assert_kind(&error, ErrorKind::Unrecorded);
    assert!(ours(&error).may_have_signed());
    assert_eq!(watched.stages(), [Stage::Allowed, Stage::Unrecorded, Stage::Failed]);
}

#[tokio::test]
async fn a_denial_that_cannot_be_recorded_is_still_a_denial() {
    let watched = watched(Some(0)).await;
    let error = watched.signer.sign_hash(&B256::ZERO).await.unwrap_err();
    assert_kind(&error, ErrorKind::GuardDenied);
    assert_eq!(watched.stages(), [Stage::Unrecorded, Stage::Denied]);
}

#[tokio::test]
async fn whoever_says_so_signs_unrecorded() {
    let watched = watched(Some(0)).await;
    watched.signer.clone().allow_unrecorded().sign_message(b"hello").await.unwrap();
    assert_eq!(watched.stages(), [Stage::Unrecorded, Stage::Allowed, Stage::Unrecorded, Stage::Signed]);
}

#[tokio::test]
async fn an_observer_is_told_of_a_call_that_is_no_longer_waited_for() {
    let watched = watched(None).await;
    watched.fake.inject(Fault::stall());
    let waiting = watched.signer.sign_message(b"hello");
    tokio::time::timeout(std::time::Duration::from_millis(50), waiting).await.unwrap_err();
    assert_eq!(watched.stages(), [Stage::Allowed, Stage::Failed]);
}

#[tokio::test]
async fn an_observer_that_panics_loses_no_signature() {
    let (_fake, signer) = fake_and_signer().await;
    let guard = Guard::from_toml(RULES).unwrap();
    let signer = Guarded::new(signer, guard).with_observer(|_: &Event<'_>| panic!("observer"));
    signer.sign_message(b"hello").await.unwrap();
}

#[tokio::test]
async fn what_is_long_or_no_text_is_recorded_by_its_hash_or_bytes() {
    let watched = watched(None).await;
    watched.signer.sign_message(&[0xff, 0]).await.unwrap();
    let long = "x".repeat(5000);
    watched.signer.sign_message(long.as_bytes()).await.unwrap();
    let records = watched.records();
    assert_eq!(records[0]["asked"]["bytes"], "0xff00");
    assert_eq!(records[2]["asked"]["text"]["length"], 5000);
    assert_eq!(records[2]["asked"]["text"]["keccak256"], alloy_primitives::keccak256(&long).to_string());
}

#[tokio::test]
async fn concurrent_signatures_do_not_mix_their_request_ids() {
    let watched = watched(None).await;
    let all = (0..32).map(|n| {
        let signer = watched.signer.clone();
        tokio::spawn(async move { signer.sign_message(format!("message {n}").as_bytes()).await.unwrap() })
    });
    futures_util::future::join_all(all).await;
    let mut ids: Vec<_> =
        watched.records().iter().filter_map(|record| record["request_id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 32);
}
