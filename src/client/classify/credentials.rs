//! What became of loading credentials: none, slow ones, or a role that STS did not give.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::ConnectorError;

use super::{About, Retry, chain, find, sources};
#[cfg(feature = "connect")]
use crate::error::Operation;
use crate::error::{Error, ErrorKind};

pub(super) const SLOW_CREDENTIALS: &str = "check the source of the credentials (role, container, credential process), raise the \
    operation timeout, and on a client of your own the identity cache's load_timeout";
pub(super) const FAILED_CREDENTIALS: &str =
    "check the role, its trust policy and external id, or the credential process: what it says is above";
pub(super) const GIVE_CREDENTIALS: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or run where a role is attached";

pub(super) fn no_credentials(credentials: &CredentialsError, call: About<'_>) -> (Error, Retry) {
    // A role's provider wraps what the source it is taken on with said, and calls it a failed request.
    let credentials = sources(credentials).filter_map(|error| error.downcast_ref()).last().unwrap_or(credentials);
    #[cfg(feature = "connect")]
    if let Some(refused) = super::sts::refused(credentials, call) {
        return refused;
    }
    let message = chain(credentials);
    let error = Error::new(ErrorKind::Credentials, call.operation, &message);
    match credentials {
        CredentialsError::ProviderTimedOut(_) => {
            (error.with_remedy(SLOW_CREDENTIALS).with_retryable(true), Retry::AfterPause)
        }
        // The provider retried by itself. What it could not reach may be back later; a refusal stays one.
        CredentialsError::ProviderError(_) => {
            let unreachable = find::<ConnectorError>(credentials).is_some();
            (error.with_remedy(FAILED_CREDENTIALS).with_retryable(unreachable), Retry::No)
        }
        _ if message.contains("cargo feature") => {
            (error.with_remedy("for SSO and `aws login` sessions enable the feature `sso` of kms-signer"), Retry::No)
        }
        CredentialsError::CredentialsNotLoaded(_) => (error.with_remedy(GIVE_CREDENTIALS), Retry::No),
        _ => (error, Retry::No),
    }
}

/// What an error of a source of credentials will be to the call that needs them.
#[cfg(feature = "connect")]
pub(in crate::client) fn credentials_kind(error: &CredentialsError) -> ErrorKind {
    let call = About { operation: Operation::Connect, key: "", may_have_effect: false };
    no_credentials(error, call).0.kind()
}
