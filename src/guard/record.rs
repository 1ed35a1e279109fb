//! What is recorded of a decision and of what came of it.

use std::{error::Error as StdError, sync::Arc, time::SystemTime};

use alloy_consensus::Transaction;
use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_primitives::{Address, ChainId, U256};
use async_trait::async_trait;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;

use super::time::rfc3339;
use crate::observe::{GuardEvent, Stage};

/// Keeps a record of every decision and signature, and can object.
///
/// It is asked before a signature is made and again before it is returned. If it fails, nothing is signed, or the
/// signature is dropped; see [`Guarded::with_recorder`](super::Guarded::with_recorder).
#[async_trait]
pub trait Recorder: Send + Sync + 'static {
    /// Keeps a record. What is returned as kept must survive what the program's users expect it to survive.
    ///
    /// # Errors
    ///
    /// Any error, if it could not be kept. The caller of the signer gets it as the source of an
    /// [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded).
    async fn record(&self, record: &Record<'_>) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

#[async_trait]
impl<R: Recorder + ?Sized> Recorder for Arc<R> {
    async fn record(&self, record: &Record<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        (**self).record(record).await
    }
}

/// A record: who asked, what was asked, what was decided, and what came of it.
///
/// It serializes to one JSON object. `asked`, the decoded request, and `spending` are part of decisions
/// ([`Allowed`](Stage::Allowed), [`Denied`](Stage::Denied)); what follows has the same `id`. Amounts are in wei, as decimal strings. There is no
/// signature in it.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    pub(super) at: SystemTime,
    pub(super) event: GuardEvent<'a>,
    pub(super) asked: Option<&'a Value>,
    pub(super) spending: Option<Spending>,
    pub(super) may_have_signed: bool,
}

/// What a transaction may cost its sender, for the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
    pub(super) at: SystemTime,
    pub(super) chain_id: u64,
    pub(super) sender: Address,
    pub(super) nonce: u64,
    pub(super) to: Option<Address>,
    pub(super) wei: U256,
}

impl<'a> Record<'a> {
    /// When it was asked, in the record of a decision; when it was written, in the others.
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// Who asked, for which key, what was decided and by which rule.
    pub fn event(&self) -> &GuardEvent<'a> {
        &self.event
    }

    /// What was asked, decoded. None in the record of what came of a decision.
    pub fn asked(&self) -> Option<&'a Value> {
        self.asked
    }

    /// Whether the signer may have made a signature that the caller did not get, where it failed. The limits count it then.
    pub fn may_have_signed(&self) -> bool {
        self.may_have_signed
    }

    /// What the transaction may cost its sender.
    pub fn spending(&self) -> Option<&Spending> {
        self.spending.as_ref()
    }
}

impl Spending {
    /// A spending of `wei`, value and highest fee, for [`Guard::restore`](super::Guard::restore): from a record of your own.
    pub fn new(at: SystemTime, sender: Address, chain_id: ChainId, nonce: u64, to: Option<Address>, wei: U256) -> Self {
        Self { at, chain_id, sender, nonce, to, wei }
    }

    /// Value, and every fee at its highest.
    pub(super) fn of(
        transaction: &(dyn Transaction + 'static),
        sender: Address,
        chain_id: ChainId,
        at: SystemTime,
    ) -> Self {
        let product = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
        let fee = product(transaction.gas_limit(), transaction.max_fee_per_gas());
        let blobs = transaction.blob_versioned_hashes().map_or(0, |hashes| hashes.len() as u64);
        let blob_gas = blobs.saturating_mul(DATA_GAS_PER_BLOB);
        let blob_fee = product(blob_gas, transaction.max_fee_per_blob_gas().unwrap_or_default());
        let wei = transaction.value().saturating_add(fee).saturating_add(blob_fee);
        Self { at, chain_id, sender, nonce: transaction.nonce(), to: transaction.kind().to().copied(), wei }
    }

    /// When it was decided.
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// The chain.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Who pays.
    pub fn sender(&self) -> Address {
        self.sender
    }

    /// The transaction's nonce: of those with the same chain, sender and nonce one is mined at most.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Who is paid; none if a contract is created.
    pub fn to(&self) -> Option<Address> {
        self.to
    }

    /// Value and highest fee, in wei.
    pub fn wei(&self) -> U256 {
        self.wei
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let GuardEvent { stage, id, caller, signer, key, rule, reason, digest, request_id, .. } = &self.event;
        let mut line = serializer.serialize_struct("Record", 12)?;
        line.serialize_field("time", &rfc3339(self.at))?;
        line.serialize_field("stage", stage.as_label())?;
        line.serialize_field("id", &format!("{id:016x}"))?;
        line.serialize_field("caller", caller)?;
        line.serialize_field("signer", &signer.to_checksum(None))?;
        line.serialize_field("key", key)?;
        line.serialize_field("rule", rule)?;
        line.serialize_field("digest", digest)?;
        match stage {
            Stage::Denied => line.serialize_field("reason", reason)?,
            Stage::Allowed => line.serialize_field("spending", &self.spending)?,
            Stage::Signed => line.serialize_field("request_id", request_id)?,
            Stage::Failed | Stage::Unrecorded => {
                line.serialize_field("reason", reason)?;
                line.serialize_field("request_id", request_id)?;
                line.serialize_field("may_have_signed", &self.may_have_signed)?;
            }
        }
        if let Some(asked) = self.asked {
            line.serialize_field("asked", asked)?;
        }
        line.end()
    }
}

/// The sender is the record's signer, the time the record's.
impl Serialize for Spending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Spending", 4)?;
        map.serialize_field("chain_id", &self.chain_id)?;
        map.serialize_field("nonce", &self.nonce)?;
        map.serialize_field("to", &self.to.map(|to| to.to_checksum(None)))?;
        map.serialize_field("wei", &self.wei.to_string())?;
        map.end()
    }
}
