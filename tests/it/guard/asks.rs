//! What a guard is asked in tests, from TOML.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, utils::parse_units};
use alloy_sol_types::Eip712Domain;
use kms_signer::{
    Result,
    guard::{Asked, AskedTypedData, Guard, Permit, Rules},
};
use serde::Deserialize;

pub(super) const SENDER: Address = Address::repeat_byte(0x5e);

/// A transaction in the words of the documentation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tx {
    pub(super) r#type: String,
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    /// An address, or `create`.
    pub(super) to: String,
    pub(super) value: String,
    pub(super) input: Bytes,
    pub(super) gas_limit: u64,
    pub(super) max_fee_per_gas: String,
    pub(super) access_list: usize,
    pub(super) blobs: usize,
    pub(super) max_fee_per_blob_gas: String,
    pub(super) authorizations: usize,
}

impl Default for Tx {
    fn default() -> Self {
        Self {
            r#type: "eip1559".to_owned(),
            chain_id: Some(1),
            nonce: 0,
            to: Address::repeat_byte(0x70).to_string(),
            value: "0".to_owned(),
            input: Bytes::new(),
            gas_limit: 21_000,
            max_fee_per_gas: "20 gwei".to_owned(),
            access_list: 0,
            blobs: 0,
            max_fee_per_blob_gas: "0".to_owned(),
            authorizations: 0,
        }
    }
}

impl Tx {
    pub(super) fn from_toml(text: &str) -> Self {
        toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    pub(super) fn build(&self) -> Box<dyn SignableTransaction<Signature>> {
        let chain_id = self.chain_id.unwrap_or_default();
        let kind = if self.to == "create" { TxKind::Create } else { TxKind::Call(self.to.parse().unwrap()) };
        let call = || *kind.to().unwrap();
        let (value, fee) = (wei(&self.value), wei(&self.max_fee_per_gas).to());
        let item = AccessListItem { address: Address::repeat_byte(1), storage_keys: vec![B256::ZERO] };
        let access_list = AccessList(vec![item; self.access_list]);
        let (nonce, gas_limit, input) = (self.nonce, self.gas_limit, self.input.clone());
        match self.r#type.as_str() {
            "legacy" => {
                Box::new(TxLegacy { chain_id: self.chain_id, nonce, gas_price: fee, gas_limit, to: kind, value, input })
            }
            "eip2930" => {
                Box::new(TxEip2930 { chain_id, nonce, gas_price: fee, gas_limit, to: kind, value, access_list, input })
            }
            "eip1559" => Box::new(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: fee,
                max_priority_fee_per_gas: 0,
                to: kind,
                value,
                access_list,
                input,
            }),
            "eip4844" => Box::new(TxEip4844 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: fee,
                max_priority_fee_per_gas: 0,
                to: call(),
                value,
                access_list,
                blob_versioned_hashes: vec![B256::repeat_byte(1); self.blobs],
                max_fee_per_blob_gas: wei(&self.max_fee_per_blob_gas).to(),
                input,
            }),
            "eip7702" => {
                let authorization = Authorization { chain_id: U256::from(1), address: Address::ZERO, nonce: 0 };
                let signed = authorization.into_signed(Signature::test_signature());
                Box::new(TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: 0,
                    to: call(),
                    value,
                    access_list,
                    authorization_list: vec![signed; self.authorizations],
                    input,
                })
            }
            other => panic!("no transaction type {other}"),
        }
    }

    pub(super) fn judge(&self, guard: &Guard) -> Result<Permit> {
        guard.judge(SENDER, &Asked::Transaction(&*self.build()))
    }
}

/// A guard, and the clock its windows slide with.
pub(super) struct Timed {
    pub(super) guard: Guard,
    start: SystemTime,
    since: Arc<AtomicU64>,
}

impl Timed {
    pub(super) fn new(rules: &str) -> Self {
        let (start, since) = (SystemTime::now(), Arc::new(AtomicU64::new(0)));
        let clock = Arc::clone(&since);
        let rules = Rules::from_toml(rules).unwrap_or_else(|error| panic!("{rules}\n{error}"));
        let guard = Guard::with_clock(rules, move || start + Duration::from_millis(clock.load(Relaxed))).unwrap();
        Self { guard, start, since }
    }

    /// Sets the clock: so long after the guard was made.
    pub(super) fn set(&self, since: Duration) -> &Self {
        self.since.store(since.as_millis().try_into().unwrap(), Relaxed);
        self
    }

    pub(super) fn start(&self) -> SystemTime {
        self.start
    }

    pub(super) fn judge(&self, tx: &Tx) -> Result<Permit> {
        tx.judge(&self.guard)
    }

    /// Judges, and counts what is allowed as signed.
    pub(super) fn sign(&self, tx: &Tx) -> bool {
        self.judge(tx).map(Permit::used).is_ok()
    }
}

/// Typed data in the words of the documentation; `none` for a field that is absent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    domain_name: String,
    domain_version: String,
    chain_id: toml::Value,
    verifying_contract: String,
    primary_type: String,
}

impl Typed {
    pub(super) fn judge(&self, guard: &Guard) -> Result<Permit> {
        let text = |text: &str| (text != "none").then(|| text.to_owned());
        let domain = Eip712Domain {
            name: text(&self.domain_name).map(Into::into),
            version: text(&self.domain_version).map(Into::into),
            chain_id: self.chain_id.as_integer().map(U256::from),
            verifying_contract: text(&self.verifying_contract).map(|address| address.parse().unwrap()),
            salt: None,
        };
        guard.judge(SENDER, &Asked::TypedData(AskedTypedData::new(&domain, &self.primary_type)))
    }
}

/// An amount as in rules.
pub(super) fn wei(text: &str) -> U256 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "wei"));
    parse_units(number, unit).unwrap().into()
}
