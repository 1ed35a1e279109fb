//! Errors as JSON-RPC clients know them: codes of JSON-RPC 2.0, of EIP-1474 and of EIP-1193.

use alloy_primitives::B256;
use kms_signer::{Error, ErrorKind, alloy_signer};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use crate::service::Stage;

/// The body is no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The JSON is no request.
pub const INVALID_REQUEST: i64 = -32600;
/// Nobody here knows the method, or it is one that is kept from the node.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters are not what the method takes.
pub const INVALID_PARAMS: i64 = -32602;
/// What went wrong is for the operator; the log tells.
pub const INTERNAL_ERROR: i64 = -32603;
/// EIP-1474: the node, KMS or the time allowed. Mostly worth another try.
pub const UNAVAILABLE: i64 = -32002;
/// EIP-1474: the rules refuse the transaction.
pub const TRANSACTION_REJECTED: i64 = -32003;
/// EIP-1474: too much at once, here or at KMS.
pub const LIMIT_EXCEEDED: i64 = -32005;
/// EIP-1193: the rules refuse the message, or the account is not one of the caller's.
pub const UNAUTHORIZED: i64 = 4100;

/// An error as it is sent. The node's own are passed on as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RpcError {
    /// Which kind it is, for programs.
    pub code: i64,
    /// What it is, for people.
    #[serde(default)]
    pub message: String,
    /// More of it, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// What was to be signed: a refusal has another code for a transaction than for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Message,
    Transaction,
}

impl RpcError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    pub(crate) fn method_not_found(method: &str) -> Self {
        // Clients look for these words.
        let method: String = method.chars().filter(|c| !c.is_control()).take(64).collect();
        Self::new(METHOD_NOT_FOUND, format!("the method {method} does not exist/is not available"))
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(UNAVAILABLE, message).with_data(json!({ "retryable": true }))
    }

    /// What has begun to be sent goes on.
    pub(crate) fn late(stage: Stage) -> Self {
        let late = Self::unavailable("the time allowed for the request is over");
        match stage {
            Stage::NotBegun => late,
            Stage::Begun => {
                let message = format!("{}; the transaction may have been sent, or may be yet", late.message);
                Self::new(UNAVAILABLE, message).with_data(json!({ "retryable": false }))
            }
            Stage::Signed(hash) => late.maybe_sent(hash),
        }
    }

    pub(crate) fn with_data(mut self, data: serde_json::Value) -> Self {
        self.data = serde_json::value::to_raw_value(&data).ok();
        self
    }

    /// After a transaction has been signed and sent, and no word came back: the caller must look for it before it tries again.
    pub(crate) fn maybe_sent(self, hash: B256) -> Self {
        let message = format!("{}; the transaction {hash} may have been sent", self.message);
        Self::new(UNAVAILABLE, message).with_data(json!({ "retryable": false, "transactionHash": hash }))
    }

    /// A guard's denial is told in full. What AWS says names role, account and key, and is for the log.
    pub(crate) fn from_signing(error: &alloy_signer::Error, asked: Refused) -> Self {
        if let alloy_signer::Error::DynAbiError(error) = error {
            return Self::invalid_params(format!("the typed data cannot be hashed: {error}"));
        }
        let Some(ours) = Error::find(error) else {
            // A chain id that contradicts the signer's, a curve's error: no secrets, and no AWS.
            return Self::new(INTERNAL_ERROR, error.to_string());
        };
        Self::from_kms(ours, asked)
    }

    fn from_kms(error: &Error, asked: Refused) -> Self {
        let kind = error.kind();
        let (code, message) = match kind {
            ErrorKind::GuardDenied => (
                match asked {
                    Refused::Transaction => TRANSACTION_REJECTED,
                    Refused::Message => UNAUTHORIZED,
                },
                error.to_string(),
            ),
            ErrorKind::Throttled => (LIMIT_EXCEEDED, "KMS is asked too often; try again".to_owned()),
            ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Unavailable => {
                (UNAVAILABLE, "KMS did not sign in time; try again".to_owned())
            }
            ErrorKind::Unrecorded => (INTERNAL_ERROR, "not signed, because it could not be recorded".to_owned()),
            _ => (INTERNAL_ERROR, "not signed; the signer's log tells why".to_owned()),
        };
        // The observer has logged a denial.
        if kind != ErrorKind::GuardDenied {
            tracing::warn!(%error, "not signed");
        }
        let data = json!({
            "kind": format!("{kind:?}"),
            "rule": error.rule(),
            "retryable": error.is_retryable(),
            "requestId": error.request_id(),
        });
        Self::new(code, message).with_data(data)
    }
}
