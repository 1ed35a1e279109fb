//! What STS answers to whoever takes on a role.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};

use super::{
    About, Retry,
    codes::{is_refused_for_its_time, kind_of},
    credentials::FAILED_CREDENTIALS,
    find,
};
use crate::error::{Error, ErrorKind, one_line};

const REFUSED_ROLE: &str = "check the role's ARN, its trust policy and the external id, which AWS does not tell apart, and that \
    the caller may sts:AssumeRole it";
const STS_IS_BUSY: &str = "try again; STS could not give a session now";

/// STS answered, and gave no session.
pub(super) fn refused(credentials: &CredentialsError, call: About<'_>) -> Option<(Error, Retry)> {
    fn answer<E>(credentials: &CredentialsError) -> Option<(&str, &str, &HttpResponse)>
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let error = find::<SdkError<E, HttpResponse>>(credentials)?;
        Some((error.code().unwrap_or_default(), error.message().unwrap_or_default(), error.raw_response()?))
    }

    let (action, (code, message, raw)) = match answer::<AssumeRoleError>(credentials) {
        Some(answer) => ("AssumeRole", answer),
        None => ("AssumeRoleWithWebIdentity", answer::<AssumeRoleWithWebIdentityError>(credentials)?),
    };
    let status = raw.status().as_u16();
    if code.is_empty() && status < 500 {
        return None;
    }
    let said = if code.is_empty() { format!("STS answered HTTP {status}") } else { one_line(message) };
    let (kind, remedy) = kind_of(code, status, call.operation);
    let (kind, remedy, retryable) = match code {
        _ if is_refused_for_its_time(code, message) => (ErrorKind::Config, "set this machine's clock (NTP)", false),
        "ValidationError" | "ValidationException" => {
            (ErrorKind::Config, "correct the role's ARN and the session's settings", false)
        }
        "RegionDisabledException" => (ErrorKind::Config, "enable STS for this Region in the account", false),
        "InvalidIdentityToken" | "IDPRejectedClaim" => {
            (ErrorKind::Credentials, "check the identity provider and the trust policy of the role", false)
        }
        "IDPCommunicationError" => (ErrorKind::Credentials, STS_IS_BUSY, true),
        _ => match kind {
            ErrorKind::AccessDenied => (kind, REFUSED_ROLE, false),
            ErrorKind::Credentials => (kind, remedy.unwrap_or(FAILED_CREDENTIALS), false),
            ErrorKind::Throttled | ErrorKind::Timeout | ErrorKind::Unavailable => {
                (ErrorKind::Credentials, STS_IS_BUSY, true)
            }
            _ => (ErrorKind::Credentials, FAILED_CREDENTIALS, false),
        },
    };
    let error = Error::new(kind, call.operation, format!("{action}: {said}"))
        .with_remedy(remedy)
        .with_retryable(retryable)
        .with_code(Some(code).filter(|code| !code.is_empty()))
        .with_request_id(raw.request_id());
    // The SDK has tried again by itself where that could be of use.
    Some((error, Retry::No))
}
