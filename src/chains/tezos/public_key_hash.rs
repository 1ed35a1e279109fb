//! Public key hashes: `tz1…` to `tz4…`.

use core::{fmt, str::FromStr};

use super::{
    base58::{self, TZ1, TZ2, TZ3, TZ4},
    public_key::Curve,
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// A public key hash, 20 bytes, with the kind of key it is of: an account's address, `tz…`, 36 characters.
///
/// `tz4…`, of BLS keys, is read, too: a configuration may name one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKeyHash {
    tag: Tag,
    bytes: [u8; 20],
}

/// As it stands before the hash in operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Tag {
    Ed25519 = 0,
    Secp256k1 = 1,
    P256 = 2,
    Bls = 3,
}

impl PublicKeyHash {
    pub(super) fn new(curve: Curve, bytes: [u8; 20]) -> Self {
        let tag = match curve {
            Curve::Ed25519 => Tag::Ed25519,
            Curve::Secp256k1 => Tag::Secp256k1,
            Curve::P256 => Tag::P256,
        };
        Self { tag, bytes }
    }

    /// The curve of the key. None of a BLS key, `tz4…`.
    pub fn curve(&self) -> Option<Curve> {
        match self.tag {
            Tag::Ed25519 => Some(Curve::Ed25519),
            Tag::Secp256k1 => Some(Curve::Secp256k1),
            Tag::P256 => Some(Curve::P256),
            Tag::Bls => None,
        }
    }

    /// The hash, 20 bytes, without its kind.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.bytes
    }

    /// As operations have it, 21 bytes: 0 for Ed25519, 1 for secp256k1, 2 for P-256 or 3 for BLS, then the hash.
    pub fn to_bytes(&self) -> [u8; 21] {
        let mut out = [self.tag as u8; 21];
        for (place, byte) in out.iter_mut().skip(1).zip(self.bytes) {
            *place = byte;
        }
        out
    }
}

/// `tz1…`, `tz2…`, `tz3…` or `tz4…`.
impl fmt::Display for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.tag {
            Tag::Ed25519 => TZ1,
            Tag::Secp256k1 => TZ2,
            Tag::P256 => TZ3,
            Tag::Bls => TZ4,
        };
        f.pad(&prefix.encode(&self.bytes))
    }
}

/// From `tz1…`, `tz2…`, `tz3…` or `tz4…`, with its checksum.
impl FromStr for PublicKeyHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let kinds = [(Tag::Ed25519, TZ1), (Tag::Secp256k1, TZ2), (Tag::P256, TZ3), (Tag::Bls, TZ4)];
        let found = kinds.iter().find_map(|(tag, prefix)| Some(Self { tag: *tag, bytes: prefix.decode(text)? }));
        found.ok_or_else(|| {
            let text = base58::shown(text);
            let message = format!("{text} is no public key hash: tz1…, tz2…, tz3… or tz4…, with its checksum");
            Error::new(ErrorKind::InvalidPublicKey, Operation::ParsePublicKey, message)
        })
    }
}

impl fmt::Debug for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeyHash({self})")
    }
}
