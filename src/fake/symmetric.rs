//! Symmetric key material: AES-256-GCM, with the encryption context as additional data.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use zeroize::Zeroizing;

use super::{random, refusal::Refusal};

/// What a ciphertext begins with. KMS's own format is not published.
const VERSION: u8 = 1;

/// 32 bytes, erased when the last clone is dropped.
#[derive(Clone)]
pub(super) struct SymmetricKey(Arc<Zeroizing<[u8; 32]>>);

/// A ciphertext, taken apart: `VERSION`, the length of the key's id in a byte, the id, the nonce, what is encrypted, the tag.
pub(super) struct Ciphertext<'a> {
    pub(super) key_id: &'a str,
    nonce: [u8; NONCE_LEN],
    encrypted: &'a [u8],
}

impl SymmetricKey {
    pub(super) fn generate() -> Result<Self, Refusal> {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(bytes.as_mut())?;
        Ok(Self(Arc::new(bytes)))
    }

    /// Nothing if there are not 32 bytes.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Arc::new(Zeroizing::new(bytes))))
    }

    pub(super) fn fingerprint(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.0.as_slice()).as_ref().to_vec()
    }

    /// A ciphertext that names the key.
    pub(super) fn encrypt(
        &self,
        key_id: &str,
        context: &BTreeMap<&str, &str>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce)?;
        let mut encrypted = plaintext.to_vec();
        let aad = Aad::from(additional_data(key_id, context));
        self.aead()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut encrypted)
            .map_err(|_| Refusal::internal("nothing could be encrypted"))?;
        let length = u8::try_from(key_id.len()).map_err(|_| Refusal::internal("the key's id is too long"))?;
        Ok([&[VERSION, length], key_id.as_bytes(), &nonce, &encrypted].concat())
    }

    /// Nothing if it was not encrypted with this key under this context.
    pub(super) fn decrypt(
        &self,
        ciphertext: &Ciphertext<'_>,
        context: &BTreeMap<&str, &str>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let mut buffer = Zeroizing::new(ciphertext.encrypted.to_vec());
        let (nonce, aad) =
            (Nonce::assume_unique_for_key(ciphertext.nonce), Aad::from(additional_data(ciphertext.key_id, context)));
        let Ok(length) = self.aead()?.open_in_place(nonce, aad, &mut buffer).map(|plaintext| plaintext.len()) else {
            return Ok(None);
        };
        buffer.truncate(length);
        Ok(Some(buffer))
    }

    fn aead(&self) -> Result<LessSafeKey, Refusal> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice())
            .map(LessSafeKey::new)
            .map_err(|_| Refusal::internal("the key material is no AES-256 key"))
    }
}

impl<'a> Ciphertext<'a> {
    /// Nothing if it is no ciphertext of FakeKms's.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([VERSION, length], rest) = bytes.split_first_chunk()? else { return None };
        let (key_id, rest) = rest.split_at_checked((*length).into())?;
        let (nonce, encrypted) = rest.split_first_chunk()?;
        Some(Self { key_id: core::str::from_utf8(key_id).ok()?, nonce: *nonce, encrypted })
    }
}

/// Every text with its length before it, so that no two contexts are written alike.
fn additional_data(key_id: &str, context: &BTreeMap<&str, &str>) -> Vec<u8> {
    let texts = [key_id].into_iter().chain(context.iter().flat_map(|(name, value)| [*name, *value]));
    texts.flat_map(|text| (text.len() as u64).to_be_bytes().into_iter().chain(text.bytes())).collect()
}
