//! What a signer is asked to sign.

use core::fmt;
use std::time::SystemTime;

use alloy_consensus::Transaction;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, hex, keccak256};
use alloy_sol_types::Eip712Domain;
use serde_json::{Map, Value, json};

use super::{record::Spending, rules::type_name};

/// Longer messages and calldata are recorded by their length and their hash.
const MAX_CONTENT: usize = 4096;

/// Longer names are, too: whoever asks chooses them, and a record has its bounds.
const MAX_NAME: usize = 256;

/// So many blobs and authorisations are recorded one by one, with the number of all.
const MAX_LISTED: usize = 16;

/// What a signer is asked to sign, with its content.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Asked<'a> {
    /// A transaction, with the chain id that is going to be signed.
    Transaction(&'a (dyn Transaction + 'static)),
    /// An EIP-191 message (`personal_sign`), without its prefix.
    Message(&'a [u8]),
    /// EIP-712 typed data.
    TypedData(AskedTypedData<'a>),
    /// An EIP-7702 authorisation.
    Authorization(&'a Authorization),
    /// A digest, which shows nothing of what it is the digest of.
    Hash(&'a B256),
}

/// EIP-712 typed data, as far as rules look at it.
#[derive(Clone, Copy)]
pub struct AskedTypedData<'a> {
    domain: &'a Eip712Domain,
    primary_type: &'a str,
    /// What is recorded of the rest.
    content: Option<&'a Content<'a>>,
}

/// Its type and its values, by their names in the record. Only asked for what was found not to be too large.
type Content<'a> = dyn Fn() -> Map<String, Value> + Send + Sync + 'a;

impl<'a> AskedTypedData<'a> {
    /// Typed data with this domain, whose struct has this name.
    pub fn new(domain: &'a Eip712Domain, primary_type: &'a str) -> Self {
        Self { domain, primary_type, content: None }
    }

    pub(super) fn with_content(self, content: &'a Content<'a>) -> Self {
        Self { content: Some(content), ..self }
    }

    /// The domain.
    pub fn domain(&self) -> &'a Eip712Domain {
        self.domain
    }

    /// The name of the struct that is signed.
    pub fn primary_type(&self) -> &'a str {
        self.primary_type
    }

    fn describe(&self) -> Map<String, Value> {
        let Self { domain, primary_type, content } = self;
        let mut described = match content {
            Some(content) => content(),
            None => Map::new(),
        };
        described.extend(object([
            ("domain_name", domain.name.as_deref().map_or(Value::Null, name)),
            ("domain_version", domain.version.as_deref().map_or(Value::Null, name)),
            ("chain_id", json!(domain.chain_id.map(|id| id.to_string()))),
            ("verifying_contract", json!(domain.verifying_contract.map(|it| it.to_checksum(None)))),
            ("salt", json!(domain.salt)),
            ("primary_type", name(primary_type)),
        ]));
        described.retain(|_, value| !value.is_null());
        described
    }
}

impl fmt::Debug for AskedTypedData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedTypedData").field("primary_type", &self.primary_type).finish_non_exhaustive()
    }
}

impl Asked<'_> {
    /// In a word fit for a label: `transaction`, `message`, `typed_data`, `authorization` or `hash`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transaction(_) => "transaction",
            Self::Message(_) => "message",
            Self::TypedData(_) => "typed_data",
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
                Ok(text) => object([("text", content(message, || json!(text)))]),
                Err(_) => object([("bytes", content(message, || json!(hex::encode_prefixed(message))))]),
            },
            Self::TypedData(data) => data.describe(),
            Self::Authorization(authorization) => describe_authorization(authorization),
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
    described.extend(object([tip, blob_fee].into_iter().flatten()));
    described.insert("input".to_owned(), content(input, || json!(input)));
    if let Some(entries) = transaction.access_list().map(|list| list.len()).filter(|entries| *entries > 0) {
        described.insert("access_list_entries".to_owned(), json!(entries));
    }
    if let Some(hashes) = transaction.blob_versioned_hashes() {
        described.insert("blobs".to_owned(), json!(hashes.len()));
        described.insert("blob_versioned_hashes".to_owned(), json!(hashes.get(..MAX_LISTED).unwrap_or(hashes)));
    }
    if let Some(list) = transaction.authorization_list() {
        let listed: Vec<_> = list.iter().take(MAX_LISTED).map(|signed| describe_authorization(signed)).collect();
        described.insert("authorizations".to_owned(), json!(list.len()));
        described.insert("authorization_list".to_owned(), json!(listed));
    }
    described
}

fn describe_authorization(authorization: &Authorization) -> Map<String, Value> {
    object([
        ("chain_id", json!(authorization.chain_id.to_string())),
        ("delegate", json!(authorization.address.to_checksum(None))),
        ("nonce", json!(authorization.nonce)),
    ])
}

/// A value; or the length and the hash of its bytes, where they are many.
pub(super) fn content(bytes: &[u8], value: impl FnOnce() -> Value) -> Value {
    if bytes.len() <= MAX_CONTENT { value() } else { digest_of(bytes) }
}

fn name(text: &str) -> Value {
    if text.len() <= MAX_NAME { json!(text) } else { digest_of(text.as_bytes()) }
}

fn digest_of(bytes: &[u8]) -> Value {
    json!({ "length": bytes.len(), "keccak256": keccak256(bytes) })
}

pub(super) fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
