//! From the SDK's errors to ours: the only file that knows AWS error codes.
//!
//! Errors are classified by code. Throttling, access denial and most credential errors are not modelled by the SDK, so
//! matching its variants would miss them.

use core::time::Duration;
use std::{
    error::Error as StdError,
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
    operation::RequestId,
    primitives::{DateTime, DateTimeFormat},
};

use super::Call;
use crate::error::{Error, ErrorKind, Operation};

pub(super) type SdkResult<O, E> = Result<O, SdkError<E, HttpResponse>>;

/// What KMS answers to a dry run that would have succeeded.
pub(super) const DRY_RUN_SUCCEEDED: &str = "DryRunOperationException";

/// A clock this far off is why AWS refuses a request's signature; SigV4 allows five minutes.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// What the loop does with a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    No,
    AfterPause,
    /// The SDK has learnt the clock's error from the answer and will sign the next request correctly.
    ClockCorrected,
}

/// `limit` is the time the attempt had; `transmitted` whether its request reached transmission.
pub(super) fn classify<E>(
    failure: SdkError<E, HttpResponse>,
    call: Call<'_>,
    limit: Duration,
    transmitted: bool,
) -> (Error, Retry)
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (error, retry) = match &failure {
        SdkError::ServiceError(service) => answered(service.err(), service.raw(), call),
        SdkError::ResponseError(response) => unreadable(response.raw(), &failure, call),
        SdkError::TimeoutError(_) => (timed_out(limit, call), Retry::AfterPause),
        SdkError::DispatchFailure(dispatch) => not_answered(dispatch.as_connector_error(), &failure, call),
        _ => not_sent(&failure, call),
    };
    let unresolved = match error.kind() {
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::InvalidResponse => true,
        ErrorKind::Transport => !was_refused(&failure),
        _ => false,
    };
    let error =
        error.with_key(call.key).with_may_have_signed(call.signs && transmitted && unresolved).with_source(failure);
    (error, retry)
}

/// KMS, or what stands before it, answered with an error.
fn answered<E: ProvideErrorMetadata>(service: &E, raw: &HttpResponse, call: Call<'_>) -> (Error, Retry) {
    let status = raw.status().as_u16();
    let Some(code) = service.code() else {
        return without_code(status, raw, call);
    };
    let skew = clock_skew(raw).filter(|_| is_skew_code(code));
    let (kind, remedy) = match skew {
        Some(_) => (ErrorKind::Config, Some("set this machine's clock (NTP)")),
        None => kind_of(code, status, call.operation),
    };
    let mut message = match service.message() {
        Some(message) => one_line(message),
        None => format!("KMS answered HTTP {status}"),
    };
    if let Some(skew) = skew {
        message = format!("this machine's clock is {} s {} AWS's: {message}", skew.seconds, skew.direction);
    }
    let mut error = Error::new(kind, call.operation, message).with_code(Some(code)).with_request_id(raw.request_id());
    if let Some(remedy) = remedy {
        error = error.with_remedy(remedy);
    }
    match skew {
        Some(_) => (error.with_retryable(true), Retry::ClockCorrected),
        None => retry_by_kind(error),
    }
}

fn without_code(status: u16, raw: &HttpResponse, call: Call<'_>) -> (Error, Retry) {
    let kind = match status {
        429 => ErrorKind::Throttled,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::InvalidResponse,
    };
    let message = format!("the endpoint answered HTTP {status} without an AWS error code");
    retry_by_kind(Error::new(kind, call.operation, message).with_request_id(raw.request_id()))
}

