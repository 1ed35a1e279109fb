//! What came of a burst: every signature and every failure, how long each took, and the figures made of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Signature};
use tokio::task::JoinSet;

use super::failure;
use crate::{Outcome, contender::Contender, throttle::Traffic};

pub(super) type Line = [String; HEADER.len()];

pub(super) const HEADER: [&str; 12] = [
    "client",
    "succeeded",
    "signatures/s",
    "of the quota",
    "p50 s",
    "p99 s",
    "max s",
    "p99 / ideal",
    "requests",
    "throttled / signature",
    "connections (at once)",
    "failures",
];

/// One call: its digest, what came of it, how long it took.
type Call = (B256, Result<Signature, String>, Duration);

pub(super) struct Tally {
    /// Of the signatures that were made and verified, sorted.
    latencies: Vec<Duration>,
    failures: BTreeMap<String, usize>,
    wall: Duration,
}

impl Tally {
    /// Signs all digests, `at_once` of them at a time. A failure is counted and the next digest taken.
    pub(super) async fn of(
        contender: Contender,
        digests: Arc<[B256]>,
        at_once: usize,
        address: Address,
    ) -> Outcome<Self> {
        let (contender, next) = (Arc::new(contender), Arc::new(AtomicUsize::new(0)));
        let mut workers = JoinSet::new();
        let started = Instant::now();
        for _ in 0..at_once {
            workers.spawn(work(contender.clone(), digests.clone(), next.clone()));
        }
        let mut calls = Vec::new();
        while let Some(ended) = workers.join_next().await {
            calls.extend(ended?);
        }
        let wall = started.elapsed();
        Ok(Self::verified(calls, wall, address))
    }

    /// Verifies when the burst is over, so that it costs the burst nothing.
    fn verified(calls: Vec<Call>, wall: Duration, address: Address) -> Self {
        let mut tally = Self { latencies: Vec::new(), failures: BTreeMap::new(), wall };
        for (digest, result, latency) in calls {
            match result.and_then(|signature| verify(&signature, &digest, address)) {
                Ok(()) => tally.latencies.push(latency),
                Err(kind) => *tally.failures.entry(kind).or_default() += 1,
            }
        }
        tally.latencies.sort();
        tally
    }

    pub(super) fn figures(&self, traffic: Traffic, quota: u32, ideal: Duration) -> Figures {
        // Counts here are far below 2⁵³.
        let signatures = self.latencies.len() as f64;
        let failures = self.failures.values().sum::<usize>() as f64;
        let p99 = self.percentile(99);
        let per_second = signatures / self.wall.as_secs_f64();
        Figures {
            succeeded: signatures / (signatures + failures),
            per_second,
            of_quota: per_second / f64::from(quota),
            p50: self.percentile(50),
            p99,
            max: self.percentile(100),
            over_ideal: p99 / ideal.as_secs_f64(),
            throttled_each: traffic.throttled as f64 / signatures,
            traffic: Some(traffic),
            failures: self
                .failures
                .iter()
                .map(|(kind, count)| format!("{count} {kind}"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    /// In seconds, the least latency that so many per cent do not exceed. Nothing succeeded: not a number.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies.get(rank.saturating_sub(1)).map_or(f64::NAN, Duration::as_secs_f64)
    }
}

async fn work(contender: Arc<Contender>, digests: Arc<[B256]>, next: Arc<AtomicUsize>) -> Vec<Call> {
    let mut calls = Vec::new();
    while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        let result = match contender.sign(digest).await {
            Ok(signature) => signature.ok_or_else(|| "no signature".to_owned()),
            Err(error) => Err(failure::kind(&*error)),
        };
        calls.push((*digest, result, started.elapsed()));
    }
    calls
}

fn verify(signature: &Signature, digest: &B256, address: Address) -> Result<(), String> {
    match signature.recover_address_from_prehash(digest) {
        Ok(recovered) if recovered == address => Ok(()),
        _ => Err("wrong signature".to_owned()),
    }
}

/// Shares are of one, times in seconds. Times and rates are those of the signatures that succeeded: who fails most of them
/// at once is quick with the rest.
pub(super) struct Figures {
    pub(super) succeeded: f64,
    per_second: f64,
    pub(super) of_quota: f64,
    p50: f64,
    p99: f64,
    max: f64,
    pub(super) over_ideal: f64,
    /// Throttled answers for each signature that was made.
    pub(super) throttled_each: f64,
    /// Nothing where it was not measured.
    pub(super) traffic: Option<Traffic>,
    failures: String,
}

impl Figures {
    /// Every signature at the quota, after the same wait.
    pub(super) fn computed(quota: u32, wait: Duration) -> Self {
        let wait = wait.as_secs_f64();
        Self {
            succeeded: 1.0,
            per_second: quota.into(),
            of_quota: 1.0,
            p50: wait,
            p99: wait,
            max: wait,
            over_ideal: 1.0,
            throttled_each: 0.0,
            traffic: None,
            failures: String::new(),
        }
    }

    pub(super) fn line(&self, client: &str) -> Line {
        let counted = |text: fn(&Traffic) -> String| self.traffic.as_ref().map(text).unwrap_or_default();
        [
            client.to_owned(),
            percent(self.succeeded),
            format!("{:.0}", self.per_second),
            percent(self.of_quota),
            format!("{:.3}", self.p50),
            format!("{:.3}", self.p99),
            format!("{:.3}", self.max),
            format!("{:.2}", self.over_ideal),
            counted(|traffic| traffic.requests.to_string()),
            format!("{:.2}", self.throttled_each),
            counted(|traffic| format!("{} ({})", traffic.opened, traffic.most_open)),
            self.failures.clone(),
        ]
    }
}

/// Rounded down, so that 100 % means all.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}
