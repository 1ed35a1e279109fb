//! The package `remote-signer` as a program: clients that know nothing of it, a real node, load, and `kill -9` in the middle of it.
//! `cargo build -p remote-signer` builds it.

#[path = "remote_signer/client.rs"]
mod client;
#[path = "remote_signer/program.rs"]
mod program;

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufReader,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use alloy_network::TransactionBuilder;
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{Provider, ProviderBuilder};
use alloy_rpc_types_eth::TransactionRequest;
use client::{Asked, Client};
use conformance::{PATIENCE, behaviours::ACCOUNT_0, bounded, endpoint, import::import, target::Target};
use futures_util::future::join_all;
use kms_signer::{
    Stage,
    guard::audit::{Verified, verify},
};
use program::{Folder, Kms, Program, config};
use serde_json::Value;

const TO: Address = Address::repeat_byte(0x42);

fn transfer(from: Address, wei: u128) -> TransactionRequest {
    TransactionRequest::default().with_from(from).with_to(TO).with_value(U256::from(wei))
}

fn verified(path: &Path) -> Verified {
    verify(BufReader::new(File::open(path).unwrap())).unwrap()
}

/// The digests of what was signed. The last line may be a part of one.
fn signed(path: &Path) -> BTreeSet<B256> {
    let text = std::fs::read_to_string(path).unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["stage"] == "signed")
        .map(|line| serde_json::from_value(line["digest"].clone()).unwrap())
        .collect()
}

#[tokio::test]
#[ignore = "needs ETH_RPC_URL, started by tests/stack.sh"]
async fn a_provider_sends_through_the_demo() {
    bounded(send_through_the_demo()).await;
}

async fn send_through_the_demo() {
    let folder = Folder::new("demo");
    let audit = folder.path("audit.jsonl");
    let node = endpoint("ETH_RPC_URL");
    let mut program =
        Program::start("http://127.0.0.1:1", &["--demo", "--upstream", &node, "--audit", audit.to_str().unwrap()]);
    let provider = ProviderBuilder::new().disable_recommended_fillers().connect_http(program.url.parse().unwrap());
    let from = provider.get_accounts().await.unwrap()[0];

    let ether = 10_u128.pow(18);
    let receipt = provider.send_transaction(transfer(from, ether / 100)).await.unwrap().get_receipt().await.unwrap();
    assert!(receipt.status() && receipt.from == from);
    println!("mined: {}", receipt.transaction_hash);
    let denied = provider.send_transaction(transfer(from, ether / 2)).await.unwrap_err();
    let denied = denied.as_error_resp().unwrap();
    println!("denied: {} {}", denied.code, denied.message);
    assert_eq!(denied.code, -32003);
    assert!(denied.message.contains("value 0.5 ether is above max_value, 0.1 ether"), "{}", denied.message);

    // Ten at once, with nonces of their own, up to the ether an hour that the rules allow.
    let sends = join_all((0..10).map(|_| provider.send_transaction(transfer(from, ether / 10)))).await;
    let (sent, refused): (Vec<_>, Vec<_>) = sends.into_iter().partition(Result::is_ok);
    assert_eq!((sent.len(), refused.len()), (9, 1));
    for pending in sent {
        assert!(pending.unwrap().get_receipt().await.unwrap().status());
    }
    let refused = refused.into_iter().next().unwrap().unwrap_err().to_string();
    assert!(refused.contains("an ether an hour"), "{refused}");
    assert_eq!(provider.get_transaction_count(from).await.unwrap(), 10);

    assert_eq!(program.signal("TERM").code(), Some(0));
    let verified = verified(&audit);
    assert_eq!((verified.count(Stage::Signed), verified.count(Stage::Denied)), (10, 2));
}

