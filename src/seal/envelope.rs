//! Envelopes: secrets of up to 64 MiB, encrypted here under a data key of their own.
//!
//! KMS makes the data key and hands it out twice, once plain and once encrypted (`GenerateDataKey`). The secret is encrypted with the plain one
//! and AES-256-GCM (NIST SP 800-38D), the encrypted one is kept in the envelope, the plain one is erased. To open it, KMS decrypts the
//! data key.
//!
//! # The format, version 1
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | `KMSE`, in ASCII |
//! | 4 | 1 | the version, 1 |
//! | 5 | 2 | n, the length of the encrypted data key, 1 to 6,144, big-endian |
//! | 7 | n | the encrypted data key, KMS's `CiphertextBlob` |
//! | 7 + n | 12 | the nonce, random |
//! | 19 + n | m | the secret, encrypted; m is its length, 0 to 67,108,864 |
//! | 19 + n + m | 16 | the tag |
//!
//! The additional data of AES-256-GCM are the first 19 + n bytes, then the encryption context: names and values by name (by their UTF-8 bytes), each
//! after its length in eight bytes, big-endian. KMS authenticates the context, too. So neither a byte of the envelope nor the context can be
//! changed unnoticed, and no part of it can be moved to another envelope. The nonce may be random, since no data key is used twice.
//!
//! The length of the secret shows, and the [context](super::EncryptionContext) is not stored: keep it where you keep the envelope.

mod format;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use aws_sdk_kms::operation::generate_data_key::GenerateDataKeyOutput;
use rand_core::{OsRng, RngCore};

use self::format::{Header, NONCE, Parts, TAG};
use super::{EncryptionContext, Plaintext, SymmetricKey, ciphertext_of, missing};
use crate::error::{Error, ErrorKind, Operation, Result};

/// The longest secret that is sealed, in bytes: 64 MiB.
pub const MAX_SECRET: usize = 64 * 1024 * 1024;

/// In bytes.
const DATA_KEY: usize = 32;

impl SymmetricKey {
    /// Seals a secret of up to 64 MiB in an [envelope] of its own data key. Needs `kms:GenerateDataKey`.
    ///
    /// It is encrypted on the calling thread, in one go.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a longer secret or a context that is too long, of which nothing is sent; [`ErrorKind::Other`] if the operating
    /// system gives no random numbers; those that a request ends with.
    ///
    /// [envelope]: crate::seal::envelope
    pub async fn seal(&self, secret: impl AsRef<[u8]>, context: &EncryptionContext) -> Result<Vec<u8>> {
        let secret = secret.as_ref();
        if secret.len() > MAX_SECRET {
            let message = format!("the secret has {} bytes, and an envelope takes {MAX_SECRET}", secret.len());
            return Err(self
                .error(ErrorKind::Config, Operation::Seal, message)
                .with_remedy("encrypt large files with a key of their own, and seal that key"));
        }
        let read = |answer: GenerateDataKeyOutput| {
            let plain = answer.plaintext.map(|bytes| Plaintext::new(bytes.into_inner()));
            let answered = self.answered(answer.key_id.as_deref(), Operation::GenerateDataKey)?;
            let encrypted = ciphertext_of(answer.ciphertext_blob, Operation::GenerateDataKey)?;
            let plain = plain.ok_or_else(|| missing(Operation::GenerateDataKey, "Plaintext"))?;
            if plain.len() != DATA_KEY {
                let message = format!("the answer's Plaintext has {} bytes, not {DATA_KEY}", plain.len());
                return Err(Error::new(ErrorKind::InvalidResponse, Operation::GenerateDataKey, message));
            }
            self.keep(&answered, Operation::GenerateDataKey)?;
            // On the heap, where it is erased. A cipher would be copied with every move through the futures above.
            Ok((plain, encrypted))
        };
        let options = self.options(context, Operation::GenerateDataKey)?;
        let (data_key, encrypted) = self.client.generate_data_key(self.key(), options, read).await?;
        let mut nonce = [0; NONCE];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| {
            self.error(ErrorKind::Other, Operation::Seal, "the operating system gives no random numbers")
        })?;
        cipher(&data_key)
            .and_then(|cipher| write(&cipher, &Header { data_key: &encrypted, nonce }, secret, context))
            .ok_or_else(|| self.error(ErrorKind::Other, Operation::Seal, "the secret could not be encrypted"))
    }

    /// Opens an [envelope] that was sealed with this key under this context. Needs `kms:Decrypt`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCiphertext`] if it is no envelope, was altered or cut, if the context is another one, or another key was used;
    /// the others that a request ends with.
    ///
    /// [envelope]: crate::seal::envelope
    pub async fn unseal(&self, envelope: impl AsRef<[u8]>, context: &EncryptionContext) -> Result<Plaintext> {
        let invalid = |message: String| self.error(ErrorKind::InvalidCiphertext, Operation::Unseal, message);
        let parts = Parts::read(envelope.as_ref()).map_err(|wrong| invalid(wrong.to_string()))?;
        let (data_key, request_id) = self.decrypt_named(parts.header.data_key, context).await?;
        let invalid = |message| invalid(message).with_request_id(request_id.as_deref());
        let cipher = cipher(&data_key)
            .ok_or_else(|| invalid(format!("the data key has {} bytes, not {DATA_KEY}", data_key.len())))?;
        open(&cipher, &parts, context).ok_or_else(|| {
            invalid("the envelope was altered, or it is not the one that this data key was made for".to_owned())
        })
    }
}

fn cipher(data_key: &[u8]) -> Option<Aes256Gcm> {
    Aes256Gcm::new_from_slice(data_key).ok()
}

/// The whole envelope.
fn write(cipher: &Aes256Gcm, header: &Header<'_>, secret: &[u8], context: &EncryptionContext) -> Option<Vec<u8>> {
    let mut envelope = Vec::with_capacity(header.len() + secret.len() + TAG);
    header.write(&mut envelope)?;
    let aad = [envelope.as_slice(), &context.to_bytes()].concat();
    let start = envelope.len();
    // It never grows beyond its capacity, so that no copy of the secret is left behind.
    envelope.extend_from_slice(secret);
    let tag = cipher.encrypt_inout_detached(&header.nonce.into(), &aad, envelope.get_mut(start..)?.into()).ok()?;
    envelope.extend_from_slice(&tag);
    Some(envelope)
}

fn open(cipher: &Aes256Gcm, parts: &Parts<'_>, context: &EncryptionContext) -> Option<Plaintext> {
    let aad = [parts.header_bytes, &context.to_bytes()].concat();
    let mut secret = zeroize::Zeroizing::new(parts.encrypted.to_vec());
    cipher
        .decrypt_inout_detached(&parts.header.nonce.into(), &aad, secret.as_mut_slice().into(), &parts.tag.into())
        .ok()?;
    Some(Plaintext::new(core::mem::take(&mut *secret)))
}

#[cfg(test)]
mod tests;
