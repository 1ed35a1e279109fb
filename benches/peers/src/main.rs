//! alloy-signer-aws and kms-signer side by side: the same digests, the same SDK client, the same KMS, one process.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --rounds 31 --signatures 2000 --in-flight 256
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- burst   # on a KMS with a quota
//! benches/peers/instructions.sh     # instruction counts, with valgrind
//! ```
//!
//! The KMS replays answers that FakeKms made beforehand, on a thread of its own. Processor time is that of the thread
//! on which the client, its runtime and its connections run, and nothing else runs there. In each round every client does the
//! same work once; the order turns round from one round to the next.
//!
//! In `burst` that KMS throttles, and what counts is not processor time: how many signatures of a burst are made at all,
//! how long they take, and how many refusals that costs. It fails if kms-signer does not keep what it promises.

mod answers;
mod burst;
mod contender;
mod loopback;
mod measure;
mod memory;
mod recovery;
mod start;
mod table;
mod throttle;

use std::{process::ExitCode, sync::Arc};

use alloy_primitives::B256;
use alloy_signer_aws::AwsSignerError;
use aws_sdk_kms::Client;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use crate::{
    answers::Answers,
    burst::Burst,
    contender::{Contender, Who},
    measure::{Spent, rounds},
    memory::Memory,
    start::FirstSignature,
    table::{Row, Samples},
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Compare alloy-signer-aws and kms-signer in one process over one loopback KMS.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    size: Size,

    #[command(subcommand)]
    command: Option<Subcommands>,
}

#[derive(Args)]
struct Size {
    /// How often each measurement is repeated.
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many signatures each repetition makes.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    signatures: u32,

    /// How many requests are under way at a time in the measurement of many.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Do one kind of work many times and print nothing, for a profiler or an instruction counter.
    Repeat {
        what: What,
        #[arg(long)]
        who: Who,
        #[arg(long, default_value_t = 1000)]
        iterations: usize,
    },
    /// Make a burst of signatures on a KMS with a quota. Fails if kms-signer does not keep what it promises.
    Burst(Burst),
    /// Sign once in a process of its own. The comparison starts these itself.
    #[command(hide = true)]
    FirstSignature(FirstSignature),
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// From DER to a signature with its y-parity; no client.
    Recovery,
    /// One signature after the other through the whole client, over an HTTP client that answers at once.
    Memory,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => compare(&cli.size),
        Some(Subcommands::Repeat { what, who, iterations }) => repeat(what, who, iterations),
        Some(Subcommands::Burst(burst)) => burst.run(),
        Some(Subcommands::FirstSignature(first)) => first.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One thread for everything a client does.
fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn repeat(what: What, who: Who, iterations: usize) -> Outcome {
    const DIGESTS: usize = 100;
    let runtime = runtime()?;
    let answers = Arc::new(runtime.block_on(Answers::make(DIGESTS.try_into()?))?);
    match what {
        What::Recovery => {
            recovery::repeat(who, &answers, DIGESTS)?;
            counted(|| recovery::repeat(who, &answers, iterations))
        }
        What::Memory => {
            let client = memory::client(Memory::new(answers.clone()));
            let contender = runtime.block_on(Contender::connect(who, &client, &answers.key))?;
            let sign = |iterations| {
                runtime.block_on(async {
                    for signed in answers.signed.iter().cycle().take(iterations) {
                        contender.sign(&signed.digest).await?;
                    }
                    Ok(())
                })
            };
            sign(DIGESTS)?;
            counted(|| sign(iterations))
        }
    }
}

/// What is to be counted: `instructions.sh` knows it by this name. What comes before, also one unmeasured turn, is not.
#[inline(never)]
fn counted(work: impl FnOnce() -> Outcome) -> Outcome {
    std::hint::black_box(work())
}

fn compare(size: &Size) -> Outcome {
    let runtime = runtime()?;
    let answers = Arc::new(runtime.block_on(Answers::make(size.signatures.into()))?);
    let server = loopback::serve(answers.clone(), None)?;
    let bench = Bench {
        rounds: size.rounds.try_into()?,
        in_flight: size.in_flight.try_into()?,
        digests: answers.digests().into(),
        answers,
        runtime,
    };
    println!(
        "alloy-signer-aws 2.5.0 and kms-signer, aws-sdk-kms {}; {}.\n\
         {} rounds of {} signatures; start: {} processes each. Answers made beforehand by FakeKms.\n",
        aws_sdk_kms::meta::PKG_VERSION,
        processor(),
        size.rounds,
        size.signatures,
        size.rounds,
    );

    recovery::check(&bench.answers)?;
    let in_memory = memory::client(Memory::new(bench.answers.clone()));
    let over_loopback = loopback::client(server);
    bench.check(&over_loopback)?;

    let mut rows = vec![bench.recovery()?];
    rows.extend(bench.in_memory(&in_memory)?);
    rows.extend(bench.over_loopback(&over_loopback, 1)?);
    rows.extend(bench.over_loopback(&over_loopback, bench.in_flight)?);
    rows.extend(bench.start(server)?);
    rows.push(bench.requests()?);
    rows.push(
        Row::new("size_of its error, bytes")
            .peer(Samples::one(size_of::<AwsSignerError>()))
            .ours(Samples::one(size_of::<kms_signer::Error>())),
    );
    table::print(&rows);
    Ok(())
}

struct Bench {
    rounds: usize,
    in_flight: usize,
    digests: Arc<[B256]>,
    answers: Arc<Answers>,
    runtime: Runtime,
}

impl Bench {
    /// Before anything is measured: over the wire, too, both give the same signature for every digest.
    fn check(&self, client: &Client) -> Outcome {
        self.runtime.block_on(async {
            let peer = Contender::connect(Who::AlloySignerAws, client, &self.answers.key).await?;
            let ours = Contender::connect(Who::KmsSigner, client, &self.answers.key).await?;
            for digest in self.digests.iter() {
                let (theirs, ours) = (peer.sign(digest).await?, ours.sign(digest).await?);
                if theirs.is_none() || theirs != ours {
                    return Err(format!("for {digest} they give {theirs:?}, we {ours:?}").into());
                }
            }
            Ok(())
        })
    }

