//! The table: each fault, how it is made, and what is to become of it.

mod answers;
mod codes;
mod connections;
mod http;
mod state;

use kms_signer::{ErrorKind, KeyArn, fake::Fault};

use super::wire::Wire;

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) fault: &'static str,
    pub(super) make: Make,
    /// Nothing where the operation does not know the fault.
    pub(super) get_public_key: Option<Expected>,
    pub(super) sign: Option<Expected>,
}

#[derive(Clone, Debug)]
pub(super) enum Make {
    /// FakeKms makes it, once.
    Fault(Fault),
    /// The answer says another `KeyId`, which depends on the key.
    KeyId(fn(&KeyArn) -> String),
    /// `GetPublicKey` answers another key's public key.
    OtherPublicKey,
    /// `Sign` answers this key's signature of another digest.
    OtherDigest,
    /// A server on loopback breaks one connection.
    Wire(Wire),
    /// One connection is refused by the operating system.
    Refused,
    /// KMS's clock is the machine's plus these seconds.
    Clock(i64),
    Disabled,
    /// Pending deletion.
    Doomed,
    /// The signer was connected through an alias, which is then pointed at another key.
    Retargeted {
        as_given: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Nothing is wrong with such an answer.
    Accepted,
    Fails {
        kind: ErrorKind,
        may_have_signed: bool,
        retryable: bool,
        survived: bool,
    },
}

impl Expected {
    /// The same for an operation that signs nothing.
    pub(super) fn without_signature(mut self) -> Self {
        if let Self::Fails { may_have_signed, .. } = &mut self {
            *may_have_signed = false;
        }
        self
    }
}

/// A definite refusal: nothing was signed, and trying again is useless.
fn refused(kind: ErrorKind) -> Expected {
    Expected::Fails { kind, may_have_signed: false, retryable: false, survived: false }
}

/// Nothing was signed, and the next attempt may succeed.
fn not_now(kind: ErrorKind) -> Expected {
    Expected::Fails { kind, may_have_signed: false, retryable: true, survived: true }
}

/// Nobody knows what became of the request, and the next attempt may succeed.
fn lost(kind: ErrorKind) -> Expected {
    Expected::Fails { kind, may_have_signed: true, retryable: true, survived: true }
}

/// An answer that is not to be used. Another attempt could hide it.
fn discarded(kind: ErrorKind) -> Expected {
    Expected::Fails { kind, may_have_signed: true, retryable: false, survived: false }
}

/// Refused for the clock, which the next attempt has right.
fn clock() -> Expected {
    Expected::Fails { kind: ErrorKind::Config, may_have_signed: false, retryable: false, survived: true }
}

fn both(fault: &'static str, make: impl Into<Make>, expected: Expected) -> Row {
    each(fault, make, expected.without_signature(), expected)
}

fn each(fault: &'static str, make: impl Into<Make>, get_public_key: Expected, sign: Expected) -> Row {
    Row { fault, make: make.into(), get_public_key: Some(get_public_key), sign: Some(sign) }
}

fn get_public_key(fault: &'static str, make: impl Into<Make>, expected: Expected) -> Row {
    Row { fault, make: make.into(), get_public_key: Some(expected.without_signature()), sign: None }
}

fn sign(fault: &'static str, make: impl Into<Make>, expected: Expected) -> Row {
    Row { fault, make: make.into(), get_public_key: None, sign: Some(expected) }
}

impl From<Fault> for Make {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Wire> for Make {
    fn from(wire: Wire) -> Self {
        Self::Wire(wire)
    }
}

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section { title: "AWS answers with an error code", rows: codes::rows() },
        Section { title: "Something answers without one", rows: http::rows() },
        Section { title: "The connection breaks, or nothing comes", rows: connections::rows() },
        Section { title: "The answer is not the right one", rows: answers::rows() },
        Section { title: "Something changes while the signer runs", rows: state::rows() },
    ]
}
