//! The encryption context: what a ciphertext belongs to.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Operation, Result};

/// In bytes.
const MAX_LENGTH: usize = 8192;

/// Names and values that a ciphertext belongs to. Who decrypts must give the same ones; their order does not matter, their case does.
///
/// **It is not secret**: it is authenticated and not encrypted, and CloudTrail shows it ([Encryption context][doc]). It is good for what says
/// which secret this is, such as a project, a tenant or an address, and for policies: a condition on
/// `kms:EncryptionContext:<name>` lets a role decrypt one tenant's secrets and no other's.
///
/// Names and values together may have 8,192 bytes, and no name may be empty. The bound is this crate's: KMS's documentation names
/// none for requests, and 8 pairs of at most 384 characters for the constraints of a grant.
///
/// ```
/// use kms_signer::seal::EncryptionContext;
///
/// let context = EncryptionContext::new().with("tenant", "17").with("purpose", "webhook");
/// assert_eq!(context, EncryptionContext::from([("purpose", "webhook"), ("tenant", "17")]));
/// ```
///
/// [doc]: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// An empty one: the ciphertext belongs to nothing but its key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name and its value, or gives the name another value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs, if KMS can be given them.
    pub(super) fn checked(&self) -> Result<&BTreeMap<String, String>> {
        let refused = |message: String| {
            Error::new(ErrorKind::Config, Operation::Encrypt, message).with_remedy(
                "name what the secret belongs to in a few short words; the context is not the place for data",
            )
        };
        let length: usize = self.iter().map(|(name, value)| name.len() + value.len()).sum();
        if length > MAX_LENGTH {
            return Err(refused(format!("the encryption context has {length} bytes, more than {MAX_LENGTH}")));
        }
        if self.0.contains_key("") {
            return Err(refused("a name of the encryption context is empty".to_owned()));
        }
        Ok(&self.0)
    }

    /// One text for each context: names and values by name, each after its length.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let texts = self.iter().flat_map(|(name, value)| [name, value]);
        texts.flat_map(|text| (text.len() as u64).to_be_bytes().into_iter().chain(text.bytes())).collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for EncryptionContext {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<N: Into<String>, V: Into<String>, const LENGTH: usize> From<[(N, V); LENGTH]> for EncryptionContext {
    fn from(pairs: [(N, V); LENGTH]) -> Self {
        pairs.into_iter().collect()
    }
}
