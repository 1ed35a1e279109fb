//! Public keys: `edpk…`, `sppk…`, `p2pk…`.

use core::{fmt, hash, str::FromStr};

use alloy_primitives::{B256, hex};
use blake2::{Blake2b, Digest, digest::consts::U20};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::elliptic_curve::sec1::ToEncodedPoint;

use super::{
    base58::{self, EDPK, P2PK, SPPK},
    public_key_hash::PublicKeyHash,
    signature::Signature,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    public_key, signature,
};

/// What comes before the 65 bytes of a point on P-256 in a DER SubjectPublicKeyInfo (RFC 5480), as KMS writes it.
const P256_SPKI: [u8; 26] = hex!("3059301306072a8648ce3d020106082a8648ce3d030107034200");

/// The longest DER of two integers on a curve of 256 bits, in bytes.
const LONGEST_DER: usize = 72;

/// The curve of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Curve {
    /// Ed25519: `edpk…`, `tz1…`. Such keys are read here, for callers that sign their requests; [`TezosSigner`](super::TezosSigner) signs with none.
    Ed25519,
    /// secp256k1: `sppk…`, `tz2…`.
    Secp256k1,
    /// P-256: `p2pk…`, `tz3…`.
    P256,
}

/// A public key, as Tezos writes it: `edpk…` (54 characters), `sppk…` or `p2pk…` (55 characters).
///
/// ```
/// use kms_signer::tezos::PublicKey;
///
/// let key: PublicKey = "p2pk66tTYL5EvahKAXncbtbRPBkAnxo3CszzUho5wPCgWauBMyvybuB".parse()?;
/// assert_eq!(key.hash().to_string(), "tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59At");
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    Ed25519(ed25519_dalek::VerifyingKey),
    Secp256k1(public_key::PublicKey),
    P256(p256::PublicKey),
}

impl PublicKey {
    /// From the DER SubjectPublicKeyInfo that `GetPublicKey` returns (RFC 5480): a key on P-256, 91 bytes, or on secp256k1, 88 bytes, and nothing
    /// after it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyUnsuitable`] for another curve, [`ErrorKind::InvalidPublicKey`] for what is no such DER or no point of the curve.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        match der.strip_prefix(&P256_SPKI) {
            Some(point) if point.len() == 65 => p256_point(point),
            Some(_) => Err(invalid("a SubjectPublicKeyInfo on P-256 has 91 bytes".to_owned())),
            None => public_key::PublicKey::from_spki_der(der).map(|key| Self(Inner::Secp256k1(key))),
        }
    }

    /// The DER SubjectPublicKeyInfo: 91 bytes on P-256, 88 on secp256k1, 44 on Ed25519 (RFC 8410).
    pub fn to_spki_der(&self) -> Vec<u8> {
        const ED25519_SPKI: [u8; 12] = hex!("302a300506032b6570032100");
        match &self.0 {
            Inner::Ed25519(key) => [&ED25519_SPKI[..], key.as_bytes()].concat(),
            Inner::Secp256k1(key) => key.to_spki_der(),
            Inner::P256(key) => [&P256_SPKI[..], key.to_encoded_point(false).as_bytes()].concat(),
        }
    }

    /// Its curve.
    pub fn curve(&self) -> Curve {
        match self.0 {
            Inner::Ed25519(_) => Curve::Ed25519,
            Inner::Secp256k1(_) => Curve::Secp256k1,
            Inner::P256(_) => Curve::P256,
        }
    }

    /// The key's bytes: the compressed point of SEC 1, 33 bytes, or 32 bytes of an Ed25519 key.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Inner::Ed25519(key) => key.as_bytes().to_vec(),
            Inner::Secp256k1(key) => key.to_sec1().to_vec(),
            Inner::P256(key) => key.to_encoded_point(true).as_bytes().to_vec(),
        }
    }

    /// The public key hash: Blake2b-160 of the key's bytes.
    pub fn hash(&self) -> PublicKeyHash {
        PublicKeyHash::new(self.curve(), Blake2b::<U20>::digest(self.to_bytes()).into())
    }

    /// Verifies a signature over bytes, by their Blake2b-256. On secp256k1 s must be low, as octez requires; on P-256 it may be either.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignatureMismatch`].
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> Result<()> {
        let digest = super::digest(bytes);
        let raw = signature.as_bytes();
        let is_curve = signature.curve().is_none_or(|curve| curve == self.curve());
        let verified = is_curve
            && match &self.0 {
                Inner::Ed25519(key) => {
                    key.verify_strict(digest.as_slice(), &ed25519_dalek::Signature::from_bytes(raw)).is_ok()
                }
                Inner::Secp256k1(key) => k256::ecdsa::Signature::from_slice(raw).is_ok_and(|signature| {
                    k256::ecdsa::VerifyingKey::from_sec1_bytes(&key.to_sec1())
                        .is_ok_and(|key| key.verify_prehash(digest.as_slice(), &signature).is_ok())
                }),
                Inner::P256(key) => p256::ecdsa::Signature::from_slice(raw)
                    .is_ok_and(|signature| is_signed_by(key, &digest, &signature)),
            };
        if verified { Ok(()) } else { Err(self.mismatch()) }
    }

    /// The signature in DER that KMS answers for a digest, verified.
    pub(super) fn read_der(&self, der: &[u8], digest: &B256) -> Result<Signature> {
        match &self.0 {
            Inner::Ed25519(_) => Err(self.mismatch()),
            // With low s: octez refuses the other.
            Inner::Secp256k1(key) => {
                let signature =
                    signature::recover(der, digest, key).map_err(|error| error.with_operation(Operation::Sign))?;
                Ok(Signature::new(Curve::Secp256k1, signature::to_compact(&signature)))
            }
            Inner::P256(key) => {
                let signature = Some(der)
                    .filter(|der| der.len() <= LONGEST_DER)
                    .and_then(|der| p256::ecdsa::Signature::from_der(der).ok())
                    .ok_or_else(|| {
                        let message = "the signature is not DER of two integers between 1 and n - 1";
                        Error::new(ErrorKind::InvalidSignature, Operation::Sign, message)
                    })?;
                if !is_signed_by(key, digest, &signature) {
                    return Err(self.mismatch());
                }
                Ok(Signature::new(Curve::P256, signature.to_bytes().into()))
            }
        }
    }

    fn mismatch(&self) -> Error {
        let message = format!("the signature is not one of these bytes by {self}");
        Error::new(ErrorKind::SignatureMismatch, Operation::Sign, message)
    }
}

