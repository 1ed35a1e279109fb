//! One KMS key: its material, what it may be used for, and its state.

use std::collections::BTreeMap;

use k256::elliptic_curve::sec1::ToEncodedPoint;
use serde_json::{Value, json};

use super::{FakeKms, policy::KeyPolicy, refusal::Refusal};

/// What comes before the uncompressed point in a DER `SubjectPublicKeyInfo` (RFC 5480).
const SECP256K1_SPKI: &[u8] =
    &[0x30, 0x56, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x0a, 3, 0x42, 0];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3,
    0x42, 0,
];

#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) material: Material,
    pub(super) usage: Usage,
    pub(super) state: State,
    pub(super) description: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) policy: KeyPolicy,
    origin: Origin,
    created: i64,
    region: String,
    /// The Region that it was replicated from.
    replica_of: Option<String>,
}

#[derive(Clone)]
pub(super) enum Material {
    Secp256k1(k256::SecretKey),
    P256(p256::SecretKey),
    /// A symmetric key. FakeKms encrypts nothing, so there are no bytes.
    Symmetric,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    SignVerify,
    KeyAgreement,
    EncryptDecrypt,
}

#[derive(Clone, Copy)]
pub(super) enum Origin {
    AwsKms,
    External,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Enabled,
    Disabled,
    /// `at` is in seconds since 1970.
    PendingDeletion {
        at: i64,
    },
}

impl Key {
    /// An enabled key. `now` is in seconds since 1970.
    pub(super) fn new(id: String, region: &str, material: Material, usage: Usage, origin: Origin, now: i64) -> Self {
        let arn = arn(region, &id);
        Self {
            id,
            arn,
            material,
            usage,
            state: State::Enabled,
            description: String::new(),
            tags: BTreeMap::new(),
            policy: KeyPolicy::default(),
            origin,
            created: now,
            region: region.to_owned(),
            replica_of: None,
        }
    }

    /// A replica in another Region: the same id and key material, everything else its own.
    pub(super) fn replica(&self, region: &str, now: i64) -> Self {
        Self {
            arn: arn(region, &self.id),
            state: State::Enabled,
            description: String::new(),
            tags: BTreeMap::new(),
            policy: KeyPolicy::default(),
            created: now,
            region: region.to_owned(),
            replica_of: Some(self.replica_of.clone().unwrap_or_else(|| self.region.clone())),
            ..self.clone()
        }
    }

    pub(super) fn is_multi_region(&self) -> bool {
        self.id.starts_with("mrk-")
    }

    /// What KMS requires of a key before it is used.
    pub(super) fn check_enabled(&self) -> Result<(), Refusal> {
        self.check_not_pending_deletion()?;
        match self.state {
            State::Disabled => Err(Refusal::new("DisabledException", format!("{} is disabled.", self.arn))),
            _ => Ok(()),
        }
    }

    pub(super) fn check_not_pending_deletion(&self) -> Result<(), Refusal> {
        match self.state {
            State::PendingDeletion { .. } => {
                Err(Refusal::new("KMSInvalidStateException", format!("{} is pending deletion.", self.arn)))
            }
            _ => Ok(()),
        }
    }

    /// Whether its waiting period is over. KMS then knows it no longer.
    pub(super) fn is_deleted(&self, now: i64) -> bool {
        matches!(self.state, State::PendingDeletion { at } if at <= now)
    }

    pub(super) fn signing_algorithms(&self) -> &'static [&'static str] {
        match (&self.material, self.usage) {
            (Material::Secp256k1(_) | Material::P256(_), Usage::SignVerify) => &["ECDSA_SHA_256"],
            _ => &[],
        }
    }

    /// The fields about the key's abilities that `GetPublicKey` and `DescribeKey` have in common.
    pub(super) fn abilities(&self) -> Value {
        let mut fields = json!({
            "CustomerMasterKeySpec": self.material.spec(),
            "KeySpec": self.material.spec(),
            "KeyUsage": self.usage.name(),
        });
        let (list, algorithms) = match self.usage {
            Usage::SignVerify => ("SigningAlgorithms", self.signing_algorithms()),
            Usage::KeyAgreement => ("KeyAgreementAlgorithms", ["ECDH"].as_slice()),
            Usage::EncryptDecrypt => ("EncryptionAlgorithms", ["SYMMETRIC_DEFAULT"].as_slice()),
        };
        merge(&mut fields, json!({ list: algorithms }));
        fields
    }

    /// `KeyMetadata`, as `CreateKey` and `DescribeKey` answer it.
    pub(super) fn metadata(&self) -> Value {
        let multi_region = self.is_multi_region();
        let mut fields = self.abilities();
        merge(
            &mut fields,
            json!({
                "AWSAccountId": FakeKms::ACCOUNT,
                "Arn": self.arn,
                "CreationDate": self.created,
                "Description": self.description,
                "Enabled": self.state == State::Enabled,
                "KeyId": self.id,
                "KeyManager": "CUSTOMER",
                "KeyState": self.state.name(),
                "MultiRegion": multi_region,
                "Origin": self.origin.name(),
            }),
        );
        if multi_region {
            let primary = self.replica_of.as_ref().unwrap_or(&self.region);
            merge(
                &mut fields,
                json!({ "MultiRegionConfiguration": {
                    "MultiRegionKeyType": if self.replica_of.is_some() { "REPLICA" } else { "PRIMARY" },
                    "PrimaryKey": { "Arn": arn(primary, &self.id), "Region": primary },
                    "ReplicaKeys": [],
                }}),
            );
        }
        if let Origin::External = self.origin {
            merge(&mut fields, json!({ "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE" }));
        }
        if let State::PendingDeletion { at } = self.state {
            merge(&mut fields, json!({ "DeletionDate": at }));
        }
        fields
    }
}

pub(super) fn arn(region: &str, id: &str) -> String {
    arn_of(region, &format!("key/{id}"))
}

/// The ARN of `key/…` or `alias/…`.
pub(super) fn arn_of(region: &str, resource: &str) -> String {
    format!("arn:aws:kms:{region}:{}:{resource}", FakeKms::ACCOUNT)
}

impl Material {
    pub(super) fn spec(&self) -> &'static str {
        match self {
            Self::Secp256k1(_) => "ECC_SECG_P256K1",
            Self::P256(_) => "ECC_NIST_P256",
            Self::Symmetric => "SYMMETRIC_DEFAULT",
        }
    }

    /// The DER `SubjectPublicKeyInfo` of the public key, where there is one.
    pub(super) fn spki(&self) -> Option<Vec<u8>> {
        match self {
            Self::Secp256k1(secret) => {
                Some([SECP256K1_SPKI, secret.public_key().to_encoded_point(false).as_bytes()].concat())
            }
            Self::P256(secret) => Some([P256_SPKI, secret.public_key().to_encoded_point(false).as_bytes()].concat()),
            Self::Symmetric => None,
        }
    }
}

impl Usage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SignVerify => "SIGN_VERIFY",
            Self::KeyAgreement => "KEY_AGREEMENT",
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
        }
    }
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS_KMS",
            Self::External => "EXTERNAL",
        }
    }
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

/// Adds the fields of one JSON object to another.
pub(super) fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
