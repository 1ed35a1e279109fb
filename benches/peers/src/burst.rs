//! A burst of signatures on a KMS with a quota: who gets all of them, how fast, and at what cost to the quota.

mod failure;
mod promise;
mod setup;
mod tally;

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256};
use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use self::{
    promise::{Promise, promises},
    setup::Setup,
    tally::{Figures, Tally},
};
use crate::{Outcome, answers::Answers, loopback, measure::processor, runtime, table, throttle::Throttle};

/// A burst, and the KMS it falls on.
///
/// The promises are made for bursts that reach the quota: more at once than the quota serves within the latency.
#[derive(Args)]
pub(crate) struct Burst {
    /// How many signatures the burst makes.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    signatures: u32,

    /// How many are asked of the client at a time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,

    /// How many signatures a second the KMS makes.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    quota: u32,

    /// How many signatures the KMS makes at once after a pause [default: a tenth of the quota]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,

    /// How long the KMS takes for an answer, also one that refuses.
    #[arg(long, default_value_t = 5)]
    latency_ms: u32,

    /// How often every client makes the burst.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Only these clients [default: all]
    #[arg(long)]
    only: Vec<Setup>,
}

impl Burst {
    pub(crate) fn run(&self) -> Outcome {
        let runtime = runtime()?;
        let answers = Arc::new(runtime.block_on(Answers::make(self.signatures.into()))?);
        println!("{}", self.title());
        let mut broken = 0;
        for round in 1..=self.rounds {
            println!("\nRound {round} of {}\n", self.rounds);
            broken += self.round(round, &runtime, &answers)?;
        }
        match broken {
            0 => Ok(()),
            _ => Err(format!("promises broken: {broken}").into()),
        }
    }

    /// Every client once. The number of broken promises.
    fn round(&self, round: u32, runtime: &Runtime, answers: &Arc<Answers>) -> Outcome<usize> {
        let mut lines = vec![self.first_in_first_out()];
        let mut all_promises = Vec::new();
        for &setup in self.setups() {
            let figures = self.burst(setup, round, runtime, answers)?;
            lines.push(figures.line(setup.title()));
            all_promises.extend(promises(setup, &figures));
        }
        table::print_lines(&tally::HEADER, &lines);
        if !all_promises.is_empty() {
            println!();
            table::print_lines(&promise::HEADER, &all_promises.iter().map(Promise::line).collect::<Vec<_>>());
        }
        Ok(all_promises.iter().filter(|promise| !promise.holds()).count())
    }

    /// One client's burst, on a KMS, a bucket and connections of its own.
    fn burst(&self, setup: Setup, round: u32, runtime: &Runtime, answers: &Arc<Answers>) -> Outcome<Figures> {
        let throttle = Arc::new(Throttle::new(self.quota, self.depth(), self.latency()));
        let server = loopback::serve(answers.clone(), Some(throttle.clone()))?;
        let digests: Arc<[B256]> = answers.digests().into();
        let address: Address = answers.public_key.address();
        let tally = runtime.block_on(async {
            let contender = setup.connect(server, &answers.key, self.quota, round).await?;
            Tally::of(contender, digests, self.at_once.try_into()?, address).await
        })?;
        Ok(tally.figures(throttle.traffic(), self.quota, self.ideal()))
    }

    fn setups(&self) -> &[Setup] {
        if self.only.is_empty() { Setup::value_variants() } else { &self.only }
    }

    fn depth(&self) -> u32 {
        self.depth.unwrap_or((self.quota / 10).max(1))
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.into())
    }

    /// How long each signature takes if they are made first in, first out, at the quota: those before it are made first.
    fn ideal(&self) -> Duration {
        (Duration::from_secs(self.at_once.into()) / self.quota).max(self.latency())
    }

    /// A computed line, to compare the measured ones with.
    fn first_in_first_out(&self) -> tally::Line {
        Figures::computed(self.quota, self.ideal()).line("first in, first out at the quota (computed)")
    }

    fn title(&self) -> String {
        format!(
            "alloy-signer-aws 2.5.0 and kms-signer, aws-sdk-kms {}; {}.\n\
             A burst of {} signatures, {} at once, on a KMS that makes {} a second (bucket of {}) and answers in {} ms.",
            aws_sdk_kms::meta::PKG_VERSION,
            processor(),
            self.signatures,
            self.at_once,
            self.quota,
            self.depth(),
            self.latency_ms,
        )
    }
}
