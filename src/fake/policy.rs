//! Key policies.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use super::{FakeKms, refusal::Refusal};

/// In bytes.
const POLICY_MAX: usize = 32 * 1024;

/// The policy of one key.
#[derive(Clone)]
pub(super) struct KeyPolicy(Arc<str>);

impl KeyPolicy {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > POLICY_MAX {
            let message = format!("A key policy has at most {POLICY_MAX} bytes.");
            return Err(Refusal::new("LimitExceededException", message));
        }
        match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(_) => Err(Refusal::new("MalformedPolicyDocumentException", "The policy is not a JSON object.")),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// That of a key made without one: IAM policies of the account decide.
impl Default for KeyPolicy {
    fn default() -> Self {
        static DEFAULT: OnceLock<KeyPolicy> = OnceLock::new();
        let text = || {
            json!({
                "Version": "2012-10-17",
                "Id": "key-default-1",
                "Statement": [{
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": { "AWS": format!("arn:aws:iam::{}:root", FakeKms::ACCOUNT) },
                    "Action": "kms:*",
                    "Resource": "*",
                }],
            })
        };
        DEFAULT.get_or_init(|| Self(text().to_string().into())).clone()
    }
}
