//! Bringing a known private key into a KMS.

use alloy_primitives::B256;
use kms_signer::keys::{Keys, NewKey, Secret};

use crate::target::Target;

/// The ARN of a new key with this secret as its material.
pub async fn import(target: &Target, secret: &B256) -> String {
    let secret = Secret::from_bytes(&secret.0).unwrap();
    let key = Keys::new(target.sdk()).import(NewKey::signing(), secret).await.unwrap();
    target.remember(key.arn().as_ref());
    key.arn().to_string()
}
