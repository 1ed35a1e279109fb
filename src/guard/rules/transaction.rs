//! Rules for transactions.

use alloy_consensus::{Transaction, TxType};
use alloy_primitives::{Address, ChainId, TxKind, U256};
use serde::{Deserialize, Deserializer, de};

use super::{Allow, Call, Named, Rule, address, amount};

/// Transactions that are allowed: those that pass every check of it.
///
/// What it does not name it does not allow: no value, no calldata, no contract creation, no access list, no blobs. The chain id is
/// the one that is signed; a transaction without one is denied by every rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TransactionRule {
    /// What errors and records call it.
    pub name: String,
    /// Chain ids (EIP-155).
    pub chain_ids: Allow<ChainId>,
    /// Recipients: accounts or contracts.
    #[serde(default, deserialize_with = "address::addresses")]
    pub to: Allow<Address>,
    /// Whether a contract may be created. Its code is not looked at.
    #[serde(default)]
    pub create: bool,
    /// What may be called: `none` alone unless given. It does not concern contract creation.
    #[serde(default = "no_calldata")]
    pub calls: Allow<Call>,
    /// The highest value, in wei; 0 unless given.
    #[serde(default, deserialize_with = "amount::wei")]
    pub max_value: U256,
    /// The highest gas price, or fee per gas with the priority fee (EIP-1559), in wei.
    #[serde(deserialize_with = "amount::gas_price")]
    pub max_fee_per_gas: u128,
    /// The highest gas limit.
    pub max_gas_limit: u64,
    /// EIP-2718 types: `legacy`, `eip2930` and `eip1559` unless given; also `eip4844` and `eip7702`.
    #[serde(default = "common_types", deserialize_with = "types")]
    pub types: Vec<TxType>,
    /// Whether there may be an access list (EIP-2930). It costs gas, and changes nothing else.
    #[serde(default)]
    pub access_list: bool,
    /// The highest number of blobs (EIP-4844); 0 unless given.
    #[serde(default)]
    pub max_blobs: u64,
    /// The highest fee per gas of blobs, in wei; needed with `max_blobs`.
    #[serde(default, deserialize_with = "amount::gas_price")]
    pub max_fee_per_blob_gas: u128,
    /// The highest number of authorisations (EIP-7702) that are sent along; 0 unless given. Whose they are, and to what they delegate, is
    /// not looked at: each was signed by the account that delegates. This signer's own are judged when they are signed.
    #[serde(default)]
    pub max_authorizations: u64,
}

impl TransactionRule {
    /// A rule that allows nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            chain_ids: Allow::default(),
            to: Allow::default(),
            create: false,
            calls: no_calldata(),
            max_value: U256::ZERO,
            max_fee_per_gas: 0,
            max_gas_limit: 0,
            types: common_types(),
            access_list: false,
            max_blobs: 0,
            max_fee_per_blob_gas: 0,
            max_authorizations: 0,
        }
    }
}

/// What a rule checks, from what says most about whether it was meant for the transaction to what says least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum Check {
    ChainId,
    Recipient,
    Call,
    Type,
    AccessList,
    Blobs,
    Authorizations,
    Value,
    GasLimit,
    FeePerGas,
    FeePerBlobGas,
}

impl Named for TransactionRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        let mistake = if self.chain_ids.is_nothing() {
            "allows no chain_ids"
        } else if self.to.is_nothing() && !self.create {
            "allows no recipient: list some in to, or switch create on"
        } else if !self.to.is_nothing() && self.calls.is_nothing() {
            "allows no calls: leave the key out for plain transfers"
        } else if self.types.is_empty() {
            "allows no types"
        } else if self.max_blobs > 0 && self.max_fee_per_blob_gas == 0 {
            "allows blobs without max_fee_per_blob_gas"
        } else if self.max_blobs > 0 && !self.types.contains(&TxType::Eip4844) {
            "allows blobs, and eip4844 is not among types"
        } else if self.max_authorizations > 0 && !self.types.contains(&TxType::Eip7702) {
            "allows authorisations, and eip7702 is not among types"
        } else if self.max_gas_limit == 0 {
            "allows no gas: max_gas_limit is 0"
        } else {
            return Ok(());
        };
        Err(mistake.to_owned())
    }
}

impl Rule for TransactionRule {
    type Asked<'a> = &'a (dyn Transaction + 'static);
    type Check = Check;
    const CHECKS: &'static [Check] = &[
        Check::ChainId,
        Check::Recipient,
        Check::Call,
        Check::Type,
        Check::AccessList,
        Check::Blobs,
        Check::Authorizations,
        Check::Value,
        Check::GasLimit,
        Check::FeePerGas,
        Check::FeePerBlobGas,
    ];

