//! What a signer is asked to sign.

use core::fmt;
use std::time::SystemTime;

use alloy_consensus::Transaction;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, hex, keccak256};
use alloy_sol_types::Eip712Domain;
use serde_json::{Map, Value, json};

use super::{record::Spending, rules::type_name};

/// Longer texts and calldata are recorded by their length and their hash.
const MAX_RECORDED_BYTES: usize = 4096;

/// What a signer is asked to sign, with its content.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Asked<'a> {
    /// A transaction, with the chain id that is going to be signed.
    Transaction(&'a (dyn Transaction + 'static)),
    /// An EIP-191 message (`personal_sign`), without its prefix.
    Message(&'a [u8]),
    /// EIP-712 typed data.
    TypedData {
        /// The domain.
        domain: &'a Eip712Domain,
        /// The name of the struct that is signed.
        primary_type: &'a str,
        /// The message, where it is at hand; for the record only.
        message: Option<&'a Value>,
    },
    /// An EIP-7702 authorisation.
    Authorization(&'a Authorization),
    /// A digest, which shows nothing of what it is the digest of.
    Hash(&'a B256),
}

impl Asked<'_> {
    /// In a word fit for a label: `transaction`, `message`, `typed_data`, `authorization` or `hash`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transaction(_) => "transaction",
            Self::Message(_) => "message",
            Self::TypedData { .. } => "typed_data",
            Self::Authorization(_) => "authorization",
            Self::Hash(_) => "hash",
        }
    }

    /// What it may cost the sender. None where it is no transaction, or one without a chain id.
    pub(super) fn spending(&self, sender: Address, at: SystemTime) -> Option<Spending> {
        let Self::Transaction(transaction) = *self else { return None };
        Some(Spending::of(transaction, sender, transaction.chain_id()?, at))
    }

    /// Decoded, for the record.
    pub(super) fn describe(&self) -> Value {
        let mut object = match self {
            Self::Transaction(transaction) => describe_transaction(*transaction),
            Self::Message(message) => match core::str::from_utf8(message) {
                Ok(text) => short("text", text.len(), message, || json!(text)),
                Err(_) => short("bytes", message.len(), message, || json!(hex::encode_prefixed(message))),
            },
            Self::TypedData { domain, primary_type, message } => describe_typed_data(domain, primary_type, *message),
            Self::Authorization(authorization) => object([
                ("chain_id", json!(authorization.chain_id.to_string())),
                ("delegate", json!(authorization.address.to_checksum(None))),
                ("nonce", json!(authorization.nonce)),
            ]),
            Self::Hash(_) => Map::new(),
        };
        object.insert("kind".to_owned(), json!(self.kind()));
        Value::Object(object)
    }
}

/// Its kind alone: messages are the caller's.
impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asked").field(&self.kind()).finish()
    }
}

/// Amounts are decimal strings: they may be greater than what JSON's readers keep.
fn describe_transaction(transaction: &(dyn Transaction + 'static)) -> Map<String, Value> {
    let input = transaction.input();
    let mut described = object([
        ("type", json!(type_name(transaction.ty()))),
        ("chain_id", json!(transaction.chain_id())),
        ("nonce", json!(transaction.nonce())),
        ("to", json!(transaction.kind().to().map(|to| to.to_checksum(None)))),
        ("value", json!(transaction.value().to_string())),
        ("gas_limit", json!(transaction.gas_limit())),
        ("max_fee_per_gas", json!(transaction.max_fee_per_gas().to_string())),
    ]);
    let tip = transaction.max_priority_fee_per_gas().map(|fee| ("max_priority_fee_per_gas", json!(fee.to_string())));
    let blob_fee = transaction.max_fee_per_blob_gas().map(|fee| ("max_fee_per_blob_gas", json!(fee.to_string())));
    let blobs = transaction.blob_versioned_hashes().map(|hashes| ("blob_versioned_hashes", json!(hashes)));
    let list = |name, count: usize| (count > 0).then(|| (name, json!(count)));
    let access = list("access_list_entries", transaction.access_list().map_or(0, |list| list.len()));
    let authorizations = list("authorizations", transaction.authorization_list().map_or(0, <[_]>::len));
    described.extend(object([tip, blob_fee, blobs, access, authorizations].into_iter().flatten()));
    described.extend(short("input", input.len(), input, || json!(input)));
    described
}

fn describe_typed_data(domain: &Eip712Domain, primary_type: &str, message: Option<&Value>) -> Map<String, Value> {
    let mut described = object([
        ("domain_name", json!(domain.name)),
        ("domain_version", json!(domain.version)),
        ("chain_id", json!(domain.chain_id.map(|id| id.to_string()))),
        ("verifying_contract", json!(domain.verifying_contract.map(|it| it.to_checksum(None)))),
        ("salt", json!(domain.salt)),
    ]);
    described.retain(|_, value| !value.is_null());
    described.insert("primary_type".to_owned(), json!(primary_type));
    if let Some(message) = message {
        let text = message.to_string();
        described.extend(short("message", text.len(), text.as_bytes(), || message.clone()));
    }
    described
}

/// A value; or the length and the hash of its bytes, where it is long.
fn short(name: &'static str, length: usize, bytes: &[u8], value: impl FnOnce() -> Value) -> Map<String, Value> {
    if length <= MAX_RECORDED_BYTES {
        return object([(name, value())]);
    }
    object([(name, json!({ "length": length, "keccak256": keccak256(bytes) }))])
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
