//! `RSA_AES_KEY_WRAP_SHA_256`: how key material travels to KMS.
//!
//! The material is wrapped with an AES key that is used once (RFC 5649), and that key is encrypted with KMS's RSA key (OAEP
//! with SHA-256 and MGF1 with SHA-256, RFC 8017). KMS gets the two one after the other.

use aws_lc_rs::{
    key_wrap::{AES_256, AesKek, KeyWrapPadded},
    rand,
    rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey},
};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Operation, Result};

/// What padding and the integrity check add at most (RFC 5649).
const WRAPPING_OVERHEAD: usize = 16;

/// `public_key` is the DER `SubjectPublicKeyInfo` that `GetParametersForImport` gives.
pub(super) fn wrap(material: &[u8], public_key: &[u8]) -> Result<Vec<u8>> {
    let wrapping_key =
        PublicEncryptingKey::from_der(public_key).ok().and_then(|key| OaepPublicEncryptingKey::new(key).ok());
    let wrapping_key = wrapping_key.ok_or_else(|| {
        let message = "the PublicKey of the answer is no RSA key";
        Error::new(ErrorKind::InvalidResponse, Operation::GetParametersForImport, message)
    })?;
    let failed = |_| Error::new(ErrorKind::Other, Operation::ImportKeyMaterial, "the key material cannot be wrapped");

    let mut aes_key = Zeroizing::new([0u8; 32]);
    rand::fill(aes_key.as_mut_slice()).map_err(failed)?;
    let mut out = vec![0; wrapping_key.ciphertext_size()];
    let encrypted = wrapping_key.encrypt(&OAEP_SHA256_MGF1SHA256, aes_key.as_slice(), &mut out, None);
    let length = encrypted.map_err(failed)?.len();
    out.truncate(length);

    let mut wrapped = vec![0; material.len() + WRAPPING_OVERHEAD];
    let kek = AesKek::new(&AES_256, aes_key.as_slice()).map_err(failed)?;
    out.extend_from_slice(kek.wrap_with_padding(material, &mut wrapped).map_err(failed)?);
    Ok(out)
}