    fn passes(&self, check: Check, transaction: &(dyn Transaction + 'static)) -> bool {
        match check {
            Check::ChainId => transaction.chain_id().is_some_and(|id| self.chain_ids.has(&id)),
            Check::Recipient => match transaction.kind() {
                TxKind::Call(to) => self.to.has(&to),
                TxKind::Create => self.create,
            },
            Check::Call if transaction.kind().is_create() => true,
            Check::Call => match Call::of(transaction.input()) {
                Some(call) => self.calls.has(&call),
                None => self.calls == Allow::Any,
            },
            Check::Type => TxType::try_from(transaction.ty()).is_ok_and(|ty| self.types.contains(&ty)),
            Check::AccessList => self.access_list || access_list_len(transaction) == 0,
            Check::Blobs => blobs(transaction) <= self.max_blobs,
            Check::Authorizations => authorizations(transaction) <= self.max_authorizations,
            Check::Value => transaction.value() <= self.max_value,
            Check::GasLimit => transaction.gas_limit() <= self.max_gas_limit,
            Check::FeePerGas => transaction.max_fee_per_gas() <= self.max_fee_per_gas,
            Check::FeePerBlobGas => blobs(transaction) == 0 || blob_fee(transaction) <= self.max_fee_per_blob_gas,
        }
    }

    fn explain(&self, check: Check, transaction: &(dyn Transaction + 'static)) -> String {
        let price = |wei: u128| amount::show(U256::from(wei));
        match check {
            Check::ChainId => match transaction.chain_id() {
                Some(id) => format!("chain id {id} is not among chain_ids, {}", self.chain_ids),
                None => "it has no chain id, so it could be sent on every chain".to_owned(),
            },
            Check::Recipient => match transaction.kind() {
                TxKind::Call(to) => format!("recipient {to} is not among to, {}", self.to),
                TxKind::Create => "it creates a contract, and create is off".to_owned(),
            },
            Check::Call => match Call::of(transaction.input()) {
                Some(call) => format!("call {call} is not among calls, {}", self.calls),
                None => format!("calldata of {} bytes has no selector", transaction.input().len()),
            },
            Check::Type => format!("type {} is not among types, {}", type_name(transaction.ty()), self.type_names()),
            Check::AccessList => {
                format!("it has an access list of {} entries, and access_list is off", access_list_len(transaction))
            }
            Check::Blobs => format!("{} blobs are more than max_blobs, {}", blobs(transaction), self.max_blobs),
            Check::Authorizations => format!(
                "{} authorisations are more than max_authorizations, {}",
                authorizations(transaction),
                self.max_authorizations
            ),
            Check::Value => format!(
                "value {} is above max_value, {}",
                amount::show(transaction.value()),
                amount::show(self.max_value)
            ),
            Check::GasLimit => {
                format!("gas limit {} is above max_gas_limit, {}", transaction.gas_limit(), self.max_gas_limit)
            }
            Check::FeePerGas => format!(
                "fee per gas {} is above max_fee_per_gas, {}",
                price(transaction.max_fee_per_gas()),
                price(self.max_fee_per_gas)
            ),
            Check::FeePerBlobGas => format!(
                "fee per blob gas {} is above max_fee_per_blob_gas, {}",
                price(blob_fee(transaction)),
                price(self.max_fee_per_blob_gas)
            ),
        }
    }
}

impl TransactionRule {
    fn type_names(&self) -> String {
        self.types.iter().map(|&ty| type_name(ty.into())).collect::<Vec<_>>().join(", ")
    }
}

fn access_list_len(transaction: &(dyn Transaction + 'static)) -> usize {
    transaction.access_list().map_or(0, |list| list.len())
}

fn blobs(transaction: &(dyn Transaction + 'static)) -> u64 {
    transaction.blob_versioned_hashes().map_or(0, |hashes| hashes.len() as u64)
}

/// A transaction with blobs that states no fee for them cannot be judged by it.
fn blob_fee(transaction: &(dyn Transaction + 'static)) -> u128 {
    transaction.max_fee_per_blob_gas().unwrap_or(u128::MAX)
}

fn authorizations(transaction: &(dyn Transaction + 'static)) -> u64 {
    transaction.authorization_list().map_or(0, |list| list.len() as u64)
}

fn no_calldata() -> Allow<Call> {
    Allow::Only(vec![Call::None])
}

fn common_types() -> Vec<TxType> {
    vec![TxType::Legacy, TxType::Eip2930, TxType::Eip1559]
}

const TYPE_NAMES: [(TxType, &str); 5] = [
    (TxType::Legacy, "legacy"),
    (TxType::Eip2930, "eip2930"),
    (TxType::Eip1559, "eip1559"),
    (TxType::Eip4844, "eip4844"),
    (TxType::Eip7702, "eip7702"),
];

pub(in crate::guard) fn type_name(ty: u8) -> String {
    match TYPE_NAMES.iter().find(|(known, _)| u8::from(*known) == ty) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("{ty:#04x}"),
    }
}

fn types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TxType>, D::Error> {
    let read = |name: &String| match TYPE_NAMES.iter().find(|(_, known)| known == name) {
        Some((ty, _)) => Ok(*ty),
        None => Err(de::Error::unknown_variant(name, &["legacy", "eip2930", "eip1559", "eip4844", "eip7702"])),
    };
    Vec::<String>::deserialize(deserializer)?.iter().map(read).collect()
}
