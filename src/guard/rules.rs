//! Rules: what may be signed. Pure and synchronous; what no rule allows is denied.

mod address;
mod allow;
mod amount;
mod authorization;
mod call;
mod limit;
mod message;
mod read;
mod transaction;
mod typed_data;

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, de};

pub use self::{
    allow::Allow, authorization::AuthorizationRule, call::Call, limit::LimitRule, message::MessageRule,
    transaction::TransactionRule, typed_data::TypedDataRule,
};
pub(super) use self::{amount::show as show_wei, transaction::type_name};
use super::asked::Asked;
use crate::error::{Error, ErrorKind, Operation, Result};

/// What may be signed. Empty, it allows nothing.
///
/// From TOML, JSON or code; see the [module](super) for the keys and an example of each. Names of rules are what errors and records
/// name, so each is used once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Rules {
    /// Transactions that are allowed.
    #[serde(deserialize_with = "checked")]
    pub transactions: Vec<TransactionRule>,
    /// EIP-191 messages that are allowed.
    #[serde(deserialize_with = "checked")]
    pub messages: Vec<MessageRule>,
    /// EIP-712 typed data that is allowed.
    #[serde(deserialize_with = "checked")]
    pub typed_data: Vec<TypedDataRule>,
    /// EIP-7702 authorisations that are allowed.
    #[serde(deserialize_with = "checked")]
    pub authorizations: Vec<AuthorizationRule>,
    /// What transactions may spend. Each limit holds by itself.
    #[serde(deserialize_with = "checked")]
    pub limits: Vec<LimitRule>,
    /// Allows any 32 bytes to be signed unseen, through `sign_hash`. They may be the digest of anything: of a transaction that
    /// empties the account, too. With this no other rule protects from a caller who means harm.
    pub allow_blind_hashes: bool,
}

/// What records say where a hash was allowed unseen.
const BLIND: &str = "allow_blind_hashes";

/// Why nothing was allowed.
#[derive(Debug)]
pub(super) struct Denied {
    /// The rule that came closest, or the limit.
    pub(super) rule: Option<String>,
    pub(super) reason: String,
}

/// What has a name, and can be checked for sense.
pub(super) trait Named {
    fn name(&self) -> &str;
    fn check(&self) -> Result<(), String>;
}

/// A rule that allows.
pub(super) trait Rule: Named {
    /// What it judges.
    type Asked<'a>: Copy;
    /// What it checks, in this order.
    type Check: Copy + Ord + 'static;
    const CHECKS: &'static [Self::Check];

    fn passes(&self, check: Self::Check, asked: Self::Asked<'_>) -> bool;
    /// What was asked and what is allowed, where the check failed.
    fn explain(&self, check: Self::Check, asked: Self::Asked<'_>) -> String;
}

impl Rules {
    /// Rules from TOML.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no TOML, for a key that is unknown, missing or has a wrong value, and for a rule that
    /// contradicts itself; with the line and the key.
    pub fn from_toml(text: &str) -> Result<Self> {
        let rules = read::toml(text)?;
        rules.check_names().map_err(mistake)?;
        Ok(rules)
    }

    /// Rules from JSON, with the same keys.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self> {
        let rules = read::json(text)?;
        rules.check_names().map_err(mistake)?;
        Ok(rules)
    }

    /// The name of the rule that allows what is asked. Limits are not looked at.
    pub(super) fn allow(&self, asked: &Asked<'_>) -> Result<&str, Denied> {
        match *asked {
            Asked::Transaction(transaction) => first_to_allow(&self.transactions, transaction, asked.kind()),
            Asked::Message(message) => first_to_allow(&self.messages, message, asked.kind()),
            Asked::TypedData(data) => {
                first_to_allow(&self.typed_data, (data.domain(), data.primary_type()), asked.kind())
            }
            Asked::Authorization(authorization) => first_to_allow(&self.authorizations, authorization, asked.kind()),
            Asked::Hash(_) if self.allow_blind_hashes => Ok(BLIND),
            Asked::Hash(_) => Err(Denied {
                rule: None,
                reason: format!(
                    "a bare hash shows nothing of what it is the hash of, and {BLIND} is off; typed data that is signed through a Box<Guarded<_>> needs sign_dynamic_typed_data"
                ),
            }),
        }
    }

    /// Whether each rule makes sense.
    pub(super) fn check(&self) -> Result<()> {
        let checks = [
            ("transactions", check_all(&self.transactions)),
            ("messages", check_all(&self.messages)),
            ("typed_data", check_all(&self.typed_data)),
            ("authorizations", check_all(&self.authorizations)),
            ("limits", check_all(&self.limits)),
        ];
        for (key, check) in checks {
            check.map_err(|reason| mistake(format!("{key}: {reason}")))?;
        }
        self.check_names().map_err(mistake)
    }

    /// Errors and records say by its name which rule it was.
    fn check_names(&self) -> Result<(), String> {
        let names = names(&self.transactions)
            .chain(names(&self.messages))
            .chain(names(&self.typed_data))
            .chain(names(&self.authorizations))
            .chain(names(&self.limits));
        let mut seen = HashSet::from([BLIND]);
        for name in names {
            if !seen.insert(name) {
                return Err(match name {
                    BLIND => format!("no rule can have the name {BLIND:?}: records use it"),
                    _ => format!("two rules have the name {name:?}"),
                });
            }
        }
        Ok(())
    }
}

/// The first rule that allows what is asked; else why the one that came closest does not.
fn first_to_allow<'r, R: Rule>(rules: &'r [R], asked: R::Asked<'_>, kind: &str) -> Result<&'r str, Denied> {
    let mut closest: Option<(R::Check, &R)> = None;
    for rule in rules {
        match R::CHECKS.iter().copied().find(|&check| !rule.passes(check, asked)) {
            None => return Ok(rule.name()),
            Some(check) if closest.is_none_or(|(furthest, _)| check > furthest) => closest = Some((check, rule)),
            Some(_) => {}
        }
    }
    Err(match closest {
        Some((check, rule)) => Denied { rule: Some(rule.name().to_owned()), reason: rule.explain(check, asked) },
        None => Denied { rule: None, reason: format!("no rule allows any {}", kind.replace('_', " ")) },
    })
}

fn mistake(reason: String) -> Error {
    Error::new(ErrorKind::Config, Operation::ReadRules, reason)
}

fn names<R: Named>(rules: &[R]) -> impl Iterator<Item = &str> {
    rules.iter().map(Named::name)
}

fn check_all<R: Named>(rules: &[R]) -> Result<(), String> {
    for (index, rule) in rules.iter().enumerate() {
        if rule.name().trim().is_empty() {
            return Err(format!("rule {} has no name", index + 1));
        }
        rule.check().map_err(|reason| format!("rule {:?} {reason}", rule.name()))?;
    }
    Ok(())
}

/// Reads rules, and finds what makes no sense while the place in the text is known.
fn checked<'de, D: Deserializer<'de>, R: Named + Deserialize<'de>>(deserializer: D) -> Result<Vec<R>, D::Error> {
    let rules = Vec::deserialize(deserializer)?;
    check_all(&rules).map_err(de::Error::custom)?;
    Ok(rules)
}
