//! What kms-signer promises of a burst, and whether it was kept.

use super::{
    setup::Setup,
    tally::{Figures, percent},
};

pub(super) const HEADER: [&str; 4] = ["client", "kms-signer promises", "measured", "kept"];

pub(super) struct Promise {
    setup: Setup,
    of: &'static str,
    bound: Bound,
    measured: f64,
    text: fn(f64) -> String,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Promise {
    /// What could not be measured is not kept.
    pub(super) fn holds(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.measured >= least,
            Bound::AtMost(most) => self.measured <= most,
        }
    }

    pub(super) fn line(&self) -> [String; HEADER.len()] {
        let (sign, limit) = match self.bound {
            Bound::AtLeast(least) => ('≥', least),
            Bound::AtMost(most) => ('≤', most),
        };
        [
            self.setup.title().to_owned(),
            format!("{} {sign} {}", self.of, (self.text)(limit)),
            (self.text)(self.measured),
            if self.holds() { "yes" } else { "NO" }.to_owned(),
        ]
    }
}

/// None for clients that are not ours.
pub(super) fn promises(setup: Setup, figures: &Figures) -> Vec<Promise> {
    let promise = |of, bound, measured, text| Promise { setup, of, bound, measured, text };
    let succeeded = promise("succeeded", Bound::AtLeast(1.0), figures.succeeded, percent);
    let of_quota = |least| promise("of the quota", Bound::AtLeast(least), figures.of_quota, percent);
    let traffic = |count: fn(&_) -> usize| figures.traffic.as_ref().map_or(f64::NAN, |traffic| count(traffic) as f64);
    match setup {
        Setup::Peer | Setup::PeerTenAttempts | Setup::PeerAdaptive => Vec::new(),
        Setup::QuotaConfigured => vec![
            succeeded,
            of_quota(0.98),
            promise("p99 / ideal", Bound::AtMost(1.3), figures.over_ideal, ratio),
            promise("connections", Bound::AtMost(64.0), traffic(|traffic| traffic.opened), whole),
            promise("throttled answers", Bound::AtMost(0.0), traffic(|traffic| traffic.throttled), whole),
        ],
        Setup::QuotaUnknown => vec![
            succeeded,
            of_quota(0.9),
            promise("throttled / signature", Bound::AtMost(0.5), figures.throttled_each, ratio),
        ],
    }
}

fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}
