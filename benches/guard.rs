//! What guard and audit cost: the same mixed requests to a bare signer, to a guarded one, and to guarded ones that record.
//!
//! ```text
//! cargo bench --bench guard
//! cargo bench --bench guard -- --requests 10000 --rounds 2 --clients 64
//! ```
//!
//! 30 % of the requests are outside the rules. Those that are spared get the others only: a bare signer, so that all make the same
//! signatures, and a guarded one, to show what a guard costs where nothing is denied. The program fails if a request outside the rules is
//! signed, if another is not, or if an audit file does not verify.
//!
//! The KMS is FakeKms over HTTP on a thread of its own. Processor time is that of the thread on which the signers and their
//! connections run; an audit file's thread is not in it. The signers take turns, in a mixed order.

use std::{
    fs::{self, File},
    io::BufReader,
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_network::TxSigner;
use alloy_primitives::{Address, B256, Signature, TxKind, U256, keccak256};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use clap::{Parser, ValueEnum};
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
    /// How many requests each of them gets.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,

    /// In how many turns. In short ones much of the time goes by until what a signer needs is in the processor's caches again.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// How many of them are under way at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,

    /// Print nothing, and make requests of one signer for valgrind: `guard.sh` counts what `counted` executes.
    #[arg(long, value_name = "WHO", conflicts_with = "rounds")]
    count: Option<Who>,

    /// What `cargo bench` passes on.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Who {
    Bare,
    Spared,
    Guard,
}

fn main() -> Outcome {
    let args = Args::parse();
    if let Some(who) = args.count {
        return count(who, &args);
    }
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
    decisions(&signer)
}

/// The same requests of one signer, with FakeKms in this thread, too.
fn count(who: Who, args: &Args) -> Outcome {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let fake = FakeKms::new();
    let signer = runtime.block_on(KmsSigner::new(fake.client(), fake.create_key()?, None))?;
    let guarded = Guarded::new(signer.clone(), Guard::from_toml(RULES)?);
    let contender = match who {
        Who::Bare => Contender { is_spared: true, ..Contender::new("bare", Arc::new(signer), None)? },
        Who::Spared => Contender { is_spared: true, ..Contender::new("guard", Arc::new(guarded), None)? },
        Who::Guard => Contender::new("guard", Arc::new(guarded), None)?,
    };
    // The key gets its table.
    runtime.block_on(make_requests(&contender, 0..64, 1))?;
    counted(|| runtime.block_on(make_requests(&contender, 64..64 + args.requests, args.clients)))?;
    Ok(())
}

#[inline(never)]
fn counted<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    std::hint::black_box(work())
}

/// A signer, and what its turns took.
struct Contender {
    name: &'static str,
    signer: TransactionSigner,
    /// It is not asked what is outside the rules.
    is_spared: bool,
    audit: Option<PathBuf>,
    turns: Vec<Turn>,
    latencies: Histogram<u64>,
    signed: u64,
    denied: u64,
}

struct Turn {
    signatures: u64,
    wall: Duration,
    cpu: Duration,
}

impl Contender {
    fn new(name: &'static str, signer: TransactionSigner, audit: Option<PathBuf>) -> Outcome<Self> {
        let latencies = Histogram::new(3)?;
        Ok(Self { name, signer, is_spared: false, audit, turns: Vec::new(), latencies, signed: 0, denied: 0 })
    }
}

/// What a client got for its requests.
#[derive(Default)]
struct Gotten {
    signatures: Vec<(Signature, B256, Duration)>,
    denied: u64,
}

fn compare(runtime: &Runtime, signer: &KmsSigner, folder: &Path, args: &Args) -> Outcome<[Contender; 5]> {
    let guarded = || Ok::<_, Error>(Guarded::new(signer.clone(), Guard::from_toml(RULES)?).with_caller("bench"));
    let (fast, safe) = (folder.join("fast.jsonl"), folder.join("safe.jsonl"));
    let unsynced = AuditLog::builder(&fast).fsync(false).open()?;
    let synced = AuditLog::open(&safe)?;
    let mut contenders = [
        Contender { is_spared: true, ..Contender::new("bare", Arc::new(signer.clone()), None)? },
        Contender { is_spared: true, ..Contender::new("guard, spared as well", Arc::new(guarded()?), None)? },
        Contender::new("guard", Arc::new(guarded()?), None)?,
        Contender::new("guard and audit, fsync off", Arc::new(guarded()?.with_recorder(unsynced)), Some(fast))?,
        Contender::new("guard and audit", Arc::new(guarded()?.with_recorder(synced)), Some(safe))?,
    ];
    let each = args.requests.div_ceil(args.rounds);
    // The first turn is not measured: connections are made in it, and the key's table.
    for round in 0..=args.rounds {
        let mut order: Vec<_> = (0u64..).zip(&mut contenders).collect();
        // Mixed, because who follows an audit file's turn finds its disk still busy.
        order.sort_by_key(|(number, _)| keccak256([round.to_be_bytes(), number.to_be_bytes()].concat()));
        for (_, contender) in order {
            take_turn(runtime, contender, round * each..(round + 1) * each, args.clients, round > 0)?;
        }
    }
    for contender in &mut contenders {
        // Ends the audit file, too.
        contender.signer = Arc::new(signer.clone());
        contender.check_audit()?;
    }
    Ok(contenders)
}

