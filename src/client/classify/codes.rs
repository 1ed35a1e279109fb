//! AWS's error codes: the kind of each, and what to do.

use crate::error::{ErrorKind, Operation};

/// The kind of an AWS error code, and a remedy where one fits better than the kind's.
///
/// The table in the documentation of [`ErrorKind`] lists what is here; a test compares the two.
pub(super) fn kind_of(code: &str, status: u16, operation: Operation) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind::*;
    match code {
        "AccessDeniedException" | "AccessDenied" | "NotAuthorized" => (AccessDenied, allow(operation)),
        "NotAuthorizedException" => (AccessDenied, Some("choose a name that AWS does not reserve")),
        "OptInRequired" => (AccessDenied, Some("enable this Region for the account")),

        "ExpiredTokenException" | "ExpiredToken" => (Credentials, Some("renew the session; its token has expired")),
        "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => {
            (Credentials, Some("check the secret access key; it does not belong to the access key id"))
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            (Credentials, Some("check the access key id and the session token; AWS does not know them"))
        }
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => {
            (Credentials, Some(super::GIVE_CREDENTIALS))
        }

        "AlreadyExistsException" => (AlreadyExists, None),
        "NotFoundException" => (KeyNotFound, None),
        "InvalidArnException" | "InvalidAliasNameException" => (InvalidKeyRef, None),
        "DisabledException" => (KeyUnusable, Some("enable the key (kms:EnableKey)")),
        "KMSInvalidStateException" => (
            KeyUnusable,
            Some("cancel its deletion (kms:CancelKeyDeletion), or import its key material, according to its state"),
        ),
        "UnsupportedOperationException" if operation == Operation::ReplicateKey => {
            (KeyUnsuitable, Some("only a multi-Region key (mrk-…) can have a replica, made from its primary key"))
        }
        "InvalidKeyUsageException" | "UnsupportedOperationException" if is_cipher(operation) => {
            (KeyUnsuitable, Some("use a key with KeySpec SYMMETRIC_DEFAULT and KeyUsage ENCRYPT_DECRYPT"))
        }
        "InvalidKeyUsageException" | "UnsupportedOperationException" => (KeyUnsuitable, None),
        "IncorrectKeyException" => (
            InvalidCiphertext,
            Some(
                "name the key that it was encrypted with; if that was under an alias, the alias may have been pointed elsewhere since",
            ),
        ),
        "InvalidCiphertextException" if operation == Operation::ImportKeyMaterial => {
            (InvalidCiphertext, Some("import again: each wrapping key is for one key and for 24 hours"))
        }
        "InvalidCiphertextException" => (
            InvalidCiphertext,
            Some("give the ciphertext unaltered, and the encryption context that it was made with, letter by letter"),
        ),
        "MalformedPolicyDocumentException" => (Config, Some("correct the policy")),
        "TagException" => (Config, Some("correct the tag")),
        "IncorrectKeyMaterialException" => {
            (Config, Some("give the key material that this key, or its primary key, was first given"))
        }
        "InvalidGrantIdException" => (Config, Some("give the id that CreateGrant returned")),
        "LimitExceededException" => (Other, Some("ask AWS to raise this quota of the account and Region")),
        "InvalidImportTokenException" | "ExpiredImportTokenException" => {
            (Other, Some("import again: each token is for one key and for 24 hours"))
        }
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
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => (Unavailable, None),
        "RequestTimeout" | "RequestTimeoutException" => (Timeout, None),

        "UnknownOperationException" => (Config, Some("check the endpoint; it does not speak the KMS API")),
        "ValidationException" | "ValidationError" => (Other, None),
        _ if status >= 500 => (Unavailable, None),
        _ => (Other, None),
    }
}

/// Whether AWS refused a request for the time it was signed with. Of `InvalidSignatureException` only the text tells.
pub(super) fn is_refused_for_its_time(code: &str, message: &str) -> bool {
    match code {
        "RequestExpired" | "RequestTimeTooSkewed" => true,
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            message.contains("Signature expired") || message.contains("Signature not yet current")
        }
        _ => false,
    }
}

fn is_cipher(operation: Operation) -> bool {
    matches!(operation, Operation::Encrypt | Operation::Decrypt | Operation::GenerateDataKey)
}

fn allow(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::GetPublicKey => {
            Some("allow kms:GetPublicKey on this key in the key policy or in the caller's IAM policy")
        }
        Operation::Sign => Some("allow kms:Sign on this key in the key policy or in the caller's IAM policy"),
        Operation::Encrypt => Some("allow kms:Encrypt on this key in the key policy or in the caller's IAM policy"),
        Operation::Decrypt => Some("allow kms:Decrypt on this key in the key policy or in the caller's IAM policy"),
        Operation::GenerateDataKey => {
            Some("allow kms:GenerateDataKey on this key in the key policy or in the caller's IAM policy")
        }
        // They are about no key, so no key policy can allow them.
        Operation::CreateKey | Operation::ListKeys | Operation::ListAliases => {
            Some("allow the action in the caller's IAM policy, on the resource *")
        }
        Operation::CreateAlias | Operation::UpdateAlias => Some(
            "allow the action on the alias, in the caller's IAM policy, and on the key, there or in the key policy",
        ),
        _ => None,
    }
}
