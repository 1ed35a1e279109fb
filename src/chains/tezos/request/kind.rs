//! Kinds of requests.

use core::fmt;

/// What a request is, by the names of Signatory's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RequestKind {
    /// `block`
    Block,
    /// `preattestation`
    Preattestation,
    /// `attestation`
    Attestation,
    /// `attestation_with_dal`
    AttestationWithDal,
    /// `generic`: any other operation.
    Generic,
    /// `pack`: a Micheline expression.
    Pack,
}

impl RequestKind {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Block, Self::Preattestation, Self::Attestation, Self::AttestationWithDal, Self::Generic, Self::Pack];

    /// Its name, for instance `block`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Preattestation => "preattestation",
            Self::Attestation => "attestation",
            Self::AttestationWithDal => "attestation_with_dal",
            Self::Generic => "generic",
            Self::Pack => "pack",
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
