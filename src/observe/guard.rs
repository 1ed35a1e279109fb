//! What a guard decided, and what came of it.

use core::{fmt, time::Duration};

use alloy_primitives::{Address, B256};

/// A decision of a guard, or what came of one.
///
/// An [`Allowed`](Stage::Allowed) decision is followed by [`Signed`](Stage::Signed) or [`Failed`](Stage::Failed) with the same
/// [`id`](Self::id), unless the program ends between them.
#[derive(Clone, Copy, Debug)]
pub struct GuardEvent<'a> {
    pub(crate) stage: Stage,
    pub(crate) id: u64,
    pub(crate) caller: Option<&'a str>,
    pub(crate) signer: Address,
    pub(crate) key: Option<&'a str>,
    pub(crate) asked: &'static str,
    pub(crate) rule: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) digest: Option<B256>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) latency: Duration,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// A rule or a limit denied it; nothing was sent.
    Denied,
    /// A rule allowed it; it is about to be signed.
    Allowed,
    /// It was signed.
    Signed,
    /// It was allowed, and could not be signed or recorded, or its caller no longer waited for it. Nobody was given a signature.
    Failed,
    /// A recorder could not keep the record of a decision or a signature. What follows from that is told after it.
    Unrecorded,
}

impl<'a> GuardEvent<'a> {
    /// How far the request has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What joins a decision and what came of it: a number that no other request is likely to have.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who asked, as the program labelled the caller.
    pub fn caller(&self) -> Option<&'a str> {
        self.caller
    }

    /// The address that was to sign.
    pub fn signer(&self) -> Address {
        self.signer
    }

    /// The key as it is sent to KMS, a key ARN as a rule, where it is known.
    pub fn key(&self) -> Option<&'a str> {
        self.key
    }

    /// What was asked, in a word fit for a label: `transaction`, `message`, `typed_data`, `authorization` or `hash`.
    pub fn asked(&self) -> &'static str {
        self.asked
    }

    /// The rule that allowed it, or the rule or limit that denied it and came closest to allowing it.
    pub fn rule(&self) -> Option<&'a str> {
        self.rule
    }

    /// Why it was denied, or failed.
    pub fn reason(&self) -> Option<&'a str> {
        self.reason
    }

    /// The digest, 32 bytes, that was to be signed. None for typed data that was denied or has none.
    pub fn digest(&self) -> Option<B256> {
        self.digest
    }

    /// The id AWS gave the last request that it answered. CloudTrail records the same id.
    pub fn request_id(&self) -> Option<&'a str> {
        self.request_id
    }

    /// How long it has taken since it was asked.
    pub fn latency(&self) -> Duration {
        self.latency
    }
}

impl Stage {
    /// The stage in one word, fit for a label: `denied`, `allowed`, `signed`, `failed` or `unrecorded`.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Allowed => "allowed",
            Self::Signed => "signed",
            Self::Failed => "failed",
            Self::Unrecorded => "unrecorded",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_label())
    }
}
