//! Two ministacks as two Regions with one multi-Region key: one goes away in mid-load and comes back; one is slow.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alloy_primitives::keccak256;
use alloy_signer::Signer;
use conformance::endpoint;
use futures_util::future::join_all;
use kms_signer::{
    Event, KmsClient, KmsSigner, Outcome,
    aws_sdk_kms::{
        Client,
        types::{KeySpec, KeyUsageType},
    },
};
use serde_json::json;

const EAST: &str = "us-east-1";
const WEST: &str = "us-west-2";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `tests/stack.sh stop` or `start` of one component.
async fn stack(verb: &'static str, name: &'static str) {
    let run = move || Command::new(root().join("tests/stack.sh")).args([verb, name]).status().unwrap();
    let status = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(status.success(), "tests/stack.sh {verb} {name}");
}

async fn sdk(region: &str, endpoint: &str) -> Client {
    let builder = KmsClient::builder().region(region).endpoint_url(endpoint).static_credentials("test", "test", None);
    builder.build().await.unwrap().sdk().clone()
}

/// Makes a key and its replica in one ministack, which keeps them when it is stopped, and gives the other a copy.
async fn one_key_in_both() -> String {
    let east = endpoint("KMS_EAST_ENDPOINT");
    let client = sdk(EAST, &east).await;
    let created = client
        .create_key()
        .key_spec(KeySpec::EccSecgP256K1)
        .key_usage(KeyUsageType::SignVerify)
        .multi_region(true)
        .send()
        .await
        .unwrap();
    let arn = created.key_metadata().unwrap().arn().unwrap().to_owned();
    client.replicate_key().key_id(&arn).replica_region(WEST).send().await.unwrap();
    stack("stop", "west").await;
    stack("stop", "east").await;
    let run = root().join("target/stack/run");
    let _ = std::fs::remove_dir_all(run.join("west.state"));
    copy(&run.join("east.state"), &run.join("west.state"));
    stack("start", "east").await;
    stack("start", "west").await;
    arn
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What happened, in order: calls by Region and outcome, and Regions left and answering again.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    calls: BTreeMap<(String, String), u32>,
    changes: Vec<String>,
}

impl Seen {
    fn observe(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        match event {
            Event::Call(call) => {
                let outcome = match call.outcome() {
                    Outcome::Success => "success".to_owned(),
                    other => other.to_string(),
                };
                *log.calls.entry((call.region().unwrap().to_owned(), outcome)).or_default() += 1;
            }
            Event::Region(change) => {
                let verb = if change.left_for().is_some() { "left" } else { "back" };
                log.changes.push(format!("{verb} {}", change.region().unwrap()));
            }
            _ => {}
        }
    }

    fn calls(&self, region: &str) -> u32 {
        self.0.lock().unwrap().calls.get(&(region.to_owned(), "success".to_owned())).copied().unwrap_or_default()
    }

    fn has(&self, change: &str) -> bool {
        self.0.lock().unwrap().changes.iter().any(|seen| seen == change)
    }
}

/// Signs with so many at once until `done`, and checks each signature. The time each took, sorted.
async fn load(signer: &KmsSigner, at_once: u64, done: impl Future<Output = ()>) -> Vec<Duration> {
    let ended = Mutex::new(false);
    let times = Mutex::new(Vec::new());
    let workers = join_all((0..at_once).map(|worker| {
        let (ended, times) = (&ended, &times);
        async move {
            let mut number = worker;
            while !*ended.lock().unwrap() {
                let digest = keccak256(number.to_be_bytes());
                number += at_once;
                let started = Instant::now();
                let signature = signer.sign_hash(&digest).await.expect("no signature fails");
                times.lock().unwrap().push(started.elapsed());
                assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
            }
        }
    }));
    tokio::join!(workers, async {
        done.await;
        *ended.lock().unwrap() = true;
    });
    let mut times = times.into_inner().unwrap();
    times.sort_unstable();
    times
}

fn quantile(times: &[Duration], share: f64) -> Duration {
    times[((times.len() - 1) as f64 * share) as usize]
}

/// One test, in order: the components are shared.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KMS_EAST_ENDPOINT, KMS_EAST_FAULTS_ENDPOINT and KMS_WEST_ENDPOINT, started by tests/stack.sh"]
async fn a_region_goes_away_and_comes_back_and_is_slow() {
    let arn = one_key_in_both().await;
    let west = sdk(WEST, &endpoint("KMS_WEST_ENDPOINT")).await;

    let seen = Seen::default();
    let log = seen.clone();
    let east = sdk(EAST, &endpoint("KMS_EAST_ENDPOINT")).await;
    let client = KmsClient::from(east)
        .with_failover_client(west.clone())
        .with_max_in_flight(16)
        .with_observer(move |event: &Event<'_>| log.observe(event));
    let signer = KmsSigner::new(client, &arn, None).await.unwrap();
    let outage = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stack("stop", "east").await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        stack("start", "east").await;
        let (before, started) = (seen.calls(EAST), Instant::now());
        while seen.calls(EAST) < before + 100 {
            assert!(started.elapsed() < Duration::from_secs(60), "nobody went back to the first Region");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let times = load(&signer, 16, outage).await;
    println!("\none Region stopped in mid-load and started again: {} signatures, none failed", times.len());
    println!("longest {:.0?}, p99 {:.0?}", quantile(&times, 1.0), quantile(&times, 0.99));
    {
        let log = seen.0.lock().unwrap();
        println!("calls {:?}\nchanges {:?}", log.calls, log.changes);
    }
    assert!(seen.has("left us-east-1") && seen.has("back us-east-1"), "events show the switch and the return");
    assert!(seen.calls(WEST) > 100, "the other Region signed meanwhile");

    slow_region(&arn, west).await;
}

/// Two seconds of stall in the first Region, and a hedge after 100 ms.
async fn slow_region(arn: &str, west: Client) {
    let proxy = endpoint("KMS_EAST_FAULTS_ENDPOINT");
    let rules = async |rules: serde_json::Value| {
        let url = format!("{proxy}/_microburst/rules");
        reqwest::Client::new().post(url).json(&rules).send().await.unwrap().error_for_status().unwrap();
    };
    rules(json!([])).await;
    let client = KmsClient::from(sdk(EAST, &proxy).await)
        .with_failover_client(west)
        .with_hedge_after(Duration::from_millis(100));
    let signer = KmsSigner::new(client, arn, None).await.unwrap();
    // The first call through the proxy takes seconds.
    signer.sign_message(b"x").await.unwrap();
    rules(json!([{"service": "kms", "operation": "Sign", "latency": {"min_ms": 2000, "max_ms": 2000}}])).await;
    let times = load(&signer, 16, tokio::time::sleep(Duration::from_secs(10))).await;
    rules(json!([])).await;
    let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
    println!(
        "first Region stalls for 2 s, hedge after 100 ms: {} signatures, p50 {p50:.0?}, p99 {p99:.0?}",
        times.len()
    );
    assert!(p99 <= Duration::from_millis(400), "{p99:?}");
}