#[tokio::test]
#[ignore = "needs ETH_RPC_URL and CAST, started and installed by tests/stack.sh"]
async fn a_command_line_wallet_sends_through_the_demo() {
    let (folder, node) = (Folder::new("cast"), endpoint("ETH_RPC_URL"));
    let audit = folder.path("audit.jsonl");
    let arguments = ["--demo", "--upstream", &node, "--audit", audit.to_str().unwrap()];
    let program = Program::start("http://127.0.0.1:1", &arguments);
    let from = program.address.clone().unwrap();
    let send = |value: &str| {
        let mut cast = Command::new(endpoint("CAST"));
        cast.env_clear().args([
            "send",
            "--json",
            "--timeout",
            "60",
            "--unlocked",
            "--from",
            &from,
            "--rpc-url",
            &program.url,
            "--value",
            value,
        ]);
        cast.arg(TO.to_string()).output().unwrap()
    };
    let sent = send("0.01ether");
    assert!(sent.status.success(), "{sent:?}");
    let receipt: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!((&receipt["status"], receipt["from"].as_str()), (&"0x1".into(), Some(&*from.to_lowercase())));
    let denied = send("0.5ether");
    let text = String::from_utf8(denied.stderr).unwrap();
    assert!(!denied.status.success() && text.contains("value 0.5 ether is above max_value, 0.1 ether"), "{text}");
}

/// The key of a wallet that exists, in KMS: a client goes on as before, with another URL.
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn a_key_of_an_emulator_signs_for_two_callers() {
    let kms = endpoint("KMS_ENDPOINT");
    let target = Target::ministack(&kms).await;
    let arn = import(&target, &ACCOUNT_0.0).await;
    let folder = Folder::new("config");
    let node = format!("upstream = \"{}\"", endpoint("ETH_RPC_URL"));
    let config = config(&folder, &arn, &node, true);
    let mut program = Program::start(&kms, &["--config", config.to_str().unwrap()]);
    for (token, message, ok) in [("one", "hello", true), ("two", "hello", false), ("two", "two", true)] {
        let answer = Client::new(&program.url, token).ask(ACCOUNT_0.1, &Asked::Message(message.to_owned())).await;
        assert_eq!(answer.is_ok(), ok, "{token} {message} {answer:?}");
    }
    assert_eq!(Client::new(&program.url, "three").status().await, 401);

    let url = program.url.replace("http://", "http://one:one@");
    let provider = ProviderBuilder::new().disable_recommended_fillers().connect_http(url.parse().unwrap());
    let sending = async { provider.send_transaction(transfer(ACCOUNT_0.1, 1)).await.unwrap().get_receipt().await };
    let receipt = bounded(sending).await.unwrap();
    assert!(receipt.status() && receipt.from == ACCOUNT_0.1);
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let get = async |path: &str| http.get(format!("{}{path}", program.url)).send().await.unwrap();
    let ready = get("/readyz").await;
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
    let metrics = get("/metrics").await.text().await.unwrap();
    for line in [
        r#"remote_signer_calls_total{method="eth_sendTransaction",outcome="success"} 1"#,
        r#"remote_signer_refused_total{status="401"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("kms_signer_"), "{metrics}");
    assert_eq!(program.signal("INT").code(), Some(0));
}

/// A limit's window outlives the process.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_counts_after_a_restart() {
    let kms = Kms::start().await;
    let folder = Folder::new("spent");
    let config = config(&folder, &kms.key, "", true);
    for start in 0..2 {
        let mut program = Program::start(&kms.url, &["--config", config.to_str().unwrap()]);
        let client = Client::new(&program.url, "one");
        let from = client.account().await;
        // Together they are more than the thousand ether of the limit.
        let outcome = client.ask(from, &Asked::Transaction { nonce: start, ether: 600 }).await;
        match start {
            0 => assert!(outcome.is_ok(), "{outcome:?}"),
            _ => assert!(outcome.unwrap_err().1.contains("a day"), "the limit"),
        }
        assert!(program.signal("TERM").success());
    }
}

struct Load {
    signed: usize,
    denied: usize,
    took: Duration,
    p99: Duration,
}

