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
    pub(in crate::fake) fn metadata(&self, now: i64) -> Value {
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
                "KeyManager": if self.is_aws_managed { "AWS" } else { "CUSTOMER" },
                "KeyState": self.state.name(),
                "MultiRegion": self.is_multi_region(),
                "Origin": self.origin.name(),
            }),
        );
        if let Some(family) = &self.family {
            let of = |region: &str| json!({ "Arn": arn(region, &self.id), "Region": region });
            let replicas: Vec<Value> = family.replicas(now).iter().map(|region| of(region)).collect();
            merge(
                &mut fields,
                json!({ "MultiRegionConfiguration": {
                    "MultiRegionKeyType": if self.is_primary() { "PRIMARY" } else { "REPLICA" },
                    "PrimaryKey": of(family.primary()),
                    "ReplicaKeys": replicas,
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
        match self.state {
            State::PendingDeletion { at } => merge(&mut fields, json!({ "DeletionDate": at })),
            State::PendingReplicaDeletion { days } => {
                merge(&mut fields, json!({ "PendingDeletionWindowInDays": days }));
            }
            _ => {}
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
