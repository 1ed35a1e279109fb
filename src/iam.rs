//! Least-privilege policies as types that print their JSON.
//!
//! | document | attached to | type |
//! |---|---|---|
//! | key policy | a KMS key | [`KeyPolicy`] |
//! | identity policy | a role or user | [`IamPolicy`] |
//! | trust policy | a role that is assumed | [`TrustPolicy`] |
//!
//! Nothing here calls AWS: the documents are text, for [`keys`](crate::keys), for a template, or for the console.
//! `Display` prints JSON over several lines; `to_json` gives the shortest text, because AWS limits the length.
//!
//! ```
//! use kms_signer::{KeyArn, iam::IamPolicy};
//!
//! let key: KeyArn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse()?;
//! let policy = IamPolicy::signer([key])?;
//! assert_eq!(
//!     policy.to_string(),
//!     r#"{
//!   "Version": "2012-10-17",
//!   "Statement": [
//!     {
//!       "Sid": "ReadPublicKey",
//!       "Effect": "Allow",
//!       "Action": "kms:GetPublicKey",
//!       "Resource": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
//!     },
//!     {
//!       "Sid": "Sign",
//!       "Effect": "Allow",
//!       "Action": "kms:Sign",
//!       "Resource": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
//!       "Condition": {
//!         "StringEquals": {
//!           "kms:MessageType": "DIGEST",
//!           "kms:SigningAlgorithm": "ECDSA_SHA_256"
//!         }
//!       }
//!     }
//!   ]
//! }"#
//! );
//! # Ok::<_, kms_signer::Error>(())
//! ```
//!
//! # Which to use
//!
//! Within one account either is enough: a key policy that names the principal, or an identity policy if the key policy
//! lets the account's IAM policies count, as [`KeyPolicy`] and AWS's default key policy do. Across accounts both are
//! needed: the key policy names the other account's principal, and an identity policy in that account names the key by
//! its ARN.
//!
//! # Sources
//!
//! Actions, resources and condition keys are those of the [Service Authorization Reference for KMS][sar] and of the KMS
//! Developer Guide's pages on [permissions], [condition keys][conditions], [the default key policy][default], [tags]
//! and [aliases].
//!
//! [sar]: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
//! [permissions]: https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
//! [conditions]: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
//! [default]: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
//! [tags]: https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html
//! [aliases]: https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html

mod document;
mod identity;
mod key_manager;
mod key_policy;
mod principal;
mod trust;
mod usage;

pub use self::{
    identity::IamPolicy,
    key_manager::KeyManagerBuilder,
    key_policy::{KeyPolicy, KeyPolicyBuilder},
    principal::{Account, Principal},
    trust::TrustPolicy,
    usage::SigningAlgorithm,
};

use crate::error::{Error, ErrorKind, Operation};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, Operation::BuildPolicy, message)
}
