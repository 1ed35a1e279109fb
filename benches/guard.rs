//! What guard and audit cost: the same mixed requests to a bare signer, to a guarded one, and to guarded ones that record.
//!
//! ```text
//! cargo bench --bench guard
//! cargo bench --bench guard -- --rounds 9 --requests 10000 --clients 64
//! ```
//!
//! 30 % of the requests are outside the rules; a bare signer is spared them, so that all make the same signatures. It fails if one of
//! those is signed, if one of the others is not, or if an audit file does not verify.
//!
//! The KMS is FakeKms over HTTP on a thread of its own. Processor time is that of the thread on which the signers and their
//! connections run; an audit file's thread is not in it. In each round every signer does the same work once, and the order turns round from one
//! round to the next.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_network::TxSigner;
use alloy_primitives::{Address, Signature, TxKind, U256};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use clap::Parser;
use hdrhistogram::Histogram;
use kms_signer::{
    Error, ErrorKind, KmsClient, KmsSigner, Stage,
    fake::FakeKms,
    guard::{Asked, AuditLog, Guard, Guarded, audit::verify},
};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::JoinSet,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type TransactionSigner = Arc<dyn TxSigner<Signature> + Send + Sync>;

const RULES: &str = r#"
    [[transactions]]
    name = "payouts"
    chain_ids = [1]
    to = ["0x4242424242424242424242424242424242424242", "0x4343434343434343434343434343434343434343"]
    max_value = "1 ether"
    max_fee_per_gas = "100 gwei"
    max_gas_limit = 21000

    [[limits]]
    name = "a day's"
    window = "24h"
    total = "1000000000 ether"
    per_recipient = "1000000000 ether"
"#;

/// Compare a bare signer, a guarded one, and guarded ones that record.
#[derive(Parser)]
struct Args {
    /// How often each of them does the work.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many requests that are.
    #[arg(long, default_value_t = 10_000)]
    requests: u64,

    /// How many of them are under way at a time.
    #[arg(long, default_value_t = 64)]
    clients: u64,

    /// What `cargo bench` passes on.
    #[arg(long, hide = true)]
    bench: bool,
}

const CONTENDERS: [&str; 4] = ["bare", "guard", "guard and audit, fsync off", "guard and audit"];

struct Sample {
    signatures: u64,
    wall: Duration,
    cpu: Duration,
    p99: Duration,
}

