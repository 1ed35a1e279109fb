//! The members of a transaction: those that are not known are refused, not left out.

use std::collections::BTreeMap;

use alloy_rpc_types_eth::TransactionRequest;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::error::RpcError;

const KNOWN: [&str; 22] = [
    "from",
    "to",
    "gas",
    "gasPrice",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "maxFeePerBlobGas",
    "value",
    "data",
    "input",
    "nonce",
    "chainId",
    "accessList",
    "type",
    "blobVersionedHashes",
    "authorizationList",
    "blobs",
    "commitments",
    "proofs",
    "cellProofs",
    "sidecar",
    "hash",
];

/// A member that is misspelt would be filled in by the node, and mean something else than its client thinks.
pub(super) fn check(raw: &RawValue) -> Result<(), RpcError> {
    let Some(unknown) = members(raw).into_keys().find(|name| !KNOWN.contains(&name.as_str())) else { return Ok(()) };
    let hint = if unknown == "gasLimit" { "; it is gas" } else { "" };
    Err(RpcError::invalid_params(format!("params[0] has a member {unknown:?} that is not known{hint}")))
}

/// Blobs that cannot be read would leave a transaction without them.
pub(super) fn check_blobs(raw: &RawValue, transaction: &TransactionRequest) -> Result<(), RpcError> {
    let members = members(raw);
    let given = |name: &str| members.get(name).is_some_and(Option::is_some);
    if ["blobs", "commitments", "proofs", "cellProofs"].into_iter().any(given) && transaction.sidecar.is_none() {
        return Err(RpcError::invalid_params("params[0]: blobs, commitments and proofs are no sidecar"));
    }
    Ok(())
}

fn members(raw: &RawValue) -> BTreeMap<String, Option<IgnoredAny>> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}
