//! Signs for a long time, among faults, and checks every signature anew: none may be wrong, and memory must stay flat.
//!
//! ```text
//! cargo run --release --example soak                        # 10 s on a KMS in this process that answers wrongly at times
//! cargo run --release --example soak -- --signatures 1000000 --in-flight 200
//! cargo run --release --example soak -- --key-id alias/…    # your own key, no faults; AWS charges for each signature
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "support/faults.rs"]
mod faults;
#[path = "support/key.rs"]
mod key;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Signature, keccak256};
use alloy_signer::Signer;
use clap::Parser;
use cli::Outcome;
use faults::Faults;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use key::KeyArgs;
use kms_signer::{Error, ErrorKind, KeyRef, KmsClient, KmsSigner, fake::FakeKms};
use tokio::task::JoinSet;

/// Short, so that a request without an answer does not hold up the run.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_ATTEMPTS: u32 = 4;

/// Without --seconds and --signatures.
const DEFAULT_TIME: Duration = Duration::from_secs(10);
/// By then pools and buffers have the size they keep.
const WARM_UP: u64 = 1_000;
const REFRESH: Duration = Duration::from_millis(200);

/// Sign for a long time, among faults, and check every signature. Ctrl-C ends it early.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// For how long. The default is 10, or without end if --signatures is given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,

    /// How many signatures to ask for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    signatures: Option<u64>,

    /// How many are under way at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,

    /// The share of requests answered wrongly: another key's signature, a flipped bit, half a body and so on. Not with --key-id.
    #[arg(long, value_name = "RATE", default_value_t = 0.05, value_parser = rate)]
    adversarial: f64,

    /// The share of requests that fail as networks and services do: resets, 5xx, silence, and seldom throttling. Not with --key-id.
    #[arg(long, value_name = "RATE", default_value_t = 0.02, value_parser = rate)]
    transient: f64,
}

/// A run under way. Nothing in it grows with the number of signatures.
struct Soak {
    signer: KmsSigner,
    faults: Option<Faults>,
    begun: Instant,
    time: Option<Duration>,
    signatures: Option<u64>,
    asked: AtomicU64,
    stopped: AtomicBool,
    tally: Mutex<Tally>,
}

struct Tally {
    signed: u64,
    wrong: u64,
    /// What was wrong with the first one.
    first_wrong: Option<String>,
    failed: u64,
    may_have_signed: u64,
    errors: BTreeMap<ErrorKind, u64>,
    /// In microseconds, errors included.
    latency: Histogram<u64>,
    memory_at_start: Option<Memory>,
    memory_half_way: Option<Memory>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let (client, key, kms) = connect(&args.key).await?;
    let client = client
        .with_operation_timeout(OPERATION_TIMEOUT)
        .with_attempt_timeout(ATTEMPT_TIMEOUT)
        .with_max_attempts(MAX_ATTEMPTS)
        .with_max_in_flight(args.in_flight);
    let signer = KmsSigner::builder(client, key).connect().await?;
    let faults = kms.map(|kms| Faults::new(kms, args.adversarial, args.transient));
    if let Some(faults) = &faults {
        faults.fill_log(signer.key().as_ref()).await;
    }
    println!("key         {}", signer.key());
    println!("address     {}", signer.address());
    println!(
        "client      operation timeout {OPERATION_TIMEOUT:?}, attempt timeout {ATTEMPT_TIMEOUT:?}, max attempts {MAX_ATTEMPTS}, max in flight {}",
        args.in_flight
    );
    match faults {
        Some(_) => println!(
            "faults      of the requests {} are answered wrongly, {} fail for the moment",
            args.adversarial, args.transient
        ),
        None => println!("faults      none: they can only be injected into the KMS of this process"),
    }

    let unbounded = args.seconds.is_none() && args.signatures.is_none();
    let time = args.seconds.map(Duration::from_secs).or(unbounded.then_some(DEFAULT_TIME));
    let soak = Arc::new(Soak::new(signer, faults, time, args.signatures)?);
    soak.to_its_end(args.in_flight).await?;
    soak.print();
    soak.verdict()
}

/// The client, the key, and the KMS if it is one of this process.
async fn connect(args: &KeyArgs) -> kms_signer::Result<(KmsClient, KeyRef, Option<FakeKms>)> {
    if args.key_id.is_some() {
        let signer = args.connect().await?;
        return Ok((signer.client().clone(), signer.key().clone(), None));
    }
    eprintln!("No --key-id and no KMS_KEY_ID: a KMS in this process with a new key is used");
    let kms = FakeKms::new();
    Ok((KmsClient::from(kms.client()), kms.create_key()?.into(), Some(kms)))
}

impl Soak {
    fn new(
        signer: KmsSigner,
        faults: Option<Faults>,
        time: Option<Duration>,
        signatures: Option<u64>,
    ) -> Outcome<Self> {
        let tally = Tally {
            signed: 0,
            wrong: 0,
            first_wrong: None,
            failed: 0,
            may_have_signed: 0,
            errors: BTreeMap::new(),
            // A call and its checks take far less than a minute.
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            memory_at_start: None,
            memory_half_way: None,
        };
        Ok(Self {
            signer,
            faults,
            begun: Instant::now(),
            time,
            signatures,
            asked: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            tally: Mutex::new(tally),
        })
    }

