//! A signing key as it is kept: encrypted, with what is needed to open it.

use core::{fmt, str::FromStr};

use alloy_primitives::Address;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{EncryptionContext, MAX_CIPHERTEXT};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

const VERSION: u32 = 1;
/// More than any that is well-formed, in bytes.
const MAX_TEXT: usize = 16 * 1024;
/// The name in the encryption context.
pub(super) const ADDRESS: &str = "address";

/// A secp256k1 key that is sealed by a symmetric key in KMS. It is not secret: without `kms:Decrypt` on that key it is worth nothing.
///
/// As text it is a JSON object, of version 1 with these members and no others:
///
/// | member | |
/// |---|---|
/// | `version` | 1 |
/// | `address` | the Ethereum address, with its EIP-55 checksum |
/// | `key` | the ARN of the symmetric key |
/// | `ciphertext` | KMS's `CiphertextBlob`, in base64 (RFC 4648, section 4): the 32 bytes of the private key, under the encryption context `{"address": <address>}` |
///
/// So AWS's own command line can open it, too: `aws kms decrypt --encryption-context address=0x…`.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # use kms_signer::{fake::FakeKms, keys::{Keys, NewKey}, seal::{SealedKey, SealedSigner, SymmetricKey}};
/// # let keys = Keys::new(FakeKms::new().client());
/// # let key = SymmetricKey::ensure(&keys, "alias/hot", NewKey::symmetric()).await?;
/// let sealed = SealedSigner::create(&key).await?.sealed().clone();
/// let text = sealed.to_string(); // into a file, a database, an environment variable
/// assert!(text.starts_with(r#"{"version":1,"address":"0x"#));
/// assert_eq!(text.parse::<SealedKey>()?, sealed);
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
///
/// What is no sealed key is refused without a word of it being repeated, by the feature `serde`, too: it may be a plain key that was put in
/// the wrong place. A parser may show its input by itself, though: the crate `toml` quotes the line that it stopped at. Do not log its errors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(into = "Document"))]
pub struct SealedKey {
    address: Address,
    key: KeyRef,
    ciphertext: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    address: String,
    key: String,
    ciphertext: String,
}

impl SealedKey {
    pub(super) fn new(address: Address, key: KeyRef, ciphertext: Vec<u8>) -> Self {
        Self { address, key, ciphertext }
    }

    /// Whose key it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The symmetric key that it was sealed with: a key ARN, or the bare id that some emulators give.
    pub fn key(&self) -> &KeyRef {
        &self.key
    }

    /// KMS's ciphertext.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// The encryption context of every sealed key: its address.
    pub(super) fn context_of(address: Address) -> EncryptionContext {
        EncryptionContext::new().with(ADDRESS, address.to_checksum(None))
    }
}

impl From<SealedKey> for Document {
    fn from(sealed: SealedKey) -> Self {
        Self {
            version: VERSION,
            address: sealed.address.to_checksum(None),
            key: sealed.key.to_string(),
            ciphertext: STANDARD.encode(&sealed.ciphertext),
        }
    }
}

impl TryFrom<Document> for SealedKey {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self> {
        let Document { version, address, key, ciphertext } = document;
        if version != VERSION {
            return Err(malformed(format!("it is of version {version}, and this crate reads version {VERSION}")));
        }
        let address = Address::parse_checksummed(&address, None)
            .map_err(|_| malformed("its address is none, or the checksum (EIP-55) is wrong"))?;
        let key = match key.parse() {
            Ok(key @ (KeyRef::Arn(_) | KeyRef::Id(_))) => key,
            _ => return Err(malformed("its key is no key ARN")),
        };
        let ciphertext = STANDARD.decode(&ciphertext).map_err(|_| malformed("its ciphertext is no base64"))?;
        if ciphertext.is_empty() || ciphertext.len() > MAX_CIPHERTEXT {
            let message = format!("its ciphertext has {} bytes, not 1 to {MAX_CIPHERTEXT}", ciphertext.len());
            return Err(malformed(message));
        }
        Ok(Self { address, key, ciphertext })
    }
}

/// By hand, since serde's own errors repeat what is there, for instance a plain key.
#[cfg(feature = "serde")]
impl<'de> Deserialize<'de> for SealedKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        let document = Document::deserialize(deserializer)
            .map_err(|_| D::Error::custom("this is no sealed key: not an object of its members"))?;
        document.try_into().map_err(D::Error::custom)
    }
}

/// The JSON object, on one line.
impl fmt::Display for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&Document::from(self.clone())).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// From the JSON object, strictly; an error of kind [`ErrorKind::InvalidCiphertext`] says what is wrong, and repeats nothing of it.
impl FromStr for SealedKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(malformed(format!("it has {} bytes, more than {MAX_TEXT}", text.len())));
        }
        let document: Document = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // The text of the error may repeat what is there, for instance a plain key.
            malformed(format!("it is no JSON object of the four members, as seen at line {line}, column {column}"))
        })?;
        document.try_into()
    }
}

fn malformed(message: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidCiphertext, Operation::Unseal, format!("this is no sealed key: {message}"))
        .with_remedy("give the text as `SealedSigner::sealed` printed it")
}
