//! Error codes of AWS: those that KMS documents for the two operations, and those of what stands before it.

use kms_signer::{ErrorKind::*, fake::Fault};

use super::{Row, both, clock, lost, not_now, refused};

pub(super) fn rows() -> Vec<Row> {
    let code = |code, status| Fault::error(code, status, "no");
    vec![
        // Documented for Sign, GetPublicKey or both.
        both("`DependencyTimeoutException`", code("DependencyTimeoutException", 503), lost(Unavailable)),
        both("`DisabledException`", code("DisabledException", 400), refused(KeyUnusable)),
        both("`DryRunOperationException`", code("DryRunOperationException", 400), refused(Other)),
        both("`InvalidArnException`", code("InvalidArnException", 400), refused(InvalidKeyRef)),
        both("`InvalidGrantTokenException`", code("InvalidGrantTokenException", 400), refused(Config)),
        both("`InvalidKeyUsageException`", code("InvalidKeyUsageException", 400), refused(KeyUnsuitable)),
        both("`KeyUnavailableException`", code("KeyUnavailableException", 500), lost(Unavailable)),
        both("`KMSInternalException`", code("KMSInternalException", 500), lost(Unavailable)),
        both("`KMSInvalidStateException`", code("KMSInvalidStateException", 400), refused(KeyUnusable)),
        both("`NotFoundException`", code("NotFoundException", 400), refused(KeyNotFound)),
        both("`UnsupportedOperationException`", code("UnsupportedOperationException", 400), refused(KeyUnsuitable)),
        // Not modelled.
        both("`ThrottlingException`", code("ThrottlingException", 400), not_now(Throttled)),
        both("`AccessDeniedException`, HTTP 400", code("AccessDeniedException", 400), refused(AccessDenied)),
        both("`AccessDeniedException`, HTTP 403", code("AccessDeniedException", 403), refused(AccessDenied)),
        both("`ExpiredTokenException`", code("ExpiredTokenException", 400), refused(Credentials)),
        both("`UnrecognizedClientException`", code("UnrecognizedClientException", 400), refused(Credentials)),
        both(
            "`MissingAuthenticationTokenException`",
            code("MissingAuthenticationTokenException", 400),
            refused(Credentials),
        ),
        both("`InvalidSignatureException`", code("InvalidSignatureException", 400), refused(Credentials)),
        both(
            "`InvalidSignatureException`, \"Signature expired\"",
            Fault::error("InvalidSignatureException", 400, "Signature expired: 20260714T100959Z is now earlier than …"),
            clock(),
        ),
        both(
            "`InvalidSignatureException`, \"Signature not yet current\"",
            Fault::error("InvalidSignatureException", 400, "Signature not yet current: 20260714T102001Z is still …"),
            clock(),
        ),
        both("`RequestTimeTooSkewed`", code("RequestTimeTooSkewed", 403), clock()),
        both("`ValidationException`", code("ValidationException", 400), refused(Other)),
        both("`UnknownOperationException`", code("UnknownOperationException", 404), refused(Config)),
        both("`OptInRequired`", code("OptInRequired", 403), refused(AccessDenied)),
        both("`InternalFailure`", code("InternalFailure", 500), lost(Unavailable)),
        both("`ServiceUnavailable`", code("ServiceUnavailable", 503), lost(Unavailable)),
        both("`RequestTimeoutException`", code("RequestTimeoutException", 408), lost(Timeout)),
        both("a code that is new, HTTP 400", code("BrandNewException", 400), refused(Other)),
        both("a code that is new, HTTP 503", code("BrandNewException", 503), lost(Unavailable)),
    ]
}
