//! How a KMS key is named: by id, by ARN, by alias, by alias ARN.

#[cfg(feature = "serde")]
mod serde;

use core::{fmt, str::FromStr};
#[cfg(feature = "aws")]
use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Operation, Result};

/// A reference to a KMS key, in any of the forms the KMS API accepts as `KeyId`.
///
/// | form | example |
/// |---|---|
/// | key id | `1234abcd-12ab-34cd-56ef-1234567890ab` |
/// | multi-Region key id | `mrk-1234abcd12ab34cd56ef1234567890ab` |
/// | key ARN | `arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab` |
/// | alias name | `alias/relayer` |
/// | alias ARN | `arn:aws:kms:us-east-1:111122223333:alias/relayer` |
///
/// A key in another account must be named by ARN. Any partition (`aws`, `aws-cn`, `aws-us-gov`, later ones) and any
/// Region are accepted.
///
/// ```
/// use kms_signer::KeyRef;
///
/// let key: KeyRef = "arn:aws-cn:kms:cn-north-1:111122223333:alias/relayer".parse()?;
/// assert_eq!(key.region(), Some("cn-north-1"));
/// assert_eq!(key.account(), Some("111122223333"));
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeyRef {
    /// A key id, for a key in the caller's own account and Region.
    Id(KeyId),
    /// A key ARN.
    Arn(KeyArn),
    /// An alias name with its `alias/` prefix, in the caller's own account and Region.
    Alias(AliasName),
    /// An alias ARN.
    AliasArn(AliasArn),
}

/// The id of a KMS key: a UUID, or `mrk-` and 32 hexadecimal digits for a multi-Region key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

/// The name of an alias with its `alias/` prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(String);

/// The ARN of a KMS key: `arn:<partition>:kms:<Region>:<account>:key/<key id>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyArn {
    text: String,
    place: Place,
    id: KeyId,
}

/// The ARN of an alias: `arn:<partition>:kms:<Region>:<account>:alias/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasArn {
    text: String,
    place: Place,
    alias: AliasName,
}

/// What the two kinds of ARN have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    partition: String,
    region: String,
    account: String,
}

/// The longest `KeyId` that the KMS API takes.
const MAX_LEN: usize = 2048;
/// The longest alias name, `alias/` included.
const ALIAS_MAX_LEN: usize = 256;
/// The longest label of a host name (RFC 1035): a Region is one, in the name of its endpoint.
const DNS_LABEL_MAX_LEN: usize = 63;

impl KeyRef {
    /// The Region, where the reference is an ARN.
    pub fn region(&self) -> Option<&str> {
        self.place().map(|place| place.region.as_str())
    }

    /// The account, 12 digits, where the reference is an ARN.
    pub fn account(&self) -> Option<&str> {
        self.place().map(|place| place.account.as_str())
    }

    /// The key ARN, where the reference is one.
    pub fn as_arn(&self) -> Option<&KeyArn> {
        match self {
            Self::Arn(arn) => Some(arn),
            _ => None,
        }
    }