fn main() -> Outcome {
    let args = Args::parse();
    let fake = FakeKms::new();
    let key = fake.create_key()?;
    let address = serve(fake)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let signer = runtime.block_on(async {
        let client = KmsClient::builder()
            .region(key.region())
            .endpoint_url(format!("http://{address}"))
            .static_credentials("bench", "bench", None)
            .build()
            .await?;
        KmsSigner::new(client, &key, None).await
    })?;

    let folder = std::env::temp_dir().join(format!("kms-signer-guard-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = compare(&runtime, &signer, &folder, &args);
    fs::remove_dir_all(&folder)?;
    report(&result?, &args);
    decisions(&signer)?;
    Ok(())
}

fn compare(runtime: &Runtime, signer: &KmsSigner, folder: &Path, args: &Args) -> Outcome<[Vec<Sample>; 4]> {
    let mut samples = [const { Vec::new() }; 4];
    // The first round is not counted: connections are made in it, and the key's table.
    for round in 0..=args.rounds {
        let mut order: Vec<_> = samples.iter_mut().enumerate().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (contender, samples) in order {
            let audit = folder.join(format!("{round}-{contender}.jsonl"));
            let sample = run(runtime, signer, contender, &audit, args)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

fn run(runtime: &Runtime, signer: &KmsSigner, contender: usize, file: &PathBuf, args: &Args) -> Outcome<Sample> {
    let guarded = || Ok::<_, Error>(Guarded::new(signer.clone(), Guard::from_toml(RULES)?).with_caller("bench"));
    let under_test: TransactionSigner = match contender {
        0 => Arc::new(signer.clone()),
        1 => Arc::new(guarded()?),
        2 => Arc::new(guarded()?.with_recorder(AuditLog::builder(file).fsync(false).open()?)),
        _ => Arc::new(guarded()?.with_recorder(AuditLog::open(file)?)),
    };
    let latencies = Arc::new(Mutex::new(Histogram::<u64>::new(3)?));
    let (cpu, started) = (thread_time()?, Instant::now());
    let signatures = runtime.block_on(work(&under_test, contender == 0, &latencies, args))?;
    let (wall, cpu) = (started.elapsed(), thread_time()?.saturating_sub(cpu));
    drop(under_test);
    if contender > 1 {
        check_audit(file, signatures, args.requests - signatures)?;
    }
    let p99 = latencies.lock().unwrap_or_else(PoisonError::into_inner).value_at_quantile(0.99);
    Ok(Sample { signatures, wall, cpu, p99: Duration::from_micros(p99) })
}

/// Makes all requests, and returns how many were signed: all that are within the rules, and no other.
async fn work(
    signer: &TransactionSigner,
    is_bare: bool,
    latencies: &Arc<Mutex<Histogram<u64>>>,
    args: &Args,
) -> Outcome<u64> {
    let mut clients = JoinSet::new();
    for client in 0..args.clients {
        let (signer, latencies, requests, step) = (signer.clone(), latencies.clone(), args.requests, args.clients);
        clients.spawn(async move {
            let mut signed = 0;
            for number in (client..requests).step_by(usize::try_from(step)?) {
                let (mut transaction, is_within) = request(number);
                if is_bare && !is_within {
                    continue;
                }
                let started = Instant::now();
                let result = signer.sign_transaction(&mut transaction).await;
                match result {
                    Ok(signature) if is_within => {
                        let micros = u64::try_from(started.elapsed().as_micros())?;
                        latencies.lock().unwrap_or_else(PoisonError::into_inner).record(micros)?;
                        if signature.recover_address_from_prehash(&transaction.signature_hash())? != signer.address() {
                            return Err(format!("request {number}: the signature is another's").into());
                        }
                        signed += 1;
                    }
                    Ok(_) => return Err(format!("request {number} is outside the rules and was signed").into()),
                    Err(error) => {
                        let kind = Error::find(&error).map(Error::kind);
                        if is_within || kind != Some(ErrorKind::GuardDenied) {
                            return Err(format!("request {number}: {error}").into());
                        }
                    }
                }
            }
            Outcome::Ok(signed)
        });
    }
    let mut signed = 0;
    while let Some(client) = clients.join_next().await {
        signed += client??;
    }
    let within = (0..args.requests).filter(|number| request(*number).1).count();
    if signed != u64::try_from(within)? {
        return Err(format!("{signed} of {within} were signed").into());
    }
    Ok(signed)
}

/// A transaction, and whether it is within the rules: three of ten are not, each for another reason.
fn request(number: u64) -> (TxEip1559, bool) {
    const ETHER: u64 = 1_000_000_000_000_000_000;
    let mut transaction = TxEip1559 {
        chain_id: 1,
        nonce: number,
        gas_limit: 21_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(if number.is_multiple_of(2) { 0x42 } else { 0x43 })),
        value: U256::from(ETHER),
        ..Default::default()
    };
    match number % 10 {
        2 => transaction.value += U256::from(1),
        5 => transaction.to = TxKind::Call(Address::repeat_byte(0x44)),
        8 => transaction.chain_id = 10,
        _ => return (transaction, true),
    }
    (transaction, false)
}

fn check_audit(file: &Path, signed: u64, denied: u64) -> Outcome {
    let verified = verify(std::io::BufReader::new(fs::File::open(file)?))?;
    let counts = [Stage::Allowed, Stage::Signed, Stage::Denied, Stage::Failed].map(|stage| verified.count(stage));
    if counts != [signed, signed, denied, 0] {
        return Err(format!("the audit file has {counts:?}, not {signed} signatures and {denied} denials").into());
    }
    fs::remove_file(file)?;
    Ok(())
}

fn report(samples: &[Vec<Sample>; 4], args: &Args) {
    println!(
        "{} requests, {} at a time; medians of {} rounds (least–greatest)\n",
        args.requests, args.clients, args.rounds
    );
    println!("| signer | processor time per signature, µs | / bare | signatures/s | p99, ms |");
    println!("|---|---|---|---|---|");
    let cpu = |sample: &Sample| sample.cpu.as_secs_f64() * 1e6 / sample.signatures as f64;
    let rate = |sample: &Sample| sample.signatures as f64 / sample.wall.as_secs_f64();
    let p99 = |sample: &Sample| sample.p99.as_secs_f64() * 1e3;
    let bare = samples.first().map(|bare| spread(bare, cpu).1).unwrap_or(f64::NAN);
    for (name, samples) in CONTENDERS.iter().zip(samples) {
        let (least, cpu, most) = spread(samples, cpu);
        let (rate, p99) = (spread(samples, rate).1, spread(samples, p99).1);
        println!("| {name} | {cpu:.1} ({least:.1}–{most:.1}) | {:.3} | {rate:.0} | {p99:.1} |", cpu / bare);
    }
}

/// The least, the median and the greatest.
fn spread(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> (f64, f64, f64) {
    let mut values: Vec<_> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}

/// What a decision alone takes, with its share of the limits held and used.
fn decisions(signer: &KmsSigner) -> Outcome {
    const DECISIONS: u64 = 100_000;
    let guard = Guard::from_toml(RULES)?;
    let transactions: Vec<_> = (0..DECISIONS).map(request).filter(|(_, is_within)| *is_within).collect();
    let cpu = thread_time()?;
    for (transaction, _) in &transactions {
        guard.judge(signer.address(), &Asked::Transaction(transaction))?.used();
    }
    let each = (thread_time()? - cpu).as_secs_f64() * 1e6 / transactions.len() as f64;
    println!("\nA decision alone, with two limits: {each:.2} µs.");
    Ok(())
}

/// The processor time of this thread, from its start.
fn thread_time() -> Outcome<Duration> {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?))
}

/// FakeKms on loopback, until the process ends.
fn serve(fake: FakeKms) -> Outcome<SocketAddr> {
    let (report, reported) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            // The receiver only goes away when the process ends.
            let _ = report.send(listener.local_addr()?);
            axum::serve(listener, Router::new().fallback(answer).with_state(fake)).await
        })
    });
    Ok(reported.recv()?)
}

async fn answer(State(fake): State<FakeKms>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match to_bytes(body, 1024 * 1024).await {
        Ok(bytes) => fake.handle(Request::from_parts(parts, bytes)).await.map(Body::from),
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}
