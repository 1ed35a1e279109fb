//! What may be signed with a key, in the words of Signatory's configuration.

use core::fmt;
use std::collections::BTreeSet;

use super::{
    chain_id::ChainId,
    operation::OperationKind,
    request::{Request, RequestKind},
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// Which requests, and which kinds of operations in generic ones, may be signed with a key.
///
/// What it does not name is refused. [`Policy::default`] is Signatory's for a key that is listed without one: `block`, `preattestation` and
/// `attestation`. [`Policy::none`] allows nothing.
///
/// ```
/// use kms_signer::{ErrorKind, alloy_primitives::hex, tezos::{Policy, Request}};
///
/// let policy = Policy::none().allow_operation("generic")?.allow_kind("reveal")?;
/// let transaction = Request::parse(&hex!(
///     "03573a2d2d49a3b9634d1605c3aa48ebdd5d21a5885ad17aa44c2b1d0dbcbcac686c004b415314d2b56b0481a3ae8c992ce8bb8dba0369\
///      d086039ecb2dc35000c0843d000076b2f1ea1cf6753888ac5488693977446652d79e00"
/// ))?;
/// let denied = policy.check(&transaction).unwrap_err();
/// assert_eq!(denied.kind(), ErrorKind::GuardDenied);
/// assert!(denied.to_string().contains("operation transaction is not allowed"));
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    operations: BTreeSet<RequestKind>,
    /// Names, as an operation has them.
    kinds: BTreeSet<&'static str>,
    /// Any, where there is no list; none, where it is empty.
    chains: Option<BTreeSet<ChainId>>,
}

/// Names of kinds that were an operation's once, and today's name. Those without one are never found in a generic operation: a list may name them.
const OLDER: &[(&str, &str)] = &[
    ("endorsement", "attestation"),
    ("preendorsement", "preattestation"),
    ("endorsement_with_dal", "attestation_with_dal"),
    ("double_endorsement_evidence", "double_attestation_evidence"),
    ("double_preendorsement_evidence", "double_preattestation_evidence"),
];
const NEVER: &[&str] = &[
    "attestation",
    "preattestation",
    "attestation_with_dal",
    "double_attestation_evidence",
    "double_preattestation_evidence",
];
const BALLOTS: &[&str] = &["ballot:yay", "ballot:nay", "ballot:pass"];

impl Policy {
    /// Allows nothing.
    pub fn none() -> Self {
        Self { operations: BTreeSet::new(), kinds: BTreeSet::new(), chains: None }
    }

    /// Allows a kind of request: `block`, `preattestation`, `attestation`, `attestation_with_dal`, `generic` or `pack`. `endorsement` and
    /// `preendorsement` are the older names of attestations.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for another name.
    pub fn allow_operation(mut self, name: &str) -> Result<Self> {
        let today = today(name);
        let kind = RequestKind::ALL.iter().find(|kind| kind.name() == today);
        self.operations.insert(*kind.ok_or_else(|| {
            unknown("request", name, "block, preattestation, attestation, attestation_with_dal, generic or pack")
        })?);
        Ok(self)
    }

    /// Allows a kind of operation in generic requests, for instance `transaction`, or a ballot with one vote, `ballot:yay`. Kinds of older protocols
    /// are accepted and never met.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for another name.
    pub fn allow_kind(mut self, name: &str) -> Result<Self> {
        let today = today(name);
        let kinds = OperationKind::ALL.iter().map(|kind| kind.name());
        let known = kinds.chain(BALLOTS.iter().copied()).chain(NEVER.iter().copied()).find(|known| *known == today);
        self.kinds.insert(known.ok_or_else(|| unknown("operation", name, "for instance transaction or ballot:yay"))?);
        Ok(self)
    }

    /// Allows blocks and consensus operations of this chain, and from now on of no other that is not named, too.
    #[must_use]
    pub fn allow_chain(mut self, chain_id: ChainId) -> Self {
        self.chains.get_or_insert_default().insert(chain_id);
        self
    }

    /// Allows blocks and consensus operations of no chain but these and those that are named beside them; of none at all, if there is none.
    #[must_use]
    pub fn allow_chains(mut self, chain_ids: impl IntoIterator<Item = ChainId>) -> Self {
        self.chains.get_or_insert_default().extend(chain_ids);
        self
    }

    /// Names of the allowed requests.
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        self.operations.iter().map(|kind| kind.name())
    }

    /// Names of the allowed kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().copied()
    }

    /// Whether a request may be signed: its kind, its chain, and every one of its operations.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::GuardDenied`], which names what is not allowed.
    pub fn check(&self, request: &Request) -> Result<()> {
        if let (Some(chains), Some(position)) = (&self.chains, request.position())
            && !chains.contains(&position.chain_id)
        {
            return Err(denied(format_args!("the chain {}", position.chain_id)));
        }
        if !self.operations.contains(&request.kind()) {
            return Err(denied(format_args!("the request kind {}", request.kind())));
        }
        let refused = request.operations().iter().find(|operation| {
            !self.kinds.contains(operation.kind().name()) && !self.kinds.contains(operation.to_string().as_str())
        });
        refused.map_or(Ok(()), |operation| Err(denied(format_args!("the operation {operation}"))))
    }
}

impl Default for Policy {
    fn default() -> Self {
        let operations = [RequestKind::Block, RequestKind::Preattestation, RequestKind::Attestation].into();
        Self { operations, ..Self::none() }
    }
}

fn today(name: &str) -> &str {
    OLDER.iter().find(|(older, _)| *older == name).map_or(name, |(_, today)| today)
}

fn unknown(what: &str, name: &str, known: &str) -> Error {
    let message = format!("{name:?} is no kind of {what}: {known}");
    Error::new(ErrorKind::Config, Operation::ReadRules, message).with_remedy("correct the name")
}

fn denied(what: fmt::Arguments<'_>) -> Error {
    Error::new(ErrorKind::GuardDenied, Operation::Judge, format!("{what} is not allowed for this key"))
        .with_remedy("allow it for this key, if it is meant to be signed")
}
