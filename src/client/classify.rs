//! From the SDK's errors to ours: the only file that knows AWS error codes and the SDK's wording.
//!
//! Errors are classified by code. Throttling, access denial and most credential errors are not modelled by the SDK, so
//! matching its variants would miss them.

mod codes;
mod credentials;
#[cfg(feature = "connect")]
mod sts;

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
use http_body_util::LengthLimitError;

#[cfg(feature = "connect")]
pub(super) use self::credentials::credentials_kind;
use self::{
    codes::{is_refused_for_its_time, kind_of},
    credentials::{GIVE_CREDENTIALS, SLOW_CREDENTIALS, no_credentials},
};
use super::{Policy, attempt::MAX_ANSWER};
use crate::error::{Error, ErrorKind, Operation, one_line};

pub(super) type SdkResult<O, E> = Result<O, SdkError<E, HttpResponse>>;

/// What KMS answers to a dry run that would have succeeded.
pub(super) const DRY_RUN_SUCCEEDED: &str = "DryRunOperationException";

/// What the loop does after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    No,
    AfterPause,
    /// It is of no use in this Region.
    Elsewhere,
    /// The SDK has learnt the clock's error from the answer and signs the next request accordingly.
    ClockCorrected,
}

/// What an error says about the call.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) operation: Operation,
    /// Empty where it is about no key.
    pub(super) key: &'a str,
    /// Whether a request that was transmitted and not refused may have had an effect that a second one has again.
    pub(super) may_have_effect: bool,
}

/// What has come of an attempt that failed.
pub(super) struct Classified {
    pub(super) error: Error,
    pub(super) retry: Retry,
    /// The request may have been carried out, and have had an effect.
    pub(super) may_have_effect: bool,
}

/// What the loop knows of the attempt that failed.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// The time it had.
    pub(super) limit: Duration,
    /// Its request reached transmission.
    pub(super) transmitted: bool,
    /// It was the one with the corrected clock.
    pub(super) clock_corrected: bool,
}

pub(super) fn classify<E>(
    failure: SdkError<E, HttpResponse>,
    call: About<'_>,
    attempt: Attempt,
    policy: &Policy,
) -> Classified
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (error, retry) = match &failure {
        // A success that cannot be read comes as an error of the service, too.
        SdkError::ServiceError(service) if service.raw().status().is_success() => {
            unreadable(service.raw(), &failure, call)
        }
        SdkError::ServiceError(service) => answered(service.err(), service.raw(), call, attempt),
        SdkError::ResponseError(response) => unreadable(response.raw(), &failure, call),
        SdkError::TimeoutError(_) => timed_out(call, attempt, policy),
        SdkError::DispatchFailure(dispatch) if attempt.transmitted => {
            not_set_up(&failure, call).unwrap_or_else(|| broken(dispatch.as_connector_error(), &failure, call))
        }
        _ => not_set_up(&failure, call).unwrap_or_else(|| not_sent(&failure, call)),
    };
    let unresolved = matches!(
        error.kind(),
        ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Unavailable | ErrorKind::InvalidResponse
    );
    let may_have_effect = call.may_have_effect && attempt.transmitted && unresolved && !never_connected(&failure);
    let error = if call.key.is_empty() { error } else { error.with_key(call.key) };
    let shows_secrets = shows_request(&failure) || may_show_plaintext(&failure, call.operation);
    let error = if shows_secrets { error } else { error.with_source(failure) };
    Classified { error, retry, may_have_effect }
}

/// KMS, or what stands before it, answered with an error.
fn answered<E: ProvideErrorMetadata>(
    service: &E,
    raw: &HttpResponse,
    call: About<'_>,
    attempt: Attempt,
) -> (Error, Retry) {
    let status = raw.status().as_u16();
    let Some(code) = service.code() else {
        return without_code(status, raw, call);
    };
    let said = service.message().map_or_else(|| format!("KMS answered HTTP {status}"), one_line);
    if is_refused_for_its_time(code, &said) {
        let message = format!("{}{said}", clock_skew(raw));
        let error = Error::new(ErrorKind::Config, call.operation, message)
            .with_remedy("set this machine's clock (NTP)")
            .with_code(Some(code))
            .with_request_id(raw.request_id());
        return (error, if attempt.clock_corrected { Retry::No } else { Retry::ClockCorrected });
    }
    let (kind, remedy) = kind_of(code, status, call.operation);
    // To allow more does not help then.
    let remedy = if said.contains("with an explicit deny") { Some(EXPLICIT_DENY) } else { remedy };
    let error = Error::new(kind, call.operation, said).with_code(Some(code)).with_request_id(raw.request_id());
    retry_by_kind(match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    })
}

fn without_code(status: u16, raw: &HttpResponse, call: About<'_>) -> (Error, Retry) {
    let kind = match status {
        429 => ErrorKind::Throttled,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::InvalidResponse,
    };
    let message = format!("the endpoint answered HTTP {status} without an AWS error code");
    retry_by_kind(Error::new(kind, call.operation, message).with_request_id(raw.request_id()))
}

