//! How key material travels into KMS: wrapped under an RSA key of ours, with a token that says for which key.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    key_wrap::{AES_256, AesKek, KeyWrapPadded},
    rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{random, refusal::Refusal};

/// For how long a token is good, in seconds.
const VALIDITY: i64 = 24 * 60 * 60;
/// The length of the AES key of `RSA_AES_KEY_WRAP_SHA_256`, in bytes.
const AES_KEY: usize = 32;
/// That of an HMAC-SHA-256.
const TAG: usize = 32;
/// RSA keys of each size. They take turns, so that a key and a token of two answers do not fit together.
const PAIRS: usize = 2;

/// What was chosen in `GetParametersForImport`.
#[derive(Clone, Copy)]
pub(super) struct Wrapping {
    algorithm: Algorithm,
    size: KeySize,
    pair: usize,
}

#[derive(Clone, Copy)]
enum Algorithm {
    /// RSA-OAEP over the key material.
    Oaep,
    /// RSA-OAEP over an AES key, then the key material under that key (AES-KWP, RFC 5649).
    OaepAes,
}

/// An RSA key pair of this process.
struct RsaKey {
    private: OaepPrivateDecryptingKey,
    public_der: Vec<u8>,
}

impl Wrapping {
    /// None where FakeKms lacks one of them. `turn` is which of the RSA keys' turn it is.
    pub(super) fn of(algorithm: &str, spec: &str, turn: usize) -> Option<Self> {
        let algorithm = match algorithm {
            "RSAES_OAEP_SHA_256" => Algorithm::Oaep,
            "RSA_AES_KEY_WRAP_SHA_256" => Algorithm::OaepAes,
            _ => return None,
        };
        let size = match spec {
            "RSA_2048" => KeySize::Rsa2048,
            "RSA_3072" => KeySize::Rsa3072,
            "RSA_4096" => KeySize::Rsa4096,
            _ => return None,
        };
        Some(Self { algorithm, size, pair: turn % PAIRS })
    }

    /// The DER `SubjectPublicKeyInfo` to wrap key material with.
    pub(super) fn public_key(self) -> Result<&'static [u8], Refusal> {
        Ok(&self.rsa()?.public_der)
    }

    /// The key material, or nothing if it is not wrapped as was agreed.
    pub(super) fn unwrap(self, wrapped: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let rsa = &self.rsa()?.private;
        Ok(match self.algorithm {
            Algorithm::Oaep => decrypt(rsa, wrapped),
            Algorithm::OaepAes => wrapped
                .split_at_checked(self.size.len())
                .and_then(|(key, material)| unwrap_padded(&decrypt(rsa, key)?, material)),
        })
    }

    /// Made once: it takes a good part of a second.
    fn rsa(self) -> Result<&'static RsaKey, Refusal> {
        static KEYS: [[OnceLock<Option<RsaKey>>; PAIRS]; 3] = [const { [const { OnceLock::new() }; PAIRS] }; 3];
        let [small, middle, large] = &KEYS;
        let slots = match self.size {
            KeySize::Rsa2048 => small,
            KeySize::Rsa3072 => middle,
            _ => large,
        };
        let key = slots.get(self.pair).and_then(|slot| slot.get_or_init(|| generate(self.size)).as_ref());
        key.ok_or_else(|| Refusal::internal("no RSA key could be made"))
    }
}

fn generate(size: KeySize) -> Option<RsaKey> {
    let private = PrivateDecryptingKey::generate(size).ok()?;
    let public_der = AsDer::<PublicKeyX509Der<'_>>::as_der(&private.public_key()).ok()?.as_ref().to_vec();
    Some(RsaKey { private: OaepPrivateDecryptingKey::new(private).ok()?, public_der })
}

fn decrypt(rsa: &OaepPrivateDecryptingKey, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(vec![0; rsa.min_output_size()]);
    let length = rsa.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut buffer, None).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

fn unwrap_padded(key: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if key.len() != AES_KEY {
        return None;
    }
    let mut buffer = Zeroizing::new(vec![0; wrapped.len()]);
    let length = AesKek::new(&AES_256, key).ok()?.unwrap_with_padding(wrapped, &mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

/// What an import token stands for. It is written in the token itself, under a MAC of this process.
pub(super) struct Token {
    pub(super) key_arn: String,
    pub(super) algorithm: String,
    pub(super) spec: String,
    /// Of the wrapping key.
    pub(super) turn: usize,
    /// In seconds since 1970.
    pub(super) valid_to: i64,
}

impl Token {
    pub(super) fn new(key_arn: &str, algorithm: &str, spec: &str, turn: usize, now: i64) -> Self {
        let valid_to = now.saturating_add(VALIDITY);
        Self { key_arn: key_arn.to_owned(), algorithm: algorithm.to_owned(), spec: spec.to_owned(), turn, valid_to }
    }

    pub(super) fn seal(&self) -> Result<Vec<u8>, Refusal> {
        let mut bytes =
            json!([self.key_arn, self.algorithm, self.spec, self.turn, self.valid_to]).to_string().into_bytes();
        let tag = hmac::sign(mac_key()?, &bytes);
        bytes.extend(tag.as_ref());
        Ok(bytes)
    }

    /// Nothing if it is not one of ours.
    pub(super) fn open(sealed: &[u8]) -> Result<Option<Self>, Refusal> {
        let key = mac_key()?;
        Ok(Self::read(sealed, key))
    }

    fn read(sealed: &[u8], key: &hmac::Key) -> Option<Self> {
        let (bytes, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        hmac::verify(key, bytes, tag).ok()?;
        let [key_arn, algorithm, spec, turn, valid_to] = serde_json::from_slice::<[Value; 5]>(bytes).ok()?;
        let text = |value: Value| value.as_str().map(str::to_owned);
        Some(Self {
            key_arn: text(key_arn)?,
            algorithm: text(algorithm)?,
            spec: text(spec)?,
            turn: usize::try_from(turn.as_u64()?).ok()?,
            valid_to: valid_to.as_i64()?,
        })
    }
}

fn mac_key() -> Result<&'static hmac::Key, Refusal> {
    static KEY: OnceLock<hmac::Key> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let mut bytes = Zeroizing::new([0; 32]);
    random::fill(bytes.as_mut())?;
    Ok(KEY.get_or_init(|| hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref())))
}
