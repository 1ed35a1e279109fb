//! Why a request is not answered, in the form that octez-client shows.

use kms_signer::{Error, ErrorKind};
use serde_json::json;

/// An HTTP status and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The statuses are Signatory's, where it has one.
    pub status: u16,
    /// For whoever asked.
    pub message: String,
    /// Whether the caller was known, or nobody need be.
    pub(crate) is_callers: bool,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), is_callers: false }
    }

    pub(crate) fn of_caller(self) -> Self {
        Self { is_callers: true, ..self }
    }

    /// What KMS says is for the log, not for the caller.
    pub(crate) fn of_kms(error: &Error) -> Self {
        let (status, message) = match error.kind() {
            ErrorKind::Throttled => (503, "KMS is asked too often; try again"),
            ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Unavailable => {
                (503, "KMS does not answer; try again")
            }
            ErrorKind::AccessDenied | ErrorKind::Credentials => (500, "KMS lets nobody sign with this key here"),
            ErrorKind::KeyUnusable | ErrorKind::KeyNotFound | ErrorKind::KeyChanged => {
                (500, "the key cannot be used now")
            }
            _ => (500, "KMS made no signature"),
        };
        Self::new(status, message)
    }

    /// A list with one error, which is what octez's RPCs answer.
    pub(crate) fn body(&self) -> String {
        json!([{"id": "failure", "kind": "temporary", "msg": self.message}]).to_string()
    }
}
