//! Limits to what transactions may spend.

use core::time::Duration;

use alloy_primitives::{ChainId, U256};
use serde::{Deserialize, Deserializer, de};

use super::{Allow, Named, amount};

/// What transactions may spend within a sliding window: value plus highest fee, in wei.
///
/// A transaction counts while it is under way, and from when it is signed for the length of the window and up to a 64th more. Of those with the same chain,
/// sender and nonce only one can be mined, so they count once, with the highest amount. What fails gives its share back.
///
/// It counts what leaves the sender as ether of the chain. What calls, messages and typed data move, tokens for instance, is for the
/// rules to restrict, as are fees that a rollup takes for its data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitRule {
    /// What errors and records call it.
    pub name: String,
    /// The window's length: a second to a year, as `90s`, `15m`, `24h` or `7days`.
    #[serde(deserialize_with = "window")]
    pub window: Duration,
    /// What all transactions together may spend.
    #[serde(default, deserialize_with = "amount::optional_wei")]
    pub total: Option<U256>,
    /// What each recipient may be sent, the fees included. Contract creations together count as one recipient.
    #[serde(default, deserialize_with = "amount::optional_wei")]
    pub per_recipient: Option<U256>,
    /// The chains whose transactions are counted, together; all unless given. Other transactions are not limited by it.
    #[serde(default = "every_chain")]
    pub chain_ids: Allow<ChainId>,
}

impl LimitRule {
    /// A limit without an amount yet.
    pub fn new(name: impl Into<String>, window: Duration) -> Self {
        Self { name: name.into(), window, total: None, per_recipient: None, chain_ids: every_chain() }
    }
}

impl Named for LimitRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
        let mistake = if self.window < Duration::from_secs(1) || self.window > YEAR {
            "has a window that is shorter than a second or longer than a year"
        } else if self.total.is_none() && self.per_recipient.is_none() {
            "limits nothing: give total or per_recipient"
        } else if self.chain_ids.is_nothing() {
            "counts no chain_ids: leave the key out for all"
        } else {
            return Ok(());
        };
        Err(mistake.to_owned())
    }
}

fn every_chain() -> Allow<ChainId> {
    Allow::Any
}

fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format!(r#"{text:?} is no length of time, as "90s" or "24h": {error}"#)))
}
