//! alloy-signer-aws and kms-signer side by side: the same digests, the same SDK client, the same KMS, one process.
//!
//! ```text
//! benches/peers/run.sh              # all of it, into target/peers/report.md
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --rounds 31 --signatures 2000 --in-flight 256
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- burst   # on a KMS with a quota
//! benches/peers/instructions.sh     # instruction counts, with valgrind
//! ```
//!
//! The KMS replays answers that FakeKms made beforehand, on a thread of its own. Processor time is that of the thread
//! on which the client, its runtime and its connections run, and nothing else runs there. In each round every client does the
//! same work once; the order turns round from one round to the next. Before the first round each client signs 64 times: our key has
//! its table of multiples then, except where the row says otherwise.
//!
//! In `burst` that KMS throttles, and what counts is not processor time: how many signatures of a burst are made at all,
//! how long they take, and how many refusals that costs. It fails if kms-signer does not keep what it promises.

mod answers;
mod burst;
mod compare;
mod contender;
mod counts;
mod loopback;
mod measure;
mod memory;
mod plot;
mod recovery;
mod start;
mod stream;
mod table;
mod throttle;
mod tls;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use alloy_primitives::B256;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use crate::{
    answers::Answers,
    burst::Burst,
    contender::{Contender, Who},
    memory::Memory,
    recovery::Keys,
    start::FirstSignature,
    stream::Stream,
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

    /// What `instructions.sh` counted, for the tables and the picture.
    #[arg(long)]
    instructions: Option<PathBuf>,

    /// Draw the result into this SVG file.
    #[arg(long)]
    svg: Option<PathBuf>,

    /// The date under the picture.
    #[arg(long, default_value = "undated")]
    date: String,
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
    /// Sign many in a process of its own. The comparison starts these itself.
    #[command(hide = true)]
    Stream(Stream),
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// From DER to a signature with its y-parity; no client.
    Recovery,
    /// One signature after the other through the whole client, over an HTTP client that answers at once.
    Memory,
    /// The same over loopback, 64 in flight. Only the client's thread is counted.
    Loopback,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => compare::compare(&cli.size),
        Some(Subcommands::Repeat { what, who, iterations }) => repeat(what, who, iterations),
        Some(Subcommands::Burst(burst)) => burst.run(),
        Some(Subcommands::FirstSignature(first)) => first.run(),
        Some(Subcommands::Stream(stream)) => stream.run(),
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
            let keys = [Keys::new(&answers, DIGESTS)?, Keys::new(&answers, iterations)?];
            recovery::repeat(who, &answers, &keys[0], DIGESTS)?;
            counted(|| recovery::repeat(who, &answers, &keys[1], iterations))
        }
        What::Memory => {
            let client = memory::client(Memory::new(answers.clone()));
            let contender = Arc::new(runtime.block_on(Contender::connect(who, &client, &answers.key))?);
            count_signing(&runtime, &contender, &answers, iterations, 1)
        }
        What::Loopback => {
            let client = loopback::client(loopback::serve(answers.clone(), None)?);
            let contender = Arc::new(runtime.block_on(Contender::connect(who, &client, &answers.key))?);
            count_signing(&runtime, &contender, &answers, iterations, 64)
        }
    }
}

fn count_signing(
    runtime: &Runtime,
    contender: &Arc<Contender>,
    answers: &Answers,
    iterations: usize,
    in_flight: usize,
) -> Outcome {
    let known: Arc<[B256]> = answers.digests().into();
    let digests: Arc<[B256]> = known.iter().copied().cycle().take(iterations).collect();
    runtime.block_on(contender.sign_all(&known, in_flight))?;
    counted(|| runtime.block_on(contender.sign_all(&digests, in_flight)))
}

/// What is to be counted: `instructions.sh` knows it by this name. What comes before, also one unmeasured turn, is not.
#[inline(never)]
fn counted(work: impl FnOnce() -> Outcome) -> Outcome {
    std::hint::black_box(work())
}
