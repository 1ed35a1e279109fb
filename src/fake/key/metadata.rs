//! What the API tells of a key.

use serde_json::{Value, json};

use super::{Key, Origin, State, Usage, arn};
use crate::fake::FakeKms;

impl Key {
    /// The fields about the key's abilities that `GetPublicKey` and `DescribeKey` have in common.
    pub(in crate::fake) fn abilities(&self) -> Value {
        let mut fields = json!({
            "CustomerMasterKeySpec": self.spec.name(),
            "KeySpec": self.spec.name(),
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
    pub(in crate::fake) fn metadata(&self) -> Value {
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
        if let (Origin::External, Some(_)) = (self.origin, &self.material) {
            merge(
                &mut fields,
                match self.expires {
                    Some(at) => json!({ "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": at }),
                    None => json!({ "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE" }),
                },
            );
        }
        if let State::PendingDeletion { at } = self.state {
            merge(&mut fields, json!({ "DeletionDate": at }));
        }
        fields
    }
}

/// Adds the fields of one JSON object to another.
pub(in crate::fake) fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
