//! Kinds of operations, by the names that the protocol's JSON and Signatory's configuration have.

use core::fmt;

/// What one content of an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    kind: OperationKind,
    ballot: Option<Ballot>,
}

/// How a ballot votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ballot {
    /// For it.
    Yay,
    /// Against it.
    Nay,
    /// Neither.
    Pass,
}

impl Operation {
    pub(super) fn new(kind: OperationKind) -> Self {
        Self { kind, ballot: None }
    }

    pub(super) fn ballot(vote: Ballot) -> Self {
        Self { kind: OperationKind::Ballot, ballot: Some(vote) }
    }

    /// Its kind.
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// How it votes, if it is a ballot.
    pub fn vote(&self) -> Option<Ballot> {
        self.ballot
    }
}

/// The kind's name; a ballot with its vote, `ballot:yay`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ballot {
            Some(vote) => write!(f, "{}:{vote}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yay => "yay",
            Self::Nay => "nay",
            Self::Pass => "pass",
        })
    }
}

macro_rules! kinds {
    ($($kind:ident $name:literal,)*) => {
        /// The kinds of operations of the current protocol. The four that are calls of an account's own entrypoints, `stake` to
        /// `set_delegate_parameters`, are kinds of their own, as in Signatory.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OperationKind {
            $(#[doc = concat!("`", $name, "`")] $kind,)*
        }

        impl OperationKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name, for instance `transaction`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    ActivateAccount "activate_account",
    AttestationsAggregate "attestations_aggregate",
    Ballot "ballot",
    DalEntrapmentEvidence "dal_entrapment_evidence",
    DalPublishCommitment "dal_publish_commitment",
    Delegation "delegation",
    DoubleBakingEvidence "double_baking_evidence",
    DoubleConsensusOperationEvidence "double_consensus_operation_evidence",
    DrainDelegate "drain_delegate",
    FailingNoop "failing_noop",
    FinalizeUnstake "finalize_unstake",
    IncreasePaidStorage "increase_paid_storage",
    Origination "origination",
    PreattestationsAggregate "preattestations_aggregate",
    Proposals "proposals",
    RegisterGlobalConstant "register_global_constant",
    Reveal "reveal",
    SeedNonceRevelation "seed_nonce_revelation",
    SetDelegateParameters "set_delegate_parameters",
    SetDepositsLimit "set_deposits_limit",
    SignaturePrefix "signature_prefix",
    SmartRollupAddMessages "smart_rollup_add_messages",
    SmartRollupCement "smart_rollup_cement",
    SmartRollupExecuteOutboxMessage "smart_rollup_execute_outbox_message",
    SmartRollupOriginate "smart_rollup_originate",
    SmartRollupPublish "smart_rollup_publish",
    SmartRollupRecoverBond "smart_rollup_recover_bond",
    SmartRollupRefute "smart_rollup_refute",
    SmartRollupTimeout "smart_rollup_timeout",
    Stake "stake",
    Transaction "transaction",
    TransferTicket "transfer_ticket",
    Unstake "unstake",
    UpdateCompanionKey "update_companion_key",
    UpdateConsensusKey "update_consensus_key",
    VdfRevelation "vdf_revelation",
    ZkRollupOrigination "zk_rollup_origination",
    ZkRollupPublish "zk_rollup_publish",
    ZkRollupUpdate "zk_rollup_update",
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
