//! What is known of a key.

use std::{collections::BTreeMap, time::SystemTime};

use alloy_primitives::Address;
use aws_sdk_kms::{
    operation::get_public_key::GetPublicKeyOutput,
    types::{KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType, OriginType},
};

use super::{KeyRecord, Keys, new_key::alias_name, pages::Pages};
use crate::{
    client::Where,
    error::{Error, ErrorKind, Operation, Result, one_line},
    key_ref::{AliasName, KeyArn, KeyRef},
    public_key::PublicKey,
};

/// What is known of a key in KMS: what it is, who it is, and what it is called.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    arn: KeyArn,
    spec: KeySpec,
    usage: KeyUsageType,
    state: KeyState,
    description: String,
    is_multi_region: bool,
    is_imported: bool,
    is_aws_managed: bool,
    created: Option<SystemTime>,
    spki_der: Option<Vec<u8>>,
    public_key: Option<PublicKey>,
    pub(super) aliases: Vec<AliasName>,
    pub(super) tags: Option<BTreeMap<String, String>>,
}

impl KeyInfo {
    /// The key ARN.
    pub fn arn(&self) -> &KeyArn {
        &self.arn
    }

    /// The Ethereum address, of a secp256k1 key whose public key could be read.
    pub fn address(&self) -> Option<Address> {
        self.public_key.as_ref().map(PublicKey::address)
    }

    /// The public key, of a secp256k1 key. A key that is disabled, pending deletion or waiting for its import does not give it.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    /// The public key in DER (`SubjectPublicKeyInfo`, RFC 5280), of whatever curve.
    pub fn spki_der(&self) -> Option<&[u8]> {
        self.spki_der.as_deref()
    }

    /// Curve or algorithm, for instance `ECC_SECG_P256K1`.
    pub fn spec(&self) -> &KeySpec {
        &self.spec
    }

    /// What the key is for, for instance `SIGN_VERIFY`.
    pub fn usage(&self) -> &KeyUsageType {
        &self.usage
    }

    /// Enabled, disabled, pending deletion, …
    pub fn state(&self) -> &KeyState {
        &self.state
    }

    /// The description, empty where there is none.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The aliases that lead to it, by name.
    pub fn aliases(&self) -> &[AliasName] {
        &self.aliases
    }

    /// Its tags; none if they were not asked for, or may not be read (`kms:ListResourceTags`).
    pub fn tags(&self) -> Option<&BTreeMap<String, String>> {
        self.tags.as_ref()
    }

    /// Whether it can have replicas in other Regions.
    pub fn is_multi_region(&self) -> bool {
        self.is_multi_region
    }

    /// Whether its material was imported. KMS then holds no copy to restore it from: keep your own.
    pub fn is_imported(&self) -> bool {
        self.is_imported
    }

    /// When it was made, as KMS says.
    pub fn created(&self) -> Option<SystemTime> {
        self.created
    }

    /// What a later start needs to know of it, if it is an Ethereum key with a known public key.
    pub fn record(&self) -> Option<KeyRecord> {
        self.public_key.as_ref().map(|public_key| KeyRecord::new(self.arn.clone(), public_key.clone()))
    }

    /// Whether AWS owns and manages it. Nobody else signs with it, or deletes it.
    pub(super) fn is_aws_managed(&self) -> bool {
        self.is_aws_managed
    }

    pub(super) fn reference(&self) -> KeyRef {
        self.arn.clone().into()
    }

    pub(super) fn is_for_signing(&self) -> bool {
        self.usage == KeyUsageType::SignVerify
    }

    /// KMS gives the public key of no other.
    fn has_public_key(&self) -> bool {
        self.state == KeyState::Enabled
            && self.spec.as_str() != "SYMMETRIC_DEFAULT"
            && !self.spec.as_str().starts_with("HMAC")
    }

    pub(super) fn of_metadata(metadata: KeyMetadata) -> Result<Self> {
        let missing = |field: &str| {
            Error::new(ErrorKind::InvalidResponse, Operation::DescribeKey, format!("the answer has no {field}"))
        };
        let arn = metadata.arn.ok_or_else(|| missing("Arn"))?;
        let arn = one_line(&arn).parse().map_err(|error: Error| {
            Error::new(ErrorKind::InvalidResponse, Operation::DescribeKey, format!("the answer's Arn: {error}"))
        })?;
        Ok(Self {
            arn,
            spec: metadata.key_spec.ok_or_else(|| missing("KeySpec"))?,
            usage: metadata.key_usage.ok_or_else(|| missing("KeyUsage"))?,
            state: metadata.key_state.ok_or_else(|| missing("KeyState"))?,
            description: metadata.description.unwrap_or_default(),
            is_multi_region: metadata.multi_region.unwrap_or_default(),
            is_imported: metadata.origin == Some(OriginType::External),
            is_aws_managed: metadata.key_manager == Some(KeyManagerType::Aws),
            created: metadata.creation_date.and_then(|date| SystemTime::try_from(date).ok()),
            spki_der: None,
            public_key: None,
            aliases: Vec::new(),
            tags: None,
        })
    }

