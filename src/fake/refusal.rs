//! What KMS answers instead of doing what was asked: a code, an HTTP status and a message.

use core::fmt::Display;

use crate::error::{Error, ErrorKind, Operation};

#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), status: 400, message: message.into() }
    }

    pub(super) fn internal(message: &str) -> Self {
        Self { status: 500, ..Self::new("KMSInternalException", message) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new("NotFoundException", message)
    }

    /// In the words of IAM.
    pub(super) fn access_denied(user: &str, action: &str, resource: &str, why: &str) -> Self {
        let message = format!("User: {user} is not authorized to perform: {action} on resource: {resource} {why}");
        Self::new("AccessDeniedException", message)
    }

    /// To other accounts KMS does not tell whether there is such a key.
    pub(super) fn not_shared(user: &str, action: &str, resource: &str) -> Self {
        let why = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";
        Self::access_denied(user, action, resource, why)
    }

    pub(super) fn dry_run() -> Self {
        Self::new("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    }

    pub(super) fn grant_token() -> Self {
        Self::new("InvalidGrantTokenException", "The grant token is not that of a grant of this account and Region.")
    }

    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UnsupportedOperationException", message)
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// A value that breaks a constraint of the API's model, in the words of AWS's request validation.
    pub(super) fn constraint(field: &str, value: impl Display, constraint: impl Display) -> Self {
        let member = member(field);
        Self::validation(format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}"
        ))
    }

    /// The same refusal where a method of FakeKms was called instead of its API.
    pub(super) fn into_error(self) -> Error {
        let kind = match self.code.as_str() {
            "NotFoundException" | "AccessDeniedException" => ErrorKind::KeyNotFound,
            "KMSInvalidStateException" => ErrorKind::KeyUnusable,
            "ValidationException" | "InvalidAliasNameException" | "NotAuthorizedException" => ErrorKind::InvalidKeyRef,
            _ => ErrorKind::Other,
        };
        Error::new(kind, Operation::Fake, self.message).with_code(Some(&self.code))
    }
}

/// `KeyId` is `keyId` in AWS's messages.
fn member(field: &str) -> String {
    let mut characters = field.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}
