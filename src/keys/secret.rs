//! A private key on its way into KMS.

use core::fmt;
use std::path::Path;

use alloy_primitives::{Address, hex};
use alloy_signer_local::PrivateKeySigner;
use k256::{SecretKey, pkcs8::EncodePrivateKey};
use zeroize::Zeroizing;

use super::keystore;
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    public_key::PublicKey,
};

/// A secp256k1 private key that is to be [imported](super::Keys::import). It is zeroized when it is dropped, and never shown.
///
/// ```
/// use kms_signer::keys::Secret;
///
/// // A key that everybody knows: the first of every development node.
/// let secret = Secret::from_hex("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")?;
/// assert_eq!(secret.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret(SecretKey);

impl Secret {
    /// Reads 64 hexadecimal digits, with or without `0x`; white space around them is ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is anything else, zero, or not below the order of the curve. No character is repeated in the error.
    pub fn from_hex(text: &str) -> Result<Self> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = Zeroizing::new([0u8; 32]);
        if digits.len() != 64 {
            return Err(invalid(format!("{} characters are not 64 hexadecimal digits", digits.chars().count())));
        }
        hex::decode_to_slice(digits, bytes.as_mut_slice())
            .map_err(|_| invalid("there is something else than hexadecimal digits in it".to_owned()))?;
        Self::from_bytes(&bytes)
    }

    /// Takes 32 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the number is zero or not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        SecretKey::from_slice(bytes)
            .map(Self)
            .map_err(|_| invalid("the number is not between 1 and the order of secp256k1".to_owned()))
    }

    /// Decrypts a JSON keystore file (Web3 Secret Storage, version 3). It takes about a second of one processor, by design: in
    /// an asynchronous program call it from `spawn_blocking`. A file that asks for more than 1 GiB of memory is refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the file cannot be read, is no keystore, or the password is wrong.
    pub fn from_keystore(path: impl AsRef<Path>, password: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = keystore::decrypt(path.as_ref(), password.as_ref())
            .map_err(|error| invalid(format!("the keystore cannot be decrypted: {error}")))?;
        let bytes: &[u8; 32] =
            bytes.as_slice().try_into().map_err(|_| invalid("the keystore holds no private key".to_owned()))?;
        Self::from_bytes(bytes)
    }

    /// The Ethereum address.
    pub fn address(&self) -> Address {
        self.public_key().address()
    }

    /// A new, random one.
    #[cfg(feature = "seal")]
    pub(crate) fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            rand_core::RngCore::try_fill_bytes(&mut rand_core::OsRng, bytes.as_mut_slice()).map_err(|_| {
                let message = "the operating system gives no random numbers";
                Error::new(ErrorKind::Other, Operation::Seal, message)
            })?;
            // Nearly every number is a key.
            if let Ok(secret) = Self::from_bytes(&bytes) {
                return Ok(secret);
            }
        }
    }

    #[cfg(feature = "seal")]
    pub(crate) fn to_bytes(&self) -> Zeroizing<k256::FieldBytes> {
        Zeroizing::new(self.0.to_bytes())
    }

    #[cfg(feature = "seal")]
    pub(crate) fn to_signer(&self) -> PrivateKeySigner {
        PrivateKeySigner::from_signing_key(k256::ecdsa::SigningKey::from(&self.0))
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::of_secret(&self.0)
    }

    /// The DER of a PKCS#8 `PrivateKeyInfo` (RFC 5208) around an `ECPrivateKey` (RFC 5915), what KMS takes. Zeroized when dropped.
    pub(super) fn to_pkcs8_der(&self) -> Result<k256::pkcs8::SecretDocument> {
        self.0.to_pkcs8_der().map_err(|error| invalid(format!("it cannot be encoded: {error}")))
    }
}

impl From<PrivateKeySigner> for Secret {
    fn from(signer: PrivateKeySigner) -> Self {
        Self::from(&signer)
    }
}

impl From<&PrivateKeySigner> for Secret {
    fn from(signer: &PrivateKeySigner) -> Self {
        Self(SecretKey::from(signer.credential().as_nonzero_scalar()))
    }
}

/// The address, never the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("address", &self.address()).finish_non_exhaustive()
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Config, Operation::ReadSecret, message).with_remedy(
        "give the 32 bytes of a secp256k1 private key, in hexadecimal, or a keystore file with its password",
    )
}
