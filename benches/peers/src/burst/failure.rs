//! What kind of failure an error is, by the same names for both signers.

use std::error::Error;

use alloy_signer_aws::AwsSignerError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

/// AWS's code where there is one, and otherwise the client's own name for it.
pub(super) fn kind(error: &(dyn Error + 'static)) -> String {
    if let Some(ours) = kms_signer::Error::find(error) {
        return ours.code().map_or_else(|| format!("{:?}", ours.kind()), str::to_owned);
    }
    match theirs(error) {
        Some(AwsSignerError::Sign(failure)) => sdk_kind(failure),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}

fn theirs<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a AwsSignerError> {
    match error.downcast_ref()? {
        alloy_signer::Error::Other(inner) => inner.downcast_ref(),
        _ => None,
    }
}

fn sdk_kind<E: ProvideErrorMetadata, R>(failure: &SdkError<E, R>) -> String {
    let name = match failure {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("no code"),
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "DispatchFailure",
        SdkError::ResponseError(_) => "ResponseError",
        _ => "ConstructionFailure",
    };
    name.to_owned()
}