    /// The key id, where the reference holds one. An alias does not.
    pub fn key_id(&self) -> Option<&KeyId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Arn(arn) => Some(&arn.id),
            Self::Alias(_) | Self::AliasArn(_) => None,
        }
    }

    /// Whether two references can be of one key, as far as they say.
    ///
    /// Key ids must agree. Partition and account must agree where both say them, and so must the Region unless the key
    /// is a multi-Region key, whose replicas share their key material. An alias says nothing about its key.
    #[cfg(feature = "aws")]
    fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Arn(a), Self::Arn(b)) => {
                a.id.is_same(&b.id)
                    && a.place.is_same_account(&b.place)
                    && (a.place.region == b.place.region || a.id.is_multi_region())
            }
            _ => match (self.key_id(), other.key_id()) {
                (Some(a), Some(b)) => a.is_same(b),
                _ => false,
            },
        }
    }

    /// Whether this reference can lead to the key that `answered` names. An alias name leads to any key, an alias ARN to any
    /// of its own account and Region, and to a multi-Region key's replicas.
    #[cfg(feature = "aws")]
    pub(crate) fn can_lead_to(&self, answered: &Self) -> bool {
        match (self, answered) {
            (Self::Alias(_), _) => true,
            (Self::AliasArn(alias), Self::Arn(key)) => {
                alias.place.is_same_account(&key.place)
                    && (alias.place.region == key.place.region || key.id.is_multi_region())
            }
            (Self::AliasArn(_), _) => true,
            _ => self.is_same_key(answered),
        }
    }

    /// Of a reference and the answer it led to, the one that says more: a key ARN stays, anything else gives way.
    #[cfg(feature = "aws")]
    pub(crate) fn narrowed_by(self, answered: Self) -> Self {
        match self {
            Self::Arn(_) => self,
            _ => answered,
        }
    }

    /// The reference by which another Region knows the same multi-Region key, or an alias of the same name. Any other is as it was.
    #[cfg(feature = "aws")]
    pub(crate) fn in_region(&self, region: Option<&str>) -> Cow<'_, str> {
        let elsewhere = region.filter(|&region| self.region().is_some_and(|own| own != region));
        match (self, elsewhere) {
            (Self::Arn(KeyArn { place, id, .. }), Some(region)) if id.is_multi_region() => {
                format!("arn:{}:kms:{region}:{}:key/{id}", place.partition, place.account).into()
            }
            (Self::AliasArn(AliasArn { place, alias, .. }), Some(region)) => {
                format!("arn:{}:kms:{region}:{}:{alias}", place.partition, place.account).into()
            }
            _ => self.as_ref().into(),
        }
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Arn(arn) => Some(&arn.place),
            Self::AliasArn(arn) => Some(&arn.place),
            Self::Id(_) | Self::Alias(_) => None,
        }
    }
}

impl Place {
    #[cfg(feature = "aws")]
    fn is_same_account(&self, other: &Self) -> bool {
        self.partition == other.partition && self.account == other.account
    }
}

impl KeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the id of a multi-Region key (`mrk-…`).
    pub fn is_multi_region(&self) -> bool {
        self.0.starts_with("mrk-")
    }

    /// Hexadecimal digits mean the same in upper case and lower.
    #[cfg(feature = "aws")]
    fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        let valid = match text.strip_prefix("mrk-") {
            Some(digits) => is_hex(digits, 32),
            None => {
                let mut groups = text.split('-');
                [8, 4, 4, 4, 12].iter().all(|&length| groups.next().is_some_and(|group| is_hex(group, length)))
                    && groups.next().is_none()
            }
        };
        valid.then(|| Self(text.to_owned()))
    }
}

