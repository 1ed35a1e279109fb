//! Ed25519 signatures.

use core::fmt;

use alloy_primitives::hex;

use crate::error::{Error, ErrorKind, Operation, Result};

/// An Ed25519 signature: R and s, 64 bytes (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// From its 64 bytes. Whether it is anybody's is for [`PublicKey::verify`](super::PublicKey::verify) to say.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| {
            let message = format!("a signature of {} bytes was answered, and an Ed25519 signature has 64", bytes.len());
            Error::new(ErrorKind::InvalidSignature, Operation::Sign, message)
        })
    }

    /// The signature, 64 bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// In hexadecimal.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}
