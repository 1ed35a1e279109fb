//! One error type for the whole crate: what was done, to which key, what AWS said, and what to do.

mod kind;

use core::fmt;
use std::error::Error as StdError;

pub use self::kind::{ErrorKind, Operation};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = core::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What went wrong, and what to do about it.
///
/// `Display` is complete on its own: the operation, the key, what AWS answered with its code and request id, and the
/// remedy. Branch on [`kind`](Self::kind), never on the text. [`source`](StdError::source) gives the underlying error,
/// for instance the SDK's.
///
/// No credential, digest, signature or HTTP exchange appears in `Display` or `Debug`.
///
/// alloy's traits return `alloy_signer::Error`, which wraps this one out of sight; [`Error::find`] gets it back.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Operation,
    message: String,
    key: Option<String>,
    code: Option<String>,
    request_id: Option<String>,
    attempts: u32,
    remedy: Option<&'static str>,
    rule: Option<String>,
    retryable: bool,
    may_have_signed: bool,
    source: Option<Source>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: Operation, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            message: message.into(),
            key: None,
            code: None,
            request_id: None,
            attempts: 1,
            remedy: None,
            rule: None,
            retryable: kind.is_transient(),
            may_have_signed: false,
            source: None,
        }))
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The key concerned, as it was sent: an id, an ARN or an alias.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The error code AWS answered with, for instance `AccessDeniedException`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The id AWS gave the request. CloudTrail records the same id.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The name of the rule or limit by which a guard denied a request, where one came close enough to be named.
    pub fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// Whether the same call may succeed later with nothing changed.
    ///
    /// The client has already retried within its operation timeout when it returns such an error.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether KMS may have made a signature that the caller did not get.
    ///
    /// True where a `Sign` request was transmitted and no definite refusal came back, or where what came back was
    /// discarded. Such a signature is not published by KMS; whoever answered the request may still hold it.
    pub fn may_have_signed(&self) -> bool {
        self.0.may_have_signed
    }

    /// Finds this crate's error inside whatever was wrapped around it.
    ///
    /// alloy's signing traits return `alloy_signer::Error`, a provider wraps that once more, and programs add layers of
    /// their own. Whatever this crate hands to alloy is found again, as is an error somebody put into
    /// `alloy_signer::Error::Other`.
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next: Option<&'a (dyn StdError + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            #[cfg(feature = "aws")]
            if let Some(alloy_signer::Error::Other(inner)) = error.downcast_ref() {
                next = Some(inner.as_ref());
                continue;
            }
            next = error.source();
        }
        None
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_operation(mut self, operation: Operation) -> Self {
        self.0.operation = operation;
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_code(mut self, code: Option<&str>) -> Self {
        self.0.code = code.map(one_line);
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_request_id(mut self, request_id: Option<&str>) -> Self {
        self.0.request_id = request_id.map(one_line);
        self
    }

    /// Replaces the remedy of the kind by one that fits better.
    #[cfg(feature = "aws")]
    pub(crate) fn with_remedy(mut self, remedy: &'static str) -> Self {
        self.0.remedy = Some(remedy);
        self
    }

    #[cfg(feature = "guard")]
    pub(crate) fn with_rule(mut self, rule: impl Into<String>) -> Self {
        self.0.rule = Some(rule.into());
        self
    }

    /// Something more that the reader should know.
    #[cfg(feature = "keys")]
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.0.message = format!("{}; {note}", self.0.message);
        self
    }

    /// How many attempts there were, the last one included.
    #[cfg(feature = "aws")]
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    #[cfg(feature = "keys")]
    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_may_have_signed(mut self, may_have_signed: bool) -> Self {
        self.0.may_have_signed = may_have_signed;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{}", inner.operation)?;
        if let Some(key) = &inner.key {
            write!(f, " with {key}")?;
        }
        write!(f, ": {}", inner.message)?;
        match (&inner.code, &inner.request_id) {
            (Some(code), Some(id)) => write!(f, " ({code}, request id {id})")?,
            (Some(code), None) => write!(f, " ({code})")?,
            (None, Some(id)) => write!(f, " (request id {id})")?,
            (None, None) => {}
        }
        if inner.attempts > 1 {
            write!(f, " ({} attempts)", inner.attempts)?;
        }
        match inner.remedy.or(inner.kind.remedy()) {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Prints the fields one by one and the source by its own `Display`: the SDK's `Debug` would dump the HTTP exchange.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("operation", &inner.operation)
            .field("key", &inner.key)
            .field("message", &inner.message)
            .field("code", &inner.code)
            .field("request_id", &inner.request_id)
            .field("attempts", &inner.attempts)
            .field("rule", &inner.rule)
            .field("is_retryable", &inner.retryable)
            .field("may_have_signed", &inner.may_have_signed)
            .field("source", &inner.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(feature = "aws")]
impl From<Error> for alloy_signer::Error {
    fn from(error: Error) -> Self {
        Self::other(Carried(error))
    }
}

/// Names our error as its source.
///
/// alloy's wrappers are `transparent`: they pass `source()` on to what they carry, so that the carried error itself never turns
/// up in a walk over the sources. This way it does, whatever network the wrappers are generic over.
#[cfg(feature = "aws")]
#[derive(Debug)]
struct Carried(Error);

#[cfg(feature = "aws")]
impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "aws")]
impl StdError for Carried {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// Text from outside, fit for a log line: no control characters, and not without end.
#[cfg(feature = "aws")]
pub(crate) fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 1000;
    let spaced: String = text.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn display_is_complete_without_the_source() {
        let error = Error::new(ErrorKind::Throttled, Operation::Sign, "rate exceeded").with_key("alias/relayer");
        assert_eq!(
            error.to_string(),
            "Sign with alias/relayer: rate exceeded; slow down, or ask AWS to raise the KMS request quota of this account and Region",
        );
    }
}