    /// What `GetPublicKey` adds. KMS answers it for enabled keys only.
    pub(super) fn learn(&mut self, public: Public) {
        self.state = KeyState::Enabled;
        (self.spki_der, self.public_key) = (Some(public.spki_der), public.public_key);
    }
}

/// What `GetPublicKey` says, of a key of any kind.
pub(super) struct Public {
    pub(super) spki_der: Vec<u8>,
    pub(super) public_key: Option<PublicKey>,
}

impl Public {
    fn read(answer: GetPublicKeyOutput, key: &KeyRef, spec: &KeySpec) -> Result<Self> {
        let invalid = |message: &str| Error::new(ErrorKind::InvalidResponse, Operation::GetPublicKey, message);
        let answered = answer.key_id().ok_or_else(|| invalid("the answer has no KeyId"))?;
        if !answered.parse().is_ok_and(|answered| key.can_lead_to(&answered)) {
            let message = format!("another key answered: {}", one_line(answered));
            return Err(Error::new(ErrorKind::KeyChanged, Operation::GetPublicKey, message));
        }
        let spki_der = answer.public_key.ok_or_else(|| invalid("the answer has no PublicKey"))?.into_inner();
        if answer.key_spec.as_ref() != Some(spec) {
            return Err(invalid("the answer's KeySpec is not the key's"));
        }
        let public_key = (*spec == KeySpec::EccSecgP256K1).then(|| PublicKey::from_spki_der(&spki_der)).transpose()?;
        Ok(Self { spki_der, public_key })
    }
}

impl Keys {
    /// All that is known of one key.
    ///
    /// Needs `kms:DescribeKey`, of a key that can sign also `kms:GetPublicKey`. Aliases and tags are left out where `kms:ListAliases` or
    /// `kms:ListResourceTags` is refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] if `key` is no key reference, and those that a request ends with, for instance
    /// [`ErrorKind::KeyNotFound`].
    pub async fn describe(&self, key: impl AsRef<str>) -> Result<KeyInfo> {
        let key: KeyRef = key.as_ref().parse()?;
        let mut info = self.metadata(&key).await?;
        self.read_public_key(&mut info).await?;
        match self.read_aliases(&mut info).await {
            Err(error) if error.kind() != ErrorKind::AccessDenied => return Err(error),
            _ => {}
        }
        self.try_read_tags(&mut info).await?;
        Ok(info)
    }

    pub(super) async fn metadata(&self, key: &KeyRef) -> Result<KeyInfo> {
        KeyInfo::of_metadata(self.client.describe_key(key).await?).map_err(|error| error.with_key(key.as_ref()))
    }

    /// The public key, where KMS gives it in the state the key is in.
    pub(super) async fn read_public_key(&self, info: &mut KeyInfo) -> Result<()> {
        if info.has_public_key() {
            let public = self.public_key(&info.reference(), info.spec()).await?;
            info.learn(public);
        }
        Ok(())
    }

    pub(super) async fn public_key(&self, key: &KeyRef, spec: &KeySpec) -> Result<Public> {
        let place: Where = self.client.place_of(key)?;
        self.client.get_public_key(key, &[], place, |answer| Public::read(answer, key, spec)).await
    }

    async fn read_aliases(&self, info: &mut KeyInfo) -> Result<()> {
        let key = info.reference();
        let mut pages = Pages::default();
        while pages.has_next() {
            let mut page = self.client.list_aliases(Some(&key), pages.marker()).await?;
            info.aliases.extend(page.aliases().iter().filter_map(|alias| alias_name(alias.alias_name()?).ok()));
            pages.turn(page.truncated, page.next_marker.take())?;
        }
        Ok(())
    }

    pub(super) async fn read_tags(&self, info: &mut KeyInfo) -> Result<()> {
        let mut tags = BTreeMap::new();
        let mut pages = Pages::default();
        while pages.has_next() {
            let mut page = self.client.list_resource_tags(&info.reference(), pages.marker()).await?;
            tags.extend(page.tags.take().unwrap_or_default().into_iter().map(|tag| (tag.tag_key, tag.tag_value)));
            pages.turn(page.truncated, page.next_marker.take())?;
        }
        info.tags = Some(tags);
        Ok(())
    }

    /// Tags that may not be read are left out.
    pub(super) async fn try_read_tags(&self, info: &mut KeyInfo) -> Result<()> {
        match self.read_tags(info).await {
            Err(error) if error.kind() != ErrorKind::AccessDenied => Err(error),
            _ => Ok(()),
        }
    }
}