/// There is an answer, but it cannot be read: too long, cut off on the way, or not KMS's.
fn unreadable(raw: &HttpResponse, failure: &(dyn StdError + 'static), call: About<'_>) -> (Error, Retry) {
    let (kind, message) = if find::<LengthLimitError>(failure).is_some() {
        (ErrorKind::InvalidResponse, format!("the answer is longer than {MAX_ANSWER} bytes"))
    } else if raw.body().bytes().is_some() {
        (ErrorKind::InvalidResponse, format!("the answer is not one of KMS: {}", innermost(failure)))
    } else {
        (ErrorKind::Transport, format!("the answer broke off: {}", innermost(failure)))
    };
    retry_by_kind(Error::new(kind, call.operation, message).with_request_id(raw.request_id()))
}

fn timed_out(call: About<'_>, attempt: Attempt, policy: &Policy) -> (Error, Retry) {
    if attempt.transmitted {
        let message = format!("no answer within {:.1?}", attempt.limit);
        return retry_by_kind(Error::new(ErrorKind::Timeout, call.operation, message));
    }
    let message = format!("no credentials within {:.1?}; this attempt sent nothing", policy.operation_timeout);
    let error = Error::new(ErrorKind::Credentials, call.operation, message).with_remedy(SLOW_CREDENTIALS);
    (error.with_retryable(true), Retry::AfterPause)
}

/// The request was given to the transport, and no answer came back.
fn broken(connector: Option<&ConnectorError>, failure: &(dyn StdError + 'static), call: About<'_>) -> (Error, Retry) {
    // The outermost texts only say that a request failed.
    let message = connector.and_then(|error| error.source()).map_or_else(|| chain(failure), chain);
    let kind = match connector {
        Some(connector) if connector.is_timeout() => ErrorKind::Timeout,
        _ if message.contains("scheme is not http") => ErrorKind::Config,
        _ => ErrorKind::Transport,
    };
    retry_by_kind(Error::new(kind, call.operation, message))
}

/// The client cannot send: it lacks credentials or a part, or a setting makes no sense.
fn not_set_up(failure: &(dyn StdError + 'static), call: About<'_>) -> Option<(Error, Retry)> {
    // Both can be what a source of credentials met, too.
    #[cfg(feature = "connect")]
    if let Some(why) = super::transport::cannot_send(failure) {
        return Some((Error::new(ErrorKind::Config, call.operation, why), Retry::No));
    }
    if let Some(credentials) = find::<CredentialsError>(failure) {
        return Some(no_credentials(credentials, call));
    }
    let text = chain(failure);
    let &(_, kind, message, remedy) = SET_UP.iter().find(|(phrase, ..)| text.contains(phrase))?;
    let error = Error::new(kind, call.operation, message).with_remedy(remedy);
    Some(if remedy == SLOW_CREDENTIALS { (error.with_retryable(true), Retry::AfterPause) } else { (error, Retry::No) })
}

/// The request could not be built, for a reason nobody foresaw.
fn not_sent(failure: &(dyn StdError + 'static), call: About<'_>) -> (Error, Retry) {
    let error = Error::new(ErrorKind::Config, call.operation, chain(failure));
    (error.with_remedy("check how the client was built"), Retry::No)
}

const EXPLICIT_DENY: &str =
    "a policy denies it explicitly, whatever else allows it: change that policy, or use another principal";

/// What the SDK says, without a type of its own, of a client that cannot send. Its own text is not passed on: where
/// the endpoint is unusable it holds the whole request, digest and grant tokens included.
const SET_UP: &[(&str, ErrorKind, &str, &str)] = &[
    (
        "No HTTP client was available",
        ErrorKind::Config,
        "the SDK client has no HTTP client",
        "give it an http_client, enable aws-sdk-kms's `default-https-client`, or use kms-signer's feature `connect`",
    ),
    ("Missing Region", ErrorKind::Config, "no Region is set", "set it on the client, or AWS_REGION"),
    (
        "must be a valid host label",
        ErrorKind::Config,
        "the Region is no valid name",
        "set a Region like eu-central-1 on the client, or in AWS_REGION",
    ),
    (
        "failed to apply endpoint",
        ErrorKind::Config,
        "the endpoint URL cannot be used",
        "give one with scheme and host, for instance https://kms.eu-central-1.amazonaws.com",
    ),
    (
        "there was no identity resolver",
        ErrorKind::Credentials,
        "the SDK client has no credentials provider",
        "give it a credentials_provider, or use kms-signer's feature `connect`",
    ),
    ("identity resolver timed out", ErrorKind::Credentials, "loading the credentials took too long", SLOW_CREDENTIALS),
];

fn retry_by_kind(error: Error) -> (Error, Retry) {
    let retry = if error.is_retryable() { Retry::AfterPause } else { Retry::No };
    (error, retry)
}

/// How far this machine's clock is from the answer's `Date`, as the beginning of a message.
fn clock_skew(raw: &HttpResponse) -> String {
    let difference = || {
        let date = DateTime::from_str(raw.headers().get("date")?, DateTimeFormat::HttpDate).ok()?;
        let here = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
        Some(date.secs().saturating_sub(here))
    };
    match difference() {
        Some(seconds @ 1..) => format!("this machine's clock is {seconds} s behind AWS's: "),
        Some(seconds @ ..=-1) => format!("this machine's clock is {} s ahead of AWS's: ", seconds.unsigned_abs()),
        _ => String::new(),
    }
}

/// Whether the SDK put the whole request into an error, with its digest and grant tokens.
fn shows_request(failure: &(dyn StdError + 'static)) -> bool {
    sources(failure).any(|error| error.to_string().contains("SdkBody"))
}

/// Whether the SDK put an answer into an error that may hold a plaintext: its `Debug` prints the body.
fn may_show_plaintext<E>(failure: &SdkError<E, HttpResponse>, operation: Operation) -> bool {
    matches!(operation, Operation::Decrypt | Operation::GenerateDataKey)
        && failure.raw_response().is_some_and(|raw| raw.status().is_success())
}

/// Whether no connection came about, so that no request can have arrived.
fn never_connected(failure: &(dyn StdError + 'static)) -> bool {
    sources(failure).any(|error| {
        let text = error.to_string();
        // What hyper says of name resolution, TCP and TLS; what the SDK says of its connect timeout.
        text == "client error (Connect)"
            || text.starts_with("HTTP connect timeout")
            || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    })
}

pub(super) fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
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

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}