impl AliasName {
    /// The name as text, with its `alias/` prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self> {
        let name = text.strip_prefix("alias/").unwrap_or_default();
        if name.is_empty() || text.len() > ALIAS_MAX_LEN {
            return Err(invalid("an alias name is alias/ and 1 to 250 characters".to_owned()));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b)) {
            return Err(invalid("an alias name has only letters, digits, /, _ and -".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl KeyArn {
    /// The partition, for instance `aws` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.place.partition
    }

    /// The Region, for instance `eu-central-1`.
    pub fn region(&self) -> &str {
        &self.place.region
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        &self.place.account
    }

    /// The key id.
    pub fn key_id(&self) -> &KeyId {
        &self.id
    }

    /// Whether it is a multi-Region key, whose replicas in other Regions have the same key id and key material.
    pub fn is_multi_region(&self) -> bool {
        self.id.is_multi_region()
    }
}

impl AliasArn {
    /// The partition, for instance `aws` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.place.partition
    }

    /// The Region, for instance `eu-central-1`.
    pub fn region(&self) -> &str {
        &self.place.region
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        &self.place.account
    }

    /// The alias name with its `alias/` prefix.
    pub fn alias(&self) -> &AliasName {
        &self.alias
    }
}

impl FromStr for KeyRef {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`]. The text is not repeated in the error: people paste private keys where a key id
    /// belongs.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_LEN {
            return Err(invalid(format!("{} characters are too many", text.len())));
        }
        if text.starts_with("arn:") {
            return parse_arn(text);
        }
        if text.starts_with("alias/") {
            return AliasName::parse(text).map(Self::Alias);
        }
        KeyId::parse(text).map(Self::Id).ok_or_else(|| invalid(describe(text).to_owned()))
    }
}

impl FromStr for KeyArn {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] if the text is not a key ARN.
    fn from_str(text: &str) -> Result<Self> {
        match text.parse()? {
            KeyRef::Arn(arn) => Ok(arn),
            _ => Err(invalid("a key ARN is needed here (arn:aws:kms:<Region>:<account>:key/<key id>)".to_owned())),
        }
    }
}

fn parse_arn(text: &str) -> Result<KeyRef> {
    let mut parts = text.splitn(6, ':').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let (partition, service, region, account, resource) = (next(), next(), next(), next(), next());

    let is_name = |text: &str| {
        text.len() <= DNS_LABEL_MAX_LEN
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !partition.starts_with("aws") || !is_name(partition) {
        return Err(invalid("the ARN's partition is none of AWS's (aws, aws-cn, aws-us-gov, …)".to_owned()));
    }
    if service != "kms" {
        return Err(invalid("the ARN is not of KMS; it should begin with arn:<partition>:kms:".to_owned()));
    }
    if !is_name(region) {
        return Err(invalid("the ARN has no Region, or an invalid one".to_owned()));
    }
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid("the ARN's account is not 12 digits".to_owned()));
    }
    let place = Place { partition: partition.to_owned(), region: region.to_owned(), account: account.to_owned() };

    if let Some(id) = resource.strip_prefix("key/") {
        let id = KeyId::parse(id).ok_or_else(|| invalid("the ARN does not end in a key id".to_owned()))?;
        Ok(KeyRef::Arn(KeyArn { text: text.to_owned(), place, id }))
    } else if resource.starts_with("alias/") {
        Ok(KeyRef::AliasArn(AliasArn { text: text.to_owned(), place, alias: AliasName::parse(resource)? }))
    } else {
        Err(invalid("the ARN is of neither a key nor an alias".to_owned()))
    }
}

/// What a text that is no key reference looks like, without a character of it.
fn describe(text: &str) -> &'static str {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if text.is_empty() {
        "the text is empty"
    } else if text.trim() != text {
        "the text has white space around it"
    } else if is_hex && digits.len() == 64 {
        "this looks like a private key, which does not belong here; treat it as exposed if it was logged elsewhere"
    } else if is_hex && digits.len() == 40 {
        "this looks like an address; name the KMS key it belongs to"
    } else if text.contains("PRIVATE KEY") || text.split_whitespace().count() >= 12 {
        "this looks like a private key or a seed phrase, which does not belong here"
    } else if text.starts_with("mrk-") {
        "a multi-Region key id is mrk- and 32 hexadecimal digits"
    } else {
        "the text is not a key reference; an alias is written with its prefix, alias/…"
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidKeyRef, Operation::ParseKeyRef, message)
}

impl AsRef<str> for KeyRef {
    fn as_ref(&self) -> &str {
        match self {
            Self::Id(id) => id.as_ref(),
            Self::Arn(arn) => arn.as_ref(),
            Self::Alias(alias) => alias.as_ref(),
            Self::AliasArn(arn) => arn.as_ref(),
        }
    }
}

/// Each form is shown, and passed to KMS, as it was read.
macro_rules! as_text {
    ($($type:ty => $field:tt),*) => {$(
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.$field
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_ref())
            }
        }
    )*};
}

as_text!(KeyId => 0, AliasName => 0, KeyArn => text, AliasArn => text);

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_ref())
    }
}

impl From<KeyArn> for KeyRef {
    fn from(arn: KeyArn) -> Self {
        Self::Arn(arn)
    }
}