    async fn to_its_end(self: &Arc<Self>, in_flight: u32) -> Outcome {
        let mut workers = JoinSet::new();
        for _ in 0..in_flight {
            let soak = self.clone();
            workers.spawn(async move {
                while let Some(number) = soak.next() {
                    soak.sign(number).await;
                }
            });
        }
        let soak = self.clone();
        let interrupt = tokio::spawn(async move {
            // Where there is no Ctrl-C the run ends by itself.
            if tokio::signal::ctrl_c().await.is_ok() {
                soak.stopped.store(true, Relaxed);
            }
        });
        // indicatif draws nothing where stderr is no terminal.
        let bar = ProgressBar::new(1_000).with_style(ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}")?);
        loop {
            match tokio::time::timeout(REFRESH, workers.join_next()).await {
                Ok(Some(ended)) => ended?,
                Ok(None) => break,
                Err(_) => self.show(&bar),
            }
        }
        interrupt.abort();
        bar.finish_and_clear();
        Ok(())
    }

    /// The next signature's number, until the run is over.
    fn next(&self) -> Option<u64> {
        if self.stopped.load(Relaxed) || self.time.is_some_and(|time| self.begun.elapsed() >= time) {
            return None;
        }
        let number = self.asked.fetch_add(1, Relaxed);
        self.signatures.is_none_or(|signatures| number < signatures).then_some(number)
    }

    async fn sign(&self, number: u64) {
        if let Some(faults) = &self.faults {
            faults.inject();
        }
        let digest = digest(number);
        let begun = Instant::now();
        let result = self.signer.sign_hash(&digest).await;
        let latency = begun.elapsed();
        let checked = result.map(|signature| (signature, check(&signature, &digest, self.signer.address())));
        if let (Some(faults), Ok((signature, Ok(())))) = (&self.faults, &checked) {
            faults.remember(*signature);
        }
        self.count(checked.map(|(_, check)| check), latency);
    }

    fn count(&self, result: alloy_signer::Result<Result<(), String>>, latency: Duration) {
        let mut tally = self.tally();
        match result {
            Ok(Ok(())) => tally.signed += 1,
            Ok(Err(wrong)) => {
                tally.wrong += 1;
                tally.first_wrong.get_or_insert(wrong);
            }
            Err(error) => {
                let error = Error::find(&error);
                let kind = error.map_or(ErrorKind::Other, Error::kind);
                tally.failed += 1;
                tally.may_have_signed += u64::from(error.is_some_and(Error::may_have_signed));
                *tally.errors.entry(kind).or_default() += 1;
            }
        }
        tally.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));

        let progress = self.progress(tally.ended());
        // A short run is warm sooner.
        if tally.memory_at_start.is_none() && (tally.ended() >= WARM_UP || progress >= 0.1) {
            tally.memory_at_start = Some(Memory::now());
        }
        if tally.memory_half_way.is_none() && progress >= 0.5 {
            tally.memory_half_way = Some(Memory::now());
        }
    }

    /// From 0 to 1.
    fn progress(&self, ended: u64) -> f64 {
        let by_time = self.time.map(|time| self.begun.elapsed().as_secs_f64() / time.as_secs_f64());
        let by_number = self.signatures.map(|signatures| ended as f64 / signatures as f64);
        by_time.into_iter().chain(by_number).fold(0.0, f64::max).min(1.0)
    }

    fn show(&self, bar: &ProgressBar) {
        let tally = self.tally();
        bar.set_position((self.progress(tally.ended()) * 1_000.0) as u64);
        bar.set_message(format!("{} signed, {} errors, {} WRONG", tally.signed, tally.failed, tally.wrong));
    }

    fn print(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let tally = self.tally();
        println!("\nsignatures  {}, each recovered to the address and with low s", tally.signed);
        println!("WRONG       {}", tally.wrong);
        println!("errors      {}, of which {} may have signed", tally.failed, tally.may_have_signed);
        for (kind, number) in &tally.errors {
            println!("  {:<22} {number:>9}", kind.to_string());
        }
        if let Some((adversarial, transient)) = self.faults.as_ref().map(Faults::injected) {
            println!("injected    {adversarial} wrong answers, {transient} transient faults");
        }
        let ms = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        println!(
            "latency     p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, max {:.1} ms",
            ms(0.5),
            ms(0.99),
            ms(0.999),
            ms(1.0)
        );
        println!("rate        {:.0} signatures a second for {seconds:.1} s", tally.signed as f64 / seconds);
        let (start, mid, end) = (tally.memory_at_start, tally.memory_half_way, Memory::now());
        println!(
            "memory      {} after the warm-up, {} half-way, {end} at the end",
            start.unwrap_or_default(),
            mid.unwrap_or_default()
        );
    }

    fn verdict(&self) -> Outcome {
        let tally = self.tally();
        if let Some(wrong) = &tally.first_wrong {
            return Err(format!("{} wrong signatures; the first one {wrong}", tally.wrong).into());
        }
        if tally.signed == 0 {
            return Err("no signature came back".into());
        }
        Ok(())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn ended(&self) -> u64 {
        self.signed + self.wrong + self.failed
    }
}

/// A digest of its own for each signature. What it is a digest of is no transaction.
fn digest(number: u64) -> B256 {
    keccak256(format!("kms-signer soak {number}"))
}

/// Checks with alloy's code alone, whatever the signer has checked.
fn check(signature: &Signature, digest: &B256, address: Address) -> Result<(), String> {
    match signature.recover_address_from_prehash(digest) {
        Ok(recovered) if recovered != address => Err(format!("recovers to {recovered}: {signature} of {digest}")),
        Err(error) => Err(format!("does not recover ({error}): {signature} of {digest}")),
        // EIP-2.
        Ok(_) if signature.normalize_s().is_some() => Err(format!("has a high s: {signature} of {digest}")),
        Ok(_) => Ok(()),
    }
}

/// The process's resident memory in KiB, where the system tells.
#[derive(Clone, Copy, Default)]
struct Memory(Option<u64>);

impl Memory {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Self(line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()))
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(kib) => write!(f, "{:.1} MiB", kib as f64 / 1024.0),
            None => f.write_str("unknown"),
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is from 0 to 1".to_owned()),
    }
}