fn take_turn(
    runtime: &Runtime,
    contender: &mut Contender,
    numbers: Range<u64>,
    clients: u64,
    is_measured: bool,
) -> Outcome {
    let (cpu, started) = (thread_time()?, Instant::now());
    let gotten = runtime.block_on(make_requests(contender, numbers.clone(), clients))?;
    let (wall, cpu) = (started.elapsed(), thread_time()?.saturating_sub(cpu));

    for (signature, digest, latency) in &gotten.signatures {
        if signature.recover_address_from_prehash(digest)? != contender.signer.address() {
            return Err(format!("{}: the signature of {digest} is another's", contender.name).into());
        }
        if is_measured {
            contender.latencies.record(u64::try_from(latency.as_micros())?)?;
        }
    }
    let within = u64::try_from(numbers.clone().filter(|number| request(*number).1).count())?;
    let signatures = u64::try_from(gotten.signatures.len())?;
    if signatures != within {
        return Err(format!("{}: {signatures} were signed, and {within} are within the rules", contender.name).into());
    }
    contender.signed += signatures;
    contender.denied += gotten.denied;
    if is_measured {
        contender.turns.push(Turn { signatures, wall, cpu });
    }
    Ok(())
}

/// Fails if what is outside the rules is signed, or what is within is not.
async fn make_requests(contender: &Contender, numbers: Range<u64>, clients: u64) -> Outcome<Gotten> {
    let mut tasks = JoinSet::new();
    let step = usize::try_from(clients)?;
    for client in 0..clients {
        let (signer, is_spared) = (contender.signer.clone(), contender.is_spared);
        let numbers = (numbers.start + client..numbers.end).step_by(step);
        tasks.spawn(async move {
            let mut gotten = Gotten::default();
            for (number, (mut transaction, is_within)) in numbers.map(|number| (number, request(number))) {
                if is_spared && !is_within {
                    continue;
                }
                let started = Instant::now();
                match signer.sign_transaction(&mut transaction).await {
                    Ok(signature) if is_within => {
                        gotten.signatures.push((signature, transaction.signature_hash(), started.elapsed()));
                    }
                    Ok(_) => return Err(format!("request {number} is outside the rules and was signed").into()),
                    Err(error) => {
                        let kind = Error::find(&error).map(Error::kind);
                        if is_within || kind != Some(ErrorKind::GuardDenied) {
                            return Err(format!("request {number}: {error}").into());
                        }
                        gotten.denied += 1;
                    }
                }
            }
            Outcome::Ok(gotten)
        });
    }
    let mut all = Gotten::default();
    while let Some(gotten) = tasks.join_next().await {
        let gotten = gotten??;
        all.signatures.extend(gotten.signatures);
        all.denied += gotten.denied;
    }
    Ok(all)
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

impl Contender {
    /// The chain is whole, and has a line for each decision and each signature.
    fn check_audit(&self) -> Outcome {
        let Some(file) = &self.audit else { return Ok(()) };
        let verified = verify(BufReader::new(File::open(file)?))?;
        let counts = [Stage::Allowed, Stage::Signed, Stage::Denied, Stage::Failed].map(|stage| verified.count(stage));
        if counts != [self.signed, self.signed, self.denied, 0] {
            return Err(format!("the audit file has {counts:?}, not {} and {}", self.signed, self.denied).into());
        }
        Ok(())
    }
}

fn report(contenders: &[Contender; 5], args: &Args) {
    let Args { requests, rounds, clients, .. } = args;
    println!("{requests} requests, {clients} at a time, in {rounds} turns; medians of the turns (least–greatest)\n");
    println!("| signer | processor time per signature, µs | to bare, of the same turn | signatures/s | p99, ms |");
    println!("|---|---|---|---|---|");
    let cpu = |turn: &Turn| turn.cpu.as_secs_f64() * 1e6 / turn.signatures as f64;
    let rate = |turn: &Turn| turn.signatures as f64 / turn.wall.as_secs_f64();
    let [bare, ..] = contenders;
    for Contender { name, turns, latencies, .. } in contenders {
        let cpus = spread(turns.iter().map(cpu));
        let ratios = spread(turns.iter().zip(&bare.turns).map(|(turn, bare)| cpu(turn) / cpu(bare)));
        let rates = spread(turns.iter().map(rate));
        let p99 = latencies.value_at_quantile(0.99) as f64 / 1e3;
        println!(
            "| {name} | {:.1} ({:.1}–{:.1}) | {:.3} ({:.2}–{:.2}) | {:.0} | {p99:.1} |",
            cpus.1, cpus.0, cpus.2, ratios.1, ratios.0, ratios.2, rates.1
        );
    }
}

/// The least, the median and the greatest.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<_> = values.collect();
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
    let denied: Vec<_> = (0..DECISIONS).map(request).filter(|(_, is_within)| !*is_within).collect();
    let cpu = thread_time()?;
    for (transaction, _) in &denied {
        if guard.judge(signer.address(), &Asked::Transaction(transaction)).is_ok() {
            return Err("a request outside the rules is allowed".into());
        }
    }
    let denial = (thread_time()? - cpu).as_secs_f64() * 1e6 / denied.len() as f64;
    println!("\nA decision alone, with two limits: {each:.2} µs; a denial: {denial:.2} µs.");
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
