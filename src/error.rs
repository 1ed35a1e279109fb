//! One error type for the whole crate: what was done, to which key, what AWS said, and what to do.

use core::fmt;
use std::error::Error as StdError;

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
    retryable: bool,
    may_have_signed: bool,
    source: Option<Source>,
}

/// The class of an [`Error`]: whose fault it is and what to do.
///
/// AWS's error codes, as [`Error::code`] gives them, and the kind each becomes. "Retried" means that the client tries again
/// by itself within the operation timeout, and that [`Error::is_retryable`] is true.
///
/// | code | kind | retried | what to do |
/// |---|---|---|---|
/// | `AccessDeniedException` | `AccessDenied` | no | allow `kms:Sign` or `kms:GetPublicKey` on the key, in its policy or the caller's |
/// | `NotAuthorized` | `AccessDenied` | no | the same |
/// | `OptInRequired` | `AccessDenied` | no | enable the Region for the account |
/// | `ExpiredTokenException` | `Credentials` | no | renew the session |
/// | `IncompleteSignature` | `Credentials` | no | check the secret access key |
/// | `InvalidSignatureException` | `Credentials` | no | check the secret access key |
/// | `SignatureDoesNotMatch` | `Credentials` | no | check the secret access key |
/// | `InvalidClientTokenId` | `Credentials` | no | check the access key id and the session token |
/// | `UnrecognizedClientException` | `Credentials` | no | check the access key id and the session token |
/// | `MissingAuthenticationToken` | `Credentials` | no | give credentials |
/// | `RequestExpired` | `Config` | no | set this machine's clock |
/// | `RequestTimeTooSkewed` | `Config` | no | set this machine's clock |
/// | `InvalidGrantTokenException` | `Config` | no | pass the token that `CreateGrant` returned, or none after five minutes |
/// | `UnknownOperationException` | `Config` | no | check the endpoint |
/// | `InvalidArnException` | `InvalidKeyRef` | no | correct the key reference |
/// | `InvalidAliasNameException` | `InvalidKeyRef` | no | correct the alias |
/// | `NotFoundException` | `KeyNotFound` | no | check reference, account and Region; wait a second after creating it |
/// | `DisabledException` | `KeyUnusable` | no | enable the key |
/// | `KMSInvalidStateException` | `KeyUnusable` | no | cancel its deletion, or import its key material |
/// | `InvalidKeyUsageException` | `KeyUnsuitable` | no | create a key with `ECC_SECG_P256K1` and `SIGN_VERIFY` |
/// | `UnsupportedOperationException` | `KeyUnsuitable` | no | the same |
/// | `ThrottlingException` | `Throttled` | yes | slow down, or raise the quota |
/// | `Throttling` | `Throttled` | yes | the same |
/// | `TooManyRequestsException` | `Throttled` | yes | the same |
/// | `RequestLimitExceeded` | `Throttled` | yes | the same |
/// | `DependencyTimeoutException` | `Unavailable` | yes | try again |
/// | `KeyUnavailableException` | `Unavailable` | yes | try again |
/// | `KMSInternalException` | `Unavailable` | yes | try again |
/// | `InternalFailure` | `Unavailable` | yes | try again |
/// | `ServiceUnavailable` | `Unavailable` | yes | try again |
/// | `RequestTimeout` | `Timeout` | yes | try again |
/// | `ValidationException` | `Other` | no | read AWS's text |
///
/// A code that is not listed is `Unavailable` and retried with HTTP status 500 and above, and `Other` below. An answer without
/// a code is `Throttled` with status 429, `Unavailable` from 500, and `InvalidResponse` otherwise.
///
/// `InvalidSignatureException`, `SignatureDoesNotMatch`, `RequestExpired`, `RequestTimeTooSkewed` and `AccessDeniedException`
/// become `Config` where the answer's `Date` shows that this machine's clock is more than four minutes off; the
/// SDK corrects for it, and the request is sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// AWS refused the caller. Allow the IAM action on the key, in the key policy or in the caller's policy.
    AccessDenied,
    /// The key's address is not the one that was expected. Check the key reference, or the address.
    AddressMismatch,
    /// The client or signer is set up wrongly (Region, endpoint, runtime, timeouts). Fix the set-up; retrying is useless.
    Config,
    /// No credentials, or AWS does not accept those it was given. Provide or refresh them.
    Credentials,
    /// A rule of the caller's own guard refused the request before KMS was asked.
    GuardDenied,
    /// The text is no key id, key ARN, alias name or alias ARN. Correct the reference.
    InvalidKeyRef,
    /// The bytes are not a secp256k1 public key in the stated encoding. Check where they come from.
    InvalidPublicKey,
    /// KMS, or what stands between, answered with something that is not a KMS answer. Check the endpoint.
    InvalidResponse,
    /// The signature is not one that Ethereum can carry: malformed DER, r or s out of range, or an x-reduced R.
    InvalidSignature,
    /// Another key answered than the one this signer was connected to. Someone pointed the alias elsewhere.
    KeyChanged,
    /// The key or alias does not exist in this account and Region. Check the reference and the Region.
    KeyNotFound,
    /// The key exists but is not a secp256k1 signing key. Create one with `ECC_SECG_P256K1` and `SIGN_VERIFY`.
    KeyUnsuitable,
    /// The key exists but is disabled, pending deletion or otherwise not usable now. Change its state.
    KeyUnusable,
    /// The signature does not verify against the known public key. It was discarded; suspect the endpoint.
    SignatureMismatch,
    /// KMS, or this client's own limit, is over its rate. Try later, or raise the quota.
    Throttled,
    /// No answer within the time allowed. Try again.
    Timeout,
    /// The connection failed. Try again, or check the network and the endpoint.
    Transport,
    /// KMS answered that it cannot serve the request now. Try again.
    Unavailable,
    /// None of the above; the text says what AWS answered.
    Other,
}