fn is_signed_by(key: &p256::PublicKey, digest: &B256, signature: &p256::ecdsa::Signature) -> bool {
    p256::ecdsa::VerifyingKey::from(key).verify_prehash(digest.as_slice(), signature).is_ok()
}

fn p256_point(bytes: &[u8]) -> Result<PublicKey> {
    p256::PublicKey::from_sec1_bytes(bytes)
        .map(|key| PublicKey(Inner::P256(key)))
        .map_err(|_| invalid("the point is not on P-256".to_owned()))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidPublicKey, Operation::ParsePublicKey, message)
}

/// From a key on secp256k1, as the rest of this crate has it.
impl From<public_key::PublicKey> for PublicKey {
    fn from(key: public_key::PublicKey) -> Self {
        Self(Inner::Secp256k1(key))
    }
}

/// `edpk…`, `sppk…` or `p2pk…`.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match &self.0 {
            Inner::Ed25519(key) => EDPK.encode(key.as_bytes()),
            Inner::Secp256k1(key) => SPPK.encode(&key.to_sec1()),
            Inner::P256(_) => P2PK.encode(&self.to_bytes().try_into().unwrap_or([0; 33])),
        })
    }
}

/// From `edpk…`, `sppk…` or `p2pk…`, with its checksum.
impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(point) = P2PK.decode(text) {
            return p256_point(&point);
        }
        if let Some(point) = SPPK.decode(text) {
            return public_key::PublicKey::from_sec1(&point).map(Into::into);
        }
        if let Some(bytes) = EDPK.decode(text) {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak());
            return key.map(|key| Self(Inner::Ed25519(key))).ok_or_else(|| invalid("no point of Ed25519".to_owned()));
        }
        Err(invalid(format!("{} is no public key: edpk…, sppk… or p2pk…, with its checksum", base58::shown(text))))
    }
}

impl hash::Hash for PublicKey {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
