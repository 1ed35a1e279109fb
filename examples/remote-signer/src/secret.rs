//! Callers' tokens, of which only hashes are kept.

use std::fmt;

use alloy_primitives::hex;
use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a token, or of a certificate's DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the bytes of a token or a certificate.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Compares in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A hash of a good token tells nothing about it; one of a bad token may.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// 64 hexadecimal digits, also as `openssl x509 -fingerprint` prints them with colons.
impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is not repeated: it may be the token itself.
        let wrong = || D::Error::custom("this is no SHA-256: 64 hexadecimal digits");
        let text = String::deserialize(deserializer).map_err(|_| wrong())?.replace(':', "");
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong())?;
        Ok(Self(bytes))
    }
}

/// A new token of 256 random bits, fit for a URL.
///
/// # Errors
///
/// If the system has no random numbers.
pub fn new_token() -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("random numbers: {error}"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_the_tools_print_it() {
        // printf secret | sha256sum
        let text = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let colons = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap().to_uppercase());
        for text in [text.to_owned(), colons.collect::<Vec<_>>().join(":")] {
            let read: Fingerprint = serde_json::from_value(text.into()).unwrap();
            assert!(read.matches(&Fingerprint::of(b"secret")));
            assert!(!read.matches(&Fingerprint::of(b"Secret")));
        }
    }

    #[test]
    fn what_is_no_hash_is_not_repeated() {
        for value in [serde_json::json!("hunter2"), serde_json::json!(42_424_242), serde_json::json!(["hunter2"])] {
            let error = serde_json::from_value::<Fingerprint>(value).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("4242"), "{error}");
        }
    }

    #[test]
    fn tokens_differ() {
        let (first, second) = (new_token().unwrap(), new_token().unwrap());
        assert!(first.len() == 64 && first != second);
        assert!(
            !format!("{:?}", Fingerprint::of(first.as_bytes()))
                .contains(&Fingerprint::of(first.as_bytes()).to_string())
        );
    }
}