/// What was being done when an [`Error`] arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Reading a key id, key ARN, alias name or alias ARN.
    ParseKeyRef,
    /// Reading a public key.
    ParsePublicKey,
    /// Turning a DER signature into an Ethereum signature.
    Recover,
    /// Setting up a client or a signer.
    Connect,
    /// The KMS API's `GetPublicKey`.
    GetPublicKey,
    /// The KMS API's `Sign`.
    Sign,
    /// Preparing a key, an alias or a fault in FakeKms.
    Fake,
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
    /// alloy's signing traits return `alloy_signer::Error`, whose `transparent` variants hide the error they carry
    /// from a plain [`source`](StdError::source) walk, and `sign_transaction` wraps twice. This looks through them.
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
        self.0.code = code.map(str::to_owned);
        self
    }

    #[cfg(feature = "aws")]
    pub(crate) fn with_request_id(mut self, request_id: Option<&str>) -> Self {
        self.0.request_id = request_id.map(str::to_owned);
        self
    }

    /// Replaces the remedy of the kind by one that fits better.
    #[cfg(feature = "aws")]
    pub(crate) fn with_remedy(mut self, remedy: &'static str) -> Self {
        self.0.remedy = Some(remedy);
        self
    }

    /// How many attempts there were, the last one included.
    #[cfg(feature = "aws")]
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
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
            write!(f, " after {} attempts", inner.attempts)?;
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
        Self::other(error)
    }
}

impl ErrorKind {
    fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::Transport | Self::Unavailable)
    }

    /// The remedy where the place that raised the error knows no better one.
    fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::AccessDenied => "allow the action on this key in the key policy or in the caller's IAM policy",
            Self::AddressMismatch => "check that the key reference and the expected address belong together",
            Self::Credentials => "check the credentials this process is given",
            Self::InvalidKeyRef => {
                "expected a key id, a key ARN, an alias name (alias/…) or an alias ARN (arn:aws:kms:…:alias/…)"
            }
            Self::InvalidResponse => {
                "check that the endpoint is AWS KMS and that nothing in between alters its answers"
            }
            Self::KeyChanged => {
                "if the change is intended, connect a new signer; if not, find out who changed the alias (CloudTrail: UpdateAlias)"
            }
            Self::KeyNotFound => {
                "check the reference, the account and the Region; a new key or alias needs about a second to appear"
            }
            Self::KeyUnsuitable => "create a key with KeySpec ECC_SECG_P256K1 and KeyUsage SIGN_VERIFY",
            Self::SignatureMismatch => {
                "the signature was discarded; check that the endpoint is AWS KMS and that the public key is this key's"
            }
            Self::Throttled => "slow down, or ask AWS to raise the KMS request quota of this account and Region",
            Self::Timeout => "try again; if it persists, check the network path to KMS or raise the operation timeout",
            Self::Transport => "try again; if it persists, check the network path, the endpoint and the proxy settings",
            Self::Unavailable => "try again; if it persists, see the AWS Health Dashboard for KMS in this Region",
            Self::Config
            | Self::GuardDenied
            | Self::InvalidPublicKey
            | Self::InvalidSignature
            | Self::KeyUnusable
            | Self::Other => return None,
        })
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessDenied => "access denied",
            Self::AddressMismatch => "address mismatch",
            Self::Config => "configuration",
            Self::Credentials => "credentials",
            Self::GuardDenied => "denied by guard",
            Self::InvalidKeyRef => "invalid key reference",
            Self::InvalidPublicKey => "invalid public key",
            Self::InvalidResponse => "invalid response",
            Self::InvalidSignature => "invalid signature",
            Self::KeyChanged => "key changed",
            Self::KeyNotFound => "key not found",
            Self::KeyUnsuitable => "key unsuitable",
            Self::KeyUnusable => "key unusable",
            Self::SignatureMismatch => "signature mismatch",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ParseKeyRef => "reading the key reference",
            Self::ParsePublicKey => "reading the public key",
            Self::Recover => "reading the signature",
            Self::Connect => "connecting",
            Self::GetPublicKey => "GetPublicKey",
            Self::Sign => "Sign",
            Self::Fake => "FakeKms",
        })
    }
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