/// From 64 clients, every request and its signature checked. 30 % are outside the rules.
async fn load(program: &Program, requests: usize) -> Load {
    const CLIENTS: usize = 64;
    let from = Client::new(&program.url, "one").account().await;
    let times = Mutex::new(Vec::with_capacity(requests));
    let begun = Instant::now();
    let counts = join_all((0..CLIENTS).map(|place| {
        let (client, times) = (Client::new(&program.url, "one"), &times);
        async move {
            let (mut signed, mut denied) = (0, 0);
            for number in (place..requests).step_by(CLIENTS) {
                let asked = Asked::of(number);
                let begun = Instant::now();
                let answer = client.ask(from, &asked).await;
                times.lock().unwrap().push(begun.elapsed());
                match answer {
                    Ok(_) if number % 10 >= 3 => signed += 1,
                    Err((-32003 | 4100, _)) if number % 10 < 3 => denied += 1,
                    other => panic!("{number}: {asked:?}: {other:?}"),
                }
            }
            (signed, denied)
        }
    }))
    .await;
    let took = begun.elapsed();
    let mut times = times.into_inner().unwrap();
    times.sort();
    let (signed, denied) = counts.into_iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    Load { signed, denied, took, p99: times[times.len() * 99 / 100] }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_of_which_three_in_ten_are_denied() {
    let kms = Kms::start().await;
    // The first is for comparison.
    for (audited, requests) in [(false, 2_000), (true, 10_000)] {
        let folder = Folder::new(if audited { "audited" } else { "unaudited" });
        let config = config(&folder, &kms.key, "", audited);
        let mut program = Program::start(&kms.url, &["--config", config.to_str().unwrap()]);
        let before = kms.signatures();
        let Load { signed, denied, took, p99 } = load(&program, requests).await;
        let rate = requests as f64 / took.as_secs_f64();
        println!("audit {audited}: {requests} requests in {took:.1?}, {rate:.0} a second, p99 {p99:.1?}");
        assert_eq!((signed, denied), (requests * 7 / 10, requests * 3 / 10));
        assert_eq!(kms.signatures() - before, signed, "none but those allowed came to KMS");
        assert_eq!(program.signal("TERM").code(), Some(0));
        if audited {
            let verified = verified(&folder.path("audit.jsonl"));
            assert_eq!(verified.count(Stage::Signed), signed as u64);
            assert_eq!(verified.count(Stage::Allowed), signed as u64);
            assert_eq!((verified.count(Stage::Denied), verified.partial_bytes()), (denied as u64, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signature_outlives_a_kill_in_the_audit_file() {
    let kms = Kms::start().await;
    let folder = Folder::new("killed");
    let audit = folder.path("audit.jsonl");
    let config = config(&folder, &kms.key, "", true);
    let returned = Mutex::new(BTreeSet::new());
    for round in 0..3 {
        let mut program = Program::start(&kms.url, &["--config", config.to_str().unwrap()]);
        let from = Client::new(&program.url, "one").account().await;
        let killed = AtomicBool::new(false);
        let clients = join_all((0..32).map(|place| {
            let (client, returned, killed) = (Client::new(&program.url, "one"), &returned, &killed);
            async move {
                for number in 0.. {
                    // Nothing is sent to a process that is dead: a request that hyper takes in the moment in which its
                    // connection ends may never be told of that (hyperium/hyper#4122).
                    if killed.load(SeqCst) {
                        return;
                    }
                    let text = format!("hello {round} {place} {number}");
                    match client.try_ask(from, &Asked::Message(text)).await {
                        Ok(answer) => returned.lock().unwrap().insert(answer.unwrap()),
                        Err(_) if killed.load(SeqCst) => return,
                        Err(error) => panic!("round {round}, client {place}: no answer to {number}: {error:?}"),
                    };
                }
            }
        }));
        let kill = async {
            let begun = Instant::now();
            while returned.lock().unwrap().len() < 200 * (round + 1) {
                assert!(begun.elapsed() < PATIENCE, "round {round}: {} returned", returned.lock().unwrap().len());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            killed.store(true, SeqCst);
            program.signal("KILL");
        };
        tokio::join!(clients, kill);
        let (verified, signed) = (verified(&audit), signed(&audit));
        let returned = returned.lock().unwrap();
        println!("{} returned, {} recorded, {} bytes cut", returned.len(), signed.len(), verified.partial_bytes());
        assert!(returned.is_subset(&signed));
        assert_eq!(verified.opened(), round as u64 + 1);
    }
    // And it goes on.
    let mut program = Program::start(&kms.url, &["--config", config.to_str().unwrap()]);
    let client = Client::new(&program.url, "one");
    client.ask(client.account().await, &Asked::Message("hello again".to_owned())).await.unwrap();
    assert!(program.signal("TERM").success());
    assert_eq!(verified(&audit).partial_bytes(), 0);
}
