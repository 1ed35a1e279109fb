//! Signatures: `edsig…`, `spsig1…`, `p2sig…`, `sig…`.

use core::{fmt, str::FromStr};

use super::{
    base58::{self, EDSIG, P2SIG, SIG, SPSIG1},
    public_key::Curve,
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// A signature, 64 bytes: r ‖ s, 32 bytes each, big-endian. It may say which curve it is on, or not (`sig…`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature {
    curve: Option<Curve>,
    bytes: [u8; 64],
}

impl Signature {
    pub(super) fn new(curve: Curve, bytes: [u8; 64]) -> Self {
        Self { curve: Some(curve), bytes }
    }

    /// From its 64 bytes, of a curve that it does not say.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self { curve: None, bytes }
    }

    /// The signature, 64 bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.bytes
    }

    /// The curve, if it says so.
    pub fn curve(&self) -> Option<Curve> {
        self.curve
    }

    /// The same, without its curve: `sig…`, 96 characters.
    pub fn to_generic(&self) -> Self {
        Self { curve: None, ..*self }
    }
}

/// `edsig…` or `spsig1…` (99 characters), `p2sig…` (98), or `sig…` (96) where it does not say its curve.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.curve {
            Some(Curve::Ed25519) => EDSIG,
            Some(Curve::Secp256k1) => SPSIG1,
            Some(Curve::P256) => P2SIG,
            None => SIG,
        };
        f.write_str(&prefix.encode(&self.bytes))
    }
}

/// From `edsig…`, `spsig1…`, `p2sig…` or `sig…`, with its checksum.
impl FromStr for Signature {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let kinds =
            [(Some(Curve::Ed25519), EDSIG), (Some(Curve::Secp256k1), SPSIG1), (Some(Curve::P256), P2SIG), (None, SIG)];
        let found = kinds.iter().find_map(|(curve, prefix)| Some(Self { curve: *curve, bytes: prefix.decode(text)? }));
        found.ok_or_else(|| {
            let text = base58::shown(text);
            let message = format!("{text} is no signature: edsig…, spsig1…, p2sig… or sig…, with its checksum");
            Error::new(ErrorKind::InvalidSignature, Operation::Sign, message)
        })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}
