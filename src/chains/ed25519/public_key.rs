//! Ed25519 public keys.

use core::{fmt, hash};

use alloy_primitives::hex;
use ed25519_dalek::VerifyingKey;

use super::Signature;
use crate::error::{Error, ErrorKind, Operation, Result};

/// What comes before the 32 bytes of the key in a DER SubjectPublicKeyInfo (RFC 8410): the algorithm 1.3.101.112, without parameters, and the BIT
/// STRING's head.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// An Ed25519 public key, 32 bytes (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From 32 bytes: a point of the curve, and not one of the eight of small order, with which signatures mean nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPublicKey`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| invalid("the bytes are no point of the curve"))?;
        if key.is_weak() {
            return Err(invalid("the point has a small order: no key has it"));
        }
        // Several encodings of one point are read; only one is written.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(invalid("the point is not in its canonical encoding"));
        }
        Ok(Self(key))
    }

    /// From the DER SubjectPublicKeyInfo that `GetPublicKey` returns (RFC 8410), 44 bytes; nothing else, and nothing after it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPublicKey`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        let key = der.strip_prefix(&SPKI).and_then(|key| key.try_into().ok());
        Self::from_bytes(
            key.ok_or_else(|| invalid("this is no SubjectPublicKeyInfo of an Ed25519 key, 44 bytes of DER"))?,
        )
    }

    /// The DER SubjectPublicKeyInfo, 44 bytes.
    pub fn to_spki_der(&self) -> Vec<u8> {
        [SPKI.as_slice(), self.as_bytes()].concat()
    }

    /// The key, 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Verifies a signature of a message, strictly: s is canonical, and no point has a small order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignatureMismatch`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<()> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.0.verify_strict(message, &signature).map_err(|_| {
            Error::new(
                ErrorKind::SignatureMismatch,
                Operation::Sign,
                format!("the signature is not one of this message by the public key {self}"),
            )
        })
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidPublicKey, Operation::ParsePublicKey, message)
}

impl hash::Hash for PublicKey {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// In hexadecimal.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
