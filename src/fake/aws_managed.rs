//! What AWS has in an account of its own accord: keys for its services, and their aliases.

use serde_json::json;

use super::{
    FakeKms,
    key::{Key, Spec, Usage},
    policy::Policy,
    random,
    refusal::Refusal,
};
use crate::{error::Result, key_ref::KeyArn};

const ALIAS: &str = "alias/aws/ebs";
/// One that leads to no key.
const IDLE_ALIAS: &str = "alias/aws/s3";

impl FakeKms {
    /// Makes what an account has whose AWS services use KMS: an AWS-managed key with the alias `alias/aws/ebs`, and
    /// `alias/aws/s3`, which is listed and leads to no key, since S3 has not used it. There is one of each.
    ///
    /// The key's policy lets the account look at it, and nobody manage it or use it but EBS. This binds
    /// [`client`](Self::client), too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`](crate::ErrorKind::Other) if the operating system gives no random numbers.
    pub fn create_aws_managed_key(&self) -> Result<KeyArn> {
        let now = self.0.clock.now();
        if let Ok(key) = self.0.store.alias_target(ALIAS, now) {
            return key.arn.parse();
        }
        let make = || {
            let id = random::key_id(false)?;
            let mut key = Key::new(id, self.region(), Spec::Symmetric.generate()?, Usage::EncryptDecrypt, now);
            key.is_aws_managed = true;
            "Default key that protects my EBS volumes when no other key is defined".clone_into(&mut key.description);
            key.policy = policy(self.region())?;
            self.0.store.point_alias(ALIAS, &key, now);
            self.0.store.add_idle_alias(IDLE_ALIAS);
            Ok(self.add(key))
        };
        make().map_err(Refusal::into_error)?
    }
}

fn policy(region: &str) -> core::result::Result<Policy, Refusal> {
    let text = json!({
        "Version": "2012-10-17",
        "Id": "auto-ebs-2",
        "Statement": [
            {
                "Sid": "Allow access through EBS for all principals in the account that are authorized to use EBS",
                "Effect": "Allow",
                "Principal": { "AWS": "*" },
                "Action": [
                    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant",
                    "kms:DescribeKey",
                ],
                "Resource": "*",
                "Condition": { "StringEquals": {
                    "kms:CallerAccount": FakeKms::ACCOUNT,
                    "kms:ViaService": format!("ec2.{region}.amazonaws.com"),
                }},
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{}:root", FakeKms::ACCOUNT) },
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    });
    Policy::of_key(&text.to_string())
}
