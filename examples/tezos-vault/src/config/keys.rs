//! `tezos`: what may be signed with a key, and for whom.

use std::collections::BTreeSet;

use kms_signer::tezos::{ChainId, Policy, PublicKey};

use super::unsupported;
use crate::yaml::At;

/// A key that may be used.
#[derive(Clone, Debug)]
pub struct KeyConfig {
    /// What may be signed.
    pub policy: Policy,
    /// Whether the bytes go to the log.
    pub log_payloads: bool,
    /// Whose signature a request for this key must have.
    pub callers: Option<Vec<PublicKey>>,
}

/// Without a value the key bakes; with one it may do what is named and nothing else. `allow` goes before the older
/// `allowed_operations` and `allowed_kinds`.
pub(super) fn read(at: &At<'_>) -> Result<KeyConfig, String> {
    let mut key = KeyConfig { policy: Policy::default(), log_payloads: false, callers: None };
    if at.is_null() {
        return Ok(key);
    }
    let (mut allow, mut operations, mut kinds, mut chains) = (None, Vec::new(), Vec::new(), None::<BTreeSet<ChainId>>);
    for (name, at) in at.entries()? {
        match name {
            "log_payloads" => key.log_payloads = at.flag()?,
            "allow" if at.is_null() => {}
            "allow" => allow = Some(at),
            "allowed_operations" => operations = at.list(false)?,
            "allowed_kinds" => kinds = at.list(false)?,
            "allowed_chains" if at.is_null() => {}
            // An empty list allows none.
            "allowed_chains" => {
                let chains = chains.get_or_insert_default();
                for at in at.list(false)? {
                    chains.insert(at.text()?.parse::<ChainId>().map_err(|_| at.error("this is no chain id: Net…"))?);
                }
            }
            "authorized_keys" => key.callers = callers(&at)?,
            "allow_proof_of_possession" if !at.flag()? => {}
            _ => return Err(unsupported(&at)),
        }
    }
    let mut policy = Policy::none();
    match allow {
        Some(allow) => {
            for (operation, at) in allow.entries()? {
                policy = allow_operation(policy, operation).ok_or_else(|| at.error("this is no kind of request"))?;
                if operation == "generic" {
                    kinds = at.list(false)?;
                    policy = allow_kinds(policy, &kinds)?;
                }
            }
        }
        None => {
            let is_generic = operations.iter().any(|at| at.text() == Ok("generic"));
            for at in operations {
                policy = allow_operation(policy, at.text()?).ok_or_else(|| wrong(&at, "request"))?;
            }
            // Without `generic` no kind is allowed but what a request of older words stands for.
            let allowed = allow_kinds(policy.clone(), &kinds)?;
            if is_generic {
                policy = allowed;
            }
        }
    }
    key.policy = match chains {
        Some(chains) => policy.allow_chains(chains),
        None => policy,
    };
    Ok(key)
}

/// `failing_noop` was a request of its own once, and `docs/start.md` has it so: it is a generic one with nothing else in it.
fn allow_operation(policy: Policy, name: &str) -> Option<Policy> {
    match name {
        "failing_noop" => policy.allow_operation("generic").and_then(|policy| policy.allow_kind(name)).ok(),
        _ => policy.allow_operation(name).ok(),
    }
}

fn allow_kinds(policy: Policy, kinds: &[At<'_>]) -> Result<Policy, String> {
    kinds.iter().try_fold(policy, |policy, at| policy.allow_kind(at.text()?).map_err(|_| wrong(at, "operation")))
}

fn wrong(at: &At<'_>, what: &str) -> String {
    at.error(format_args!("{} is no kind of {what}", at.text().unwrap_or_default()))
}

/// Public keys: one, or a list, or lists of lists, which aliases make.
pub(super) fn callers(at: &At<'_>) -> Result<Option<Vec<PublicKey>>, String> {
    if at.is_null() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for at in at.list(true)? {
        match at.text() {
            Ok(text) => {
                let key = text.parse().map_err(|_| at.error("this is no public key: edpk…, sppk… or p2pk…"))?;
                found.push(key);
            }
            Err(_) => found.extend(callers(&at)?.unwrap_or_default()),
        }
    }
    Ok(Some(found))
}