    fn recovery(&self) -> Outcome<Row> {
        let signatures = self.digests.len();
        let [peer, ours] = rounds(self.rounds, |turn| {
            let who = if turn == 0 { Who::AlloySignerAws } else { Who::KmsSigner };
            Spent::on(|| recovery::repeat(who, &self.answers, signatures))
        })?;
        let micros = |spent: &[Spent]| Samples::micros_each(spent, |spent| spent.cpu, signatures);
        Ok(Row::new("recovery: DER to y-parity, CPU µs").peer(micros(&peer)).ours(micros(&ours)))
    }

    fn in_memory(&self, client: &Client) -> Outcome<[Row; 2]> {
        let [peer, no_parity, ours, sdk] =
            self.sign(client, 1, [Who::AlloySignerAws, Who::AlloySignerAwsNoParity, Who::KmsSigner, Who::Sdk])?;
        let micros = |spent: &[Spent]| Samples::micros_each(spent, |spent| spent.cpu, self.digests.len());
        Ok([
            Row::new("in memory: a signature, CPU µs").peer(micros(&peer)).ours(micros(&ours)).sdk(micros(&sdk)),
            Row::new("in memory: its sign_digest, no y-parity, CPU µs").peer(micros(&no_parity)),
        ])
    }

    fn over_loopback(&self, client: &Client, in_flight: usize) -> Outcome<[Row; 2]> {
        let [peer, ours, sdk] = self.sign(client, in_flight, [Who::AlloySignerAws, Who::KmsSigner, Who::Sdk])?;
        let quantities: [(_, fn(&Spent) -> _); 2] = [("CPU", |spent| spent.cpu), ("wall", |spent| spent.wall)];
        Ok(quantities.map(|(name, quantity)| {
            let micros = |spent: &[Spent]| Samples::micros_each(spent, quantity, self.digests.len());
            Row::new(format!("loopback, {in_flight} in flight: a signature, {name} µs"))
                .peer(micros(&peer))
                .ours(micros(&ours))
                .sdk(micros(&sdk))
        }))
    }

    fn sign<const N: usize>(&self, client: &Client, in_flight: usize, who: [Who; N]) -> Outcome<[Vec<Spent>; N]> {
        let mut contenders = Vec::new();
        for who in who {
            let contender = self.runtime.block_on(Contender::connect(who, client, &self.answers.key))?;
            contenders.push(Arc::new(contender));
        }
        rounds(self.rounds, |turn| {
            let contender = contenders.get(turn).ok_or("there is no such client")?;
            Spent::on(|| self.runtime.block_on(contender.sign_all(&self.digests, in_flight)))
        })
    }

    fn start(&self, server: std::net::SocketAddr) -> Outcome<[Row; 4]> {
        let ours = FirstSignature::new(Who::KmsSigner, server, &self.answers)?;
        let known = ours.clone().knowing(&self.answers.public_key);
        let processes = [FirstSignature::new(Who::AlloySignerAws, server, &self.answers)?, ours, known];
        let [peer, ours, known] =
            rounds(self.rounds, |turn| processes.get(turn).ok_or("there is no such process")?.measure())?;
        let row = |name, ours: &[Spent], quantity| {
            Row::new(name).peer(Samples::millis(&peer, quantity)).ours(Samples::millis(ours, quantity))
        };
        Ok([
            row("process start to first signature, wall ms", &ours, |spent| spent.wall),
            row("process start to first signature, CPU ms", &ours, |spent| spent.cpu),
            row("the same, public key known to kms-signer, wall ms", &known, |spent| spent.wall),
            row("the same, public key known to kms-signer, CPU ms", &known, |spent| spent.cpu),
        ])
    }

    /// What each sends from its construction to its first signature.
    fn requests(&self) -> Outcome<Row> {
        let count = |who| -> Outcome<Samples> {
            let memory = Memory::new(self.answers.clone());
            let client = memory::client(memory.clone());
            let digest = self.digests.first().ok_or("there is nothing to sign")?;
            self.runtime
                .block_on(async { Contender::connect(who, &client, &self.answers.key).await?.sign(digest).await })?;
            Ok(Samples::one(memory.requests()))
        };
        Ok(Row::new("requests until the first signature")
            .peer(count(Who::AlloySignerAws)?)
            .ours(count(Who::KmsSigner)?))
    }
}

/// The processor's name where the system tells it.
fn processor() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("model name")).map(str::to_owned))
        .map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned())
        .unwrap_or_else(|| "processor unknown".to_owned())
}
