//! What a key that is to be made is like.

use std::collections::BTreeMap;

use aws_sdk_kms::types::{KeySpec, KeyUsageType};

use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{AliasName, KeyRef},
};

/// A key that is to be made, with [`Keys::create`](super::Keys::create), [`ensure`](super::Keys::ensure) or
/// [`import`](super::Keys::import).
///
/// ```
/// use kms_signer::keys::NewKey;
///
/// let key = NewKey::signing().alias("alias/wallets/1").description("hot wallet").tag("team", "payments").multi_region(true);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until it is given to `create`, `ensure` or `import`"]
pub struct NewKey {
    pub(super) spec: KeySpec,
    pub(super) usage: KeyUsageType,
    pub(super) alias: Option<String>,
    pub(super) description: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) multi_region: bool,
    pub(super) policy: Option<String>,
}

impl NewKey {
    /// An Ethereum key: secp256k1 (`ECC_SECG_P256K1`), for signing.
    pub fn signing() -> Self {
        Self::of(KeySpec::EccSecgP256K1, KeyUsageType::SignVerify)
    }

    /// A key on P-256 (`ECC_NIST_P256`), for signing.
    pub fn p256() -> Self {
        Self::of(KeySpec::EccNistP256, KeyUsageType::SignVerify)
    }

    /// An Ed25519 key (`ECC_NIST_EDWARDS25519`), for signing.
    pub fn ed25519() -> Self {
        Self::of(KeySpec::EccNistEdwards25519, KeyUsageType::SignVerify)
    }

    /// A symmetric key (`SYMMETRIC_DEFAULT`), for encryption and decryption.
    pub fn symmetric() -> Self {
        Self::of(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt)
    }

    fn of(spec: KeySpec, usage: KeyUsageType) -> Self {
        let (alias, description, tags, multi_region, policy) = Default::default();
        Self { spec, usage, alias, description, tags, multi_region, policy }
    }

    /// An alias that leads to the key, `alias/` and 1 to 250 letters, digits, `/`, `_` and `-`. It must be free.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }

    /// A description, at most 8,192 characters. Not a place for secrets.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// A tag: a key of 1 to 128 characters, a value of at most 256. May be called up to 50 times. Needs `kms:TagResource`, too.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Whether the key can have [replicas](super::Keys::replicate) in other Regions. That cannot be changed later.
    pub fn multi_region(mut self, multi_region: bool) -> Self {
        self.multi_region = multi_region;
        self
    }

    /// The key policy, JSON of at most 32 KiB, for instance a [`KeyPolicy`](crate::iam::KeyPolicy). Without it KMS gives the one that
    /// lets the account's IAM policies decide.
    pub fn policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    #[cfg(feature = "seal")]
    pub(crate) fn is_symmetric(&self) -> bool {
        (&self.spec, &self.usage) == (&KeySpec::SymmetricDefault, &KeyUsageType::EncryptDecrypt)
    }

    pub(super) fn check_alias(&self) -> Result<()> {
        self.alias.as_deref().map_or(Ok(()), |alias| alias_name(alias).map(drop))
    }
}

/// An alias name, and no other reference.
pub(super) fn alias_name(text: &str) -> Result<AliasName> {
    match text.parse()? {
        KeyRef::Alias(alias) => Ok(alias),
        _ => Err(Error::new(
            ErrorKind::InvalidKeyRef,
            Operation::ParseKeyRef,
            "this is a key reference, but no alias name",
        )
        .with_remedy("an alias is written alias/…, without account and Region")),
    }
}
