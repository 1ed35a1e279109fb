//! The domain of typed data: what its type declares must be what is there.

use std::collections::{BTreeMap, BTreeSet};

use alloy_dyn_abi::{TypedData, eip712::Eip712Types};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::error::RpcError;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    domain: BTreeMap<String, Option<IgnoredAny>>,
}

/// Wallets hash the members that `EIP712Domain` declares, this service those that are there. Where they differ, the signature would verify with
/// one of both only.
pub(super) fn check(raw: &RawValue, data: &TypedData) -> Result<(), RpcError> {
    const KNOWN: [&str; 5] = ["name", "version", "chainId", "verifyingContract", "salt"];
    let differs = |what: String| Err(RpcError::invalid_params(format!("params[1]: {what}")));
    // A member that is null is none.
    let given = document(raw).domain.into_iter().filter(|(_, value)| value.is_some());
    let given: BTreeSet<String> = given.map(|(name, _)| name).collect();
    if let Some(unknown) = given.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return differs(format!("domain.{unknown:.40} is none of {}", KNOWN.join(", ")));
    }
    let types = Eip712Types::from(&data.resolver);
    let Some(declared) = types.get("EIP712Domain") else { return Ok(()) };
    let declared: BTreeSet<String> = declared.iter().map(|member| member.name().to_owned()).collect();
    match declared.symmetric_difference(&given).next() {
        Some(name) => differs(format!("domain and types.EIP712Domain differ: only one of them has {name:.40}")),
        None => Ok(()),
    }
}

/// The data itself, or the text that holds it.
fn document(raw: &RawValue) -> Document {
    let direct = serde_json::from_str(raw.get());
    let inner = || serde_json::from_str::<String>(raw.get()).ok().and_then(|text| serde_json::from_str(&text).ok());
    direct.ok().or_else(inner).unwrap_or(Document { domain: BTreeMap::new() })
}
