//! The key that KMS says it used.

use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// The key of an answer: a key ARN, or the bare key id of some emulators.
pub(crate) fn answered_key(key_id: Option<&str>, operation: Operation) -> Result<KeyRef> {
    let invalid = |message| Error::new(ErrorKind::InvalidResponse, operation, message);
    let text = key_id.ok_or_else(|| invalid("the answer has no KeyId"))?;
    match text.parse() {
        Ok(key @ (KeyRef::Arn(_) | KeyRef::Id(_))) => Ok(key),
        _ => Err(invalid("the answer's KeyId is neither a key ARN nor a key id")),
    }
}

pub(crate) fn key_changed(expected: &KeyRef, answered: &KeyRef, operation: Operation) -> Error {
    Error::new(ErrorKind::KeyChanged, operation, format!("the key {answered} answered, not {expected}"))
}