/// There is an answer, but it cannot be read: cut off on the way, or not KMS's.
fn unreadable(raw: &HttpResponse, failure: &(dyn StdError + 'static), call: Call<'_>) -> (Error, Retry) {
    let read_whole = raw.body().bytes().is_some();
    let error = if read_whole {
        Error::new(
            ErrorKind::InvalidResponse,
            call.operation,
            format!("the answer is not one of KMS: {}", innermost(failure)),
        )
    } else {
        Error::new(ErrorKind::Transport, call.operation, format!("the answer broke off: {}", innermost(failure)))
    };
    retry_by_kind(error.with_request_id(raw.request_id()))
}

fn timed_out(limit: Duration, call: Call<'_>) -> Error {
    Error::new(ErrorKind::Timeout, call.operation, format!("no answer within {limit:.1?}"))
}

/// The request was, or was to be, transmitted; no answer came back.
fn not_answered(
    connector: Option<&ConnectorError>,
    failure: &(dyn StdError + 'static),
    call: Call<'_>,
) -> (Error, Retry) {
    if let Some(credentials) = find::<CredentialsError>(failure) {
        return no_credentials(credentials, call);
    }
    let message = chain(failure);
    match connector {
        Some(connector) if connector.is_timeout() => {
            retry_by_kind(Error::new(ErrorKind::Timeout, call.operation, message))
        }
        Some(connector) if connector.is_user() => (Error::new(ErrorKind::Config, call.operation, message), Retry::No),
        Some(connector) if connector.is_io() => {
            retry_by_kind(Error::new(ErrorKind::Transport, call.operation, message))
        }
        _ if is_set_up(&message) => (not_set_up(message, call), Retry::No),
        _ => retry_by_kind(Error::new(ErrorKind::Transport, call.operation, message)),
    }
}

/// The request could not be built.
fn not_sent(failure: &(dyn StdError + 'static), call: Call<'_>) -> (Error, Retry) {
    match find::<CredentialsError>(failure) {
        Some(credentials) => no_credentials(credentials, call),
        None => (not_set_up(chain(failure), call), Retry::No),
    }
}

fn no_credentials(credentials: &CredentialsError, call: Call<'_>) -> (Error, Retry) {
    let message = chain(credentials);
    let error = Error::new(ErrorKind::Credentials, call.operation, &message);
    match credentials {
        CredentialsError::ProviderTimedOut(_) => (error.with_retryable(true), Retry::AfterPause),
        CredentialsError::CredentialsNotLoaded(_) => (
            error.with_remedy(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or run where a role is attached",
            ),
            Retry::No,
        ),
        _ if message.contains("cargo feature") => {
            (error.with_remedy("for SSO and `aws login` sessions enable the feature `sso` of kms-signer"), Retry::No)
        }
        _ => (error, Retry::No),
    }
}

/// Whether a message without a type of its own tells of a client that was set up incompletely.
fn is_set_up(message: &str) -> bool {
    message.contains("No HTTP client") || message.contains("Missing Region") || message.contains("sleep")
}

fn not_set_up(message: String, call: Call<'_>) -> Error {
    let remedy = if message.contains("No HTTP client") {
        "give the SDK client an http_client, enable aws-sdk-kms's `default-https-client`, or use kms-signer's feature `connect`"
    } else if message.contains("Missing Region") {
        "set the Region on the client, or AWS_REGION"
    } else {
        "check how the client was built"
    };
    Error::new(ErrorKind::Config, call.operation, message).with_remedy(remedy)
}

/// The kind of an AWS error code, and a remedy where one fits better than the kind's.
///
/// The table in the documentation of [`ErrorKind`] lists what is here; a test walks it.
fn kind_of(code: &str, status: u16, operation: Operation) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind::*;
    match code {
        "AccessDeniedException" | "AccessDenied" | "NotAuthorized" => (AccessDenied, allow(operation)),
        "OptInRequired" => (AccessDenied, Some("enable this Region for the account")),

        "ExpiredTokenException" | "ExpiredToken" => (Credentials, Some("renew the session; its token has expired")),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            (Credentials, Some("check the secret access key; it does not belong to the access key id"))
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            (Credentials, Some("check the access key id and the session token; AWS does not know them"))
        }
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => (Credentials, None),
        "RequestExpired" | "RequestTimeTooSkewed" => (Config, Some("set this machine's clock (NTP)")),

        "NotFoundException" => (KeyNotFound, None),
        "InvalidArnException" | "InvalidAliasNameException" => (InvalidKeyRef, None),
        "DisabledException" => (KeyUnusable, Some("enable the key (kms:EnableKey)")),
        "KMSInvalidStateException" => (
            KeyUnusable,
            Some("cancel its deletion (kms:CancelKeyDeletion), or import its key material, according to its state"),
        ),
        "InvalidKeyUsageException" | "UnsupportedOperationException" => (KeyUnsuitable, None),
        "InvalidGrantTokenException" => {
            (Config, Some("pass the token CreateGrant returned, or none once the grant has had five minutes to spread"))
        }

        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown" => (Throttled, None),
        "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "KMSInternalException"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => (Unavailable, None),
        "RequestTimeout" | "RequestTimeoutException" => (Timeout, None),

        "UnknownOperationException" => (Config, Some("check the endpoint; it does not speak the KMS API")),
        _ if status >= 500 => (Unavailable, None),
        _ => (Other, None),
    }
}

fn allow(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::GetPublicKey => {
            Some("allow kms:GetPublicKey on this key in the key policy or in the caller's IAM policy")
        }
        Operation::Sign => Some("allow kms:Sign on this key in the key policy or in the caller's IAM policy"),
        _ => None,
    }
}

fn retry_by_kind(error: Error) -> (Error, Retry) {
    let retry = if error.is_retryable() { Retry::AfterPause } else { Retry::No };
    (error, retry)
}

/// How far this machine's clock is from AWS's, told as a person would.
#[derive(Clone, Copy)]
struct Skew {
    seconds: u64,
    direction: &'static str,
}

/// Codes AWS uses for a request whose time it does not accept, among other reasons.
fn is_skew_code(code: &str) -> bool {
    matches!(
        code,
        "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "AccessDeniedException"
    )
}

/// The difference between the answer's `Date` and this machine's clock, where it is too large for SigV4.
fn clock_skew(raw: &HttpResponse) -> Option<Skew> {
    let date = DateTime::from_str(raw.headers().get("date")?, DateTimeFormat::HttpDate).ok()?;
    let here = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let seconds = date.secs().abs_diff(here);
    let direction = if date.secs() > here { "behind" } else { "ahead of" };
    (seconds > CLOCK_TOLERANCE.as_secs()).then_some(Skew { seconds, direction })
}

/// Whether no connection came about, so that no request can have arrived.
fn was_refused(failure: &(dyn StdError + 'static)) -> bool {
    find::<io::Error>(failure).is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
        )
    })
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    sources(error).find_map(|error| error.downcast_ref())
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    sources(error).last().map(|error| one_line(&error.to_string())).unwrap_or_default()
}

/// The texts of an error and its sources on one line, outermost first, each said once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut out = String::new();
    for text in sources(error).map(|error| one_line(&error.to_string())) {
        if !out.contains(&text) {
            if !out.is_empty() {
                out.push_str(": ");
            }
            out.push_str(&text);
        }
    }
    out
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}
