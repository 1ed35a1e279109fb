//! What observers and recorders are told, and what a recorder that fails brings about.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip4844};
use alloy_dyn_abi::TypedData;
use alloy_network::TxSigner;
use alloy_primitives::{Address, B256, TxKind, U256, eip191_hash_message};
use alloy_signer::Signer;
use alloy_sol_types::{Eip712Domain, SolStruct, sol};
use async_trait::async_trait;
use kms_signer::{
    ErrorKind, Event, KmsSigner, Stage,
    fake::{FakeKms, Fault},
    guard::{Guard, Guarded, Record, Recorder},
};
use serde_json::{Value, json};

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
    assert_eq!(watched.stages(), [Stage::Unrecorded, Stage::Failed]);
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

/// Two guards around one signer, each with a recorder of its own.
#[tokio::test]
async fn a_guard_around_a_guard_hears_as_much() {
    let inner = watched(None).await;
    let outer = Memory { fake: inner.fake.clone(), fails_at: None, records: Arc::default() };
    let guard = Guard::from_toml(RULES).unwrap();
    let signer = Guarded::new(inner.signer.clone(), guard).with_recorder(outer.clone());
    signer.sign_message(b"hello").await.unwrap();
    let outer: Vec<_> = outer.records.lock().unwrap().iter().map(|(record, _)| record.clone()).collect();
    let inner = inner.records();
    assert!(inner[1]["request_id"].is_string() && inner[1]["key"].is_string());
    assert_eq!(outer[1]["request_id"], inner[1]["request_id"]);
    assert_eq!(outer[1]["key"], inner[1]["key"]);
}

#[tokio::test]
async fn a_transaction_for_another_chain_than_the_signers_is_a_denial() {
    let watched = watched(None).await;
    let mut signer = watched.signer.clone();
    signer.set_chain_id(Some(5));
    signer.sign_transaction(&mut payment()).await.unwrap_err();
    let records = watched.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["stage"], "denied");
    assert_eq!(records[0]["asked"]["chain_id"], 1);
    assert_eq!(watched.stages(), [Stage::Denied]);
}

#[tokio::test]
async fn what_may_have_been_signed_is_recorded_as_that_and_counted() {
    let (fake, signer) = signer_with(|client| client.with_max_attempts(1)).await;
    let memory = Memory { fake: fake.clone(), fails_at: None, records: Arc::default() };
    let limit = "[[limits]]\nname = 'l'\nwindow = '1h'\ntotal = 42100";
    let guard = Guard::from_toml(&format!("{RULES}{limit}")).unwrap();
    let signer = Guarded::new(signer, guard).with_recorder(memory.clone());
    fake.inject(Fault::truncated_body().on("Sign"));
    let error = signer.sign_transaction(&mut payment()).await.unwrap_err();
    assert!(ours(&error).may_have_signed(), "{error}");
    let failed = memory.records.lock().unwrap()[1].0.clone();
    assert_eq!((&failed["stage"], &failed["may_have_signed"]), (&Value::from("failed"), &Value::from(true)));
    let error = signer.sign_transaction(&mut TxEip1559 { nonce: 8, ..payment() }).await.unwrap_err();
    assert_eq!(ours(&error).rule(), Some("l"));
    // Again with the same nonce counts once.
    signer.sign_transaction(&mut payment()).await.unwrap();
}

#[tokio::test]
async fn no_caller_can_make_a_record_long() {
    let watched = watched(None).await;
    let long = "n".repeat(2 << 20);
    let data: TypedData = serde_json::from_value(json!({
        "domain": { "name": long, "version": long },
        "types": { "EIP712Domain": [] },
        "primaryType": long,
        "message": {},
    }))
    .unwrap();
    assert_kind(&watched.signer.sign_dynamic_typed_data(&data).await.unwrap_err(), ErrorKind::GuardDenied);
    let hashes = vec![B256::ZERO; 100_000];
    let mut blobs = TxEip4844 { chain_id: 1, blob_versioned_hashes: hashes, ..Default::default() };
    watched.signer.sign_transaction(&mut blobs).await.unwrap_err();
    let records = watched.records();
    assert_eq!(records.len(), 2);
    for record in &records {
        assert!(record.to_string().len() < 5000, "{}", record.to_string().len());
    }
    assert_eq!(records[0]["asked"]["domain_name"]["length"], 2 << 20);
    assert_eq!(records[1]["asked"]["blobs"], 100_000);
}

#[tokio::test]
async fn typed_data_is_recorded_as_it_is_hashed() {
    let watched = watched(None).await;
    let rules = "[[typed_data]]\nname = 't'\ndomain_names = 'any'\ndomain_versions = 'any'\nchain_ids = 'any'\nverifying_contracts = 'any'\nprimary_types = ['Mail']";
    let (_fake, signer) = fake_and_signer().await;
    let signer = Guarded::new(signer, Guard::from_toml(rules).unwrap()).with_recorder(watched.memory.clone());
    let data: TypedData = serde_json::from_value(json!({
        "domain": { "name": "Mail" },
        "types": {
            "EIP712Domain": [{ "name": "name", "type": "string" }],
            "Mail": [{ "name": "to", "type": "Person[]" }, { "name": "text", "type": "string" }],
            "Person": [{ "name": "name", "type": "string" }],
        },
        "primaryType": "Mail",
        "message": {
            "to": [{ "name": "Bob", "note": "not hashed" }], "text": "hello", "Text": "not hashed either",
        },
    }))
    .unwrap();
    signer.sign_dynamic_typed_data(&data).await.unwrap();
    let asked = watched.records()[0]["asked"].clone();
    assert_eq!(asked["type"], "Mail(Person[] to,string text)Person(string name)");
    assert_eq!(asked["message"], json!({ "to": [{ "name": "Bob" }], "text": "hello" }));
    assert_eq!(watched.records()[0]["digest"], data.eip712_signing_hash().unwrap().to_string());

    sol! {
        struct Mail {
            string text;
        }
    }
    let mail = Mail { text: "hello".to_owned() };
    let domain = Eip712Domain { name: Some("Mail".into()), ..Default::default() };
    signer.sign_typed_data(&mail, &domain).await.unwrap();
    let asked = watched.records()[2]["asked"].clone();
    assert_eq!(asked["type"], "Mail(string text)");
    assert_eq!(asked["data"], alloy_primitives::hex::encode_prefixed(mail.eip712_encode_data()));
}

#[tokio::test]
async fn concurrent_signatures_do_not_mix_their_request_ids() {
    let watched = watched(None).await;
    // Every second request is refused; those that are tell their request id in their error.
    watched.fake.set_latency(std::time::Duration::from_millis(5));
    watched.fake.inject(Fault::error("DisabledException", 400, "disabled").times(16));
    let all = (0..32).map(|n| {
        let signer = watched.signer.clone();
        tokio::spawn(async move {
            let message = format!("message {n}");
            let result = signer.sign_message(message.as_bytes()).await;
            (
                eip191_hash_message(message).to_string(),
                result.err().and_then(|error| ours(&error).request_id().map(str::to_owned)),
            )
        })
    });
    let results: Vec<_> = futures_util::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
    let records = watched.records();
    let failed: Vec<_> = results.iter().filter_map(|(digest, id)| Some((digest, id.as_ref()?))).collect();
    assert_eq!(failed.len(), 16);
    for (digest, id) in failed {
        let record = records.iter().find(|record| record["stage"] == "failed" && record["digest"] == **digest).unwrap();
        assert_eq!(record["request_id"], **id);
    }
    let mut ids: Vec<_> = records.iter().filter_map(|record| record["request_id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 32);
}
