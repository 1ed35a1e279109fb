//! Rules for EIP-7702 authorisations.

use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, U256};
use serde::Deserialize;

use super::{Allow, Named, Rule, address};

/// EIP-7702 authorisations that are allowed. Whoever has one can have the account run the delegate's code, until another is sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AuthorizationRule {
    /// What errors and records call it.
    pub name: String,
    /// Chain ids. In an authorisation 0 means every chain; that is allowed where 0 is listed, and not by `any`.
    pub chain_ids: Allow<u64>,
    /// Contracts the account may delegate to. The zero address ends a delegation.
    #[serde(deserialize_with = "address::addresses")]
    pub delegates: Allow<Address>,
}

impl AuthorizationRule {
    /// A rule that allows nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), chain_ids: Allow::default(), delegates: Allow::default() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum Check {
    Delegate,
    ChainId,
}

impl Named for AuthorizationRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        let mistake = if self.chain_ids.is_nothing() {
            "allows no chain_ids"
        } else if self.delegates.is_nothing() {
            "allows no delegates"
        } else {
            return Ok(());
        };
        Err(mistake.to_owned())
    }
}

impl Rule for AuthorizationRule {
    type Asked<'a> = &'a Authorization;
    type Check = Check;
    const CHECKS: &'static [Check] = &[Check::Delegate, Check::ChainId];

    fn passes(&self, check: Check, authorization: &Authorization) -> bool {
        match check {
            Check::Delegate => self.delegates.has(&authorization.address),
            Check::ChainId => match &self.chain_ids {
                Allow::Any => !authorization.chain_id.is_zero(),
                Allow::Only(ids) => ids.iter().any(|&listed| U256::from(listed) == authorization.chain_id),
            },
        }
    }

    fn explain(&self, check: Check, authorization: &Authorization) -> String {
        match check {
            Check::Delegate => format!("delegate {} is not among delegates, {}", authorization.address, self.delegates),
            Check::ChainId if authorization.chain_id.is_zero() => {
                format!("chain id 0, which means every chain, is not listed in chain_ids, {}", self.chain_ids)
            }
            Check::ChainId => {
                format!("chain id {} is not among chain_ids, {}", authorization.chain_id, self.chain_ids)
            }
        }
    }
}
