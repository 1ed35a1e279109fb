//! Who may assume a role.

use super::{
    document::{Document, Statement, prints_document},
    invalid,
    principal::Principal,
};
use crate::error::Result;

/// The trust policy of a role: who may assume it, and with which external id.
///
/// For a role that a key owner makes for somebody else's service: the service's principal is named, and the external
/// id, which the service gives each of its customers, keeps it from being led to another customer's role (the
/// [confused deputy][deputy]). The service then assumes the role with
/// [`AssumeRole`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html), in this crate by
/// `KmsClientBuilder::assume_role` with that external id. What the role may do is an [`IamPolicy`](super::IamPolicy).
///
/// A trust policy is at most 2,048 characters long, white space not counted, unless the account's quota was raised.
///
/// ```
/// use kms_signer::iam::TrustPolicy;
///
/// let policy = TrustPolicy::new("arn:aws:iam::444455556666:role/service".parse()?).external_id("customer-17")?;
/// assert_eq!(
///     policy.to_json(),
///     concat!(
///         r#"{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRole","Effect":"Allow","#,
///         r#""Principal":{"AWS":"arn:aws:iam::444455556666:role/service"},"Action":"sts:AssumeRole","#,
///         r#""Condition":{"StringEquals":{"sts:ExternalId":"customer-17"}}}]}"#
///     )
/// );
/// # Ok::<_, kms_signer::Error>(())
/// ```
///
/// [deputy]: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct TrustPolicy(Document);

impl TrustPolicy {
    /// Lets this principal assume the role. Another account's principal also needs `sts:AssumeRole` on the role there.
    pub fn new(principal: Principal) -> Self {
        Self(Document::new([Statement::allow("AssumeRole", ["sts:AssumeRole"]).principals([principal])]))
    }

    /// Lets another principal assume the role, too, on the same condition.
    pub fn principal(self, principal: Principal) -> Self {
        self.map(|statement| statement.principals([&principal]))
    }

    /// Requires this external id. It is no secret: it only has to be the service's own choice, one for each customer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is not 2 to 1,224 letters, digits or any of `_+=,.@:/-`,
    /// which is what STS takes.
    pub fn external_id(self, external_id: &str) -> Result<Self> {
        let is_allowed = external_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
        if !is_allowed || !(2..=1224).contains(&external_id.len()) {
            return Err(invalid("an external id is 2 to 1,224 letters, digits or any of _+=,.@:/-"));
        }
        Ok(self.map(|statement| statement.only_when("StringEquals", "sts:ExternalId", external_id)))
    }

    fn map(self, change: impl Fn(Statement) -> Statement) -> Self {
        Self(Document::new(self.0.into_statements().into_iter().map(change)))
    }
}

prints_document!(TrustPolicy);
