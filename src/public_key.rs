//! Whose key it is: a secp256k1 public key, and the encodings it arrives and leaves in.

mod address;
pub(crate) mod inverse;
mod jacobian;
#[cfg(feature = "serde")]
mod serde;
mod spki;
mod tables;
mod window;

use core::{
    fmt,
    hash::{Hash, Hasher},
};
use std::sync::Arc;

use alloy_primitives::{Address, hex};
use k256::{ProjectivePoint, Scalar, elliptic_curve::sec1::ToEncodedPoint};

pub(crate) use self::jacobian::Jacobian;
use self::tables::KeyTable;
use crate::error::{Error, ErrorKind, Operation, Result};

/// A secp256k1 public key: a point on the curve, never the point at infinity.
///
/// ```
/// use kms_signer::PublicKey;
///
/// // What `aws kms get-public-key` and the KMS console give for a key.
/// let key = PublicKey::from_spki_pem(
///     "-----BEGIN PUBLIC KEY-----
/// MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEgxhTW1QQXUp6rmDAj8RflocYG0/fxiW9
/// GnU/pzl/7XU1R/EcqGlmRvLzrLCOMQFq+sI+YwxdEfWfYf71ew0qpQ==
/// -----END PUBLIC KEY-----",
/// )?;
/// assert_eq!(key.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// # Ok::<_, kms_signer::Error>(())
/// ```
///
/// # Tables
///
/// A key that has verified 32 signatures, all its clones together, gets a table of its multiples, with which the next ones take a fourth of the
/// time. Whoever comes then makes it, in about 1 ms; the first one of a process also the generator's, in 3 ms. Nobody waits for it. A
/// table has 110 KB and goes with the last clone of its key; at most 256 keys have one at a time, so all together take 29 MB.
#[derive(Clone)]
pub struct PublicKey {
    point: k256::PublicKey,
    /// Shared by its clones.
    table: Arc<KeyTable>,
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo` (RFC 5280, section 4.1), what KMS's `GetPublicKey` returns: 88 bytes, or 56
    /// with a compressed point.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyUnsuitable`] if it is a key of another kind or curve, which is named;
    /// [`ErrorKind::InvalidPublicKey`] if it is not strict DER, has extra bytes, or the point is not on the curve.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        spki::parse(der).and_then(Self::from_sec1)
    }

    /// Reads a PEM `PUBLIC KEY` (RFC 7468, section 13), which the KMS console shows. What `aws kms get-public-key` prints is the
    /// DER in base64, without the PEM's first and last line.
    ///
    /// White space around it and CRLF line ends are accepted, anything else is not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPublicKey`] if it is not such a PEM text, and as for [`from_spki_der`](Self::from_spki_der).
    pub fn from_spki_pem(pem: &str) -> Result<Self> {
        Self::from_spki_der(&spki::pem_decode(pem)?)
    }

    /// Reads a SEC 1 point (section 2.3.4): 33 bytes compressed, or 65 bytes beginning with `04`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPublicKey`] if it has another length or is not on the curve.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self> {
        match (bytes.len(), bytes.first()) {
            (33, Some(2 | 3)) | (65, Some(4)) => {}
            (length, _) => {
                return Err(invalid(format!(
                    "a SEC 1 point has 33 bytes beginning with 02 or 03, or 65 beginning with 04; these {length} are not one"
                )));
            }
        }
        k256::PublicKey::from_sec1_bytes(bytes)
            .map(Self::of_point)
            .map_err(|_| invalid("the point is not on secp256k1"))
    }

    /// The DER `SubjectPublicKeyInfo`, 88 bytes, as KMS writes it (uncompressed point).
    pub fn to_spki_der(&self) -> Vec<u8> {
        spki::encode(&self.to_sec1_uncompressed())
    }

    /// The PEM `PUBLIC KEY` of [`to_spki_der`](Self::to_spki_der), with a line end after each line.
    pub fn to_spki_pem(&self) -> String {
        spki::pem_encode(&self.to_spki_der())
    }

    /// The compressed SEC 1 point, 33 bytes.
    pub fn to_sec1(&self) -> [u8; 33] {
        let mut out = [0; 33];
        out.copy_from_slice(self.point.to_encoded_point(true).as_bytes());
        out
    }

    /// The uncompressed SEC 1 point: `04`, then x and y, 65 bytes.
    pub fn to_sec1_uncompressed(&self) -> [u8; 65] {
        let mut out = [0; 65];
        out.copy_from_slice(self.point.to_encoded_point(false).as_bytes());
        out
    }

    /// The Ethereum address: the last 20 bytes of the Keccak-256 of x ‖ y.
    pub fn address(&self) -> Address {
        address::derive(&self.to_sec1_uncompressed())
    }

    #[cfg(feature = "keys")]
    pub(crate) fn of_secret(secret: &k256::SecretKey) -> Self {
        Self::of_point(secret.public_key())
    }

    pub(crate) fn point(&self) -> ProjectivePoint {
        self.point.to_projective()
    }

    /// u·G + v·Q for this key Q, if there is a table for it. It is made after the first few times.
    pub(crate) fn combine(&self, u: &Scalar, v: &Scalar) -> Option<Jacobian> {
        self.table.combine(|| self.point(), u, v)
    }

    fn of_point(point: k256::PublicKey) -> Self {
        Self { point, table: Arc::default() }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_sec1().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.to_sec1()))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidPublicKey, Operation::ParsePublicKey, message)
}
