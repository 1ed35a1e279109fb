//! What an error can be about: its kind, with AWS's codes, and the operation.

use core::fmt;

/// The class of an [`Error`](super::Error): whose fault it is and what to do.
///
/// AWS's error codes, as [`Error::code`](super::Error::code) gives them, and the kind each becomes. "Retried" means that the client tries again
/// by itself within the operation timeout, and that [`Error::is_retryable`](super::Error::is_retryable) is true.
///
/// | code | kind | retried | what to do |
/// |---|---|---|---|
/// | `AccessDeniedException` | `AccessDenied` | no | allow `kms:Sign` or `kms:GetPublicKey` on the key, in its policy or the caller's |
/// | `AccessDenied` | `AccessDenied` | no | the same |
/// | `NotAuthorized` | `AccessDenied` | no | the same |
/// | `NotAuthorizedException` | `AccessDenied` | no | choose a name that AWS does not reserve |
/// | `OptInRequired` | `AccessDenied` | no | enable the Region for the account |
/// | `ExpiredTokenException` | `Credentials` | no | renew the session |
/// | `ExpiredToken` | `Credentials` | no | renew the session |
/// | `InvalidSignatureException` | `Credentials` | no | check the secret access key |
/// | `SignatureDoesNotMatch` | `Credentials` | no | check the secret access key |
/// | `IncompleteSignature` | `Credentials` | no | check the secret access key |
/// | `IncompleteSignatureException` | `Credentials` | no | check the secret access key |
/// | `InvalidClientTokenId` | `Credentials` | no | check the access key id and the session token |
/// | `UnrecognizedClientException` | `Credentials` | no | check the access key id and the session token |
/// | `MissingAuthenticationToken` | `Credentials` | no | give credentials |
/// | `MissingAuthenticationTokenException` | `Credentials` | no | give credentials |
/// | `RequestExpired` | `Config` | once | set this machine's clock |
/// | `RequestTimeTooSkewed` | `Config` | once | set this machine's clock |
/// | `InvalidGrantTokenException` | `Config` | no | pass the token that `CreateGrant` returned, or none after five minutes |
/// | `UnknownOperationException` | `Config` | no | check the endpoint |
/// | `MalformedPolicyDocumentException` | `Config` | no | correct the policy |
/// | `TagException` | `Config` | no | correct the tag |
/// | `IncorrectKeyMaterialException` | `Config` | no | give the key material that the key was first given |
/// | `InvalidGrantIdException` | `Config` | no | correct the grant id |
/// | `AlreadyExistsException` | `AlreadyExists` | no | choose another name, or use what is there |
/// | `InvalidArnException` | `InvalidKeyRef` | no | correct the key reference |
/// | `InvalidAliasNameException` | `InvalidKeyRef` | no | correct the alias |
/// | `NotFoundException` | `KeyNotFound` | no | check reference, account and Region; wait a second after creating it |
/// | `DisabledException` | `KeyUnusable` | no | enable the key |
/// | `KMSInvalidStateException` | `KeyUnusable` | no | cancel its deletion, or import its key material |
/// | `InvalidCiphertextException` | `InvalidCiphertext` | no | give the ciphertext unaltered, and the encryption context it was made with |
/// | `IncorrectKeyException` | `InvalidCiphertext` | no | name the key that it was encrypted with |
/// | `InvalidKeyUsageException` | `KeyUnsuitable` | no | create a key with `ECC_SECG_P256K1` and `SIGN_VERIFY`; to encrypt, `SYMMETRIC_DEFAULT` and `ENCRYPT_DECRYPT` |
/// | `UnsupportedOperationException` | `KeyUnsuitable` | no | the same |
/// | `ThrottlingException` | `Throttled` | yes | slow down, or raise the quota |
/// | `Throttling` | `Throttled` | yes | slow down, or raise the quota |
/// | `ThrottledException` | `Throttled` | yes | slow down, or raise the quota |
/// | `TooManyRequestsException` | `Throttled` | yes | slow down, or raise the quota |
/// | `RequestLimitExceeded` | `Throttled` | yes | slow down, or raise the quota |
/// | `RequestThrottled` | `Throttled` | yes | slow down, or raise the quota |
/// | `RequestThrottledException` | `Throttled` | yes | slow down, or raise the quota |
/// | `SlowDown` | `Throttled` | yes | slow down, or raise the quota |
/// | `DependencyTimeoutException` | `Unavailable` | yes | try again |
/// | `KeyUnavailableException` | `Unavailable` | yes | try again |
/// | `KMSInternalException` | `Unavailable` | yes | try again |
/// | `InternalError` | `Unavailable` | yes | try again |
/// | `InternalFailure` | `Unavailable` | yes | try again |
/// | `InternalServerError` | `Unavailable` | yes | try again |
/// | `ServiceUnavailable` | `Unavailable` | yes | try again |
/// | `ServiceUnavailableException` | `Unavailable` | yes | try again |
/// | `RequestTimeout` | `Timeout` | yes | try again |
/// | `RequestTimeoutException` | `Timeout` | yes | try again |
/// | `LimitExceededException` | `Other` | no | raise the quota of the account and Region |
/// | `InvalidImportTokenException` | `Other` | no | import again |
/// | `ExpiredImportTokenException` | `Other` | no | import again |
/// | `ValidationException` | `Other` | no | read AWS's text |
/// | `ValidationError` | `Other` | no | read AWS's text |
///
/// A code that is not listed is `Unavailable` and retried with HTTP status 500 and above, and `Other` below. An answer without
/// a code is `Throttled` with status 429, `Unavailable` from 500, and `InvalidResponse` otherwise.
///
/// `InvalidSignatureException` and `SignatureDoesNotMatch` are `Config` where AWS's text says that the signature has expired
/// or is not yet current: this machine's clock is off. The SDK learns by how much from the answer, and the request is
/// sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// AWS refused the caller. Allow the IAM action on the key, in the key policy or in the caller's policy.
    AccessDenied,
    /// The key's address is not the one that was expected. Check the key reference, or the address.
    AddressMismatch,
    /// There is already one of that name, for instance an alias. Choose another, or use what is there.
    AlreadyExists,
    /// An audit file is not what was written to it: lines were changed, removed, inserted or cut. Keep it, and find out who wrote to it.
    AuditBroken,
    /// The client or signer is set up wrongly (Region, endpoint, runtime, timeouts). Fix the set-up; retrying is useless.
    Config,
    /// No credentials, or AWS does not accept those it was given. Provide or refresh them.
    Credentials,
    /// A rule of the caller's own guard refused the request before KMS was asked.
    GuardDenied,
    /// What is to be decrypted or opened was altered, was made with another key, or under another encryption context. Give all three
    /// as they were.
    InvalidCiphertext,
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
    /// The key exists but is of another kind. An Ethereum signer needs `ECC_SECG_P256K1` and `SIGN_VERIFY`; the text says what was needed.
    KeyUnsuitable,
    /// The key exists but is disabled, pending deletion or otherwise not usable now. Change its state.
    KeyUnusable,
    /// The signature does not verify against the known public key. It was discarded; suspect the endpoint.
    SignatureMismatch,
    /// KMS is asked more often than the account's quota allows. Try later, or raise the quota.
    Throttled,
    /// No answer within the time allowed. Try again.
    Timeout,
    /// The connection failed. Try again, or check the network and the endpoint.
    Transport,
    /// KMS answered that it cannot serve the request now. Try again.
    Unavailable,
    /// A recorder could not write its record, so nothing was signed, or the signature was dropped. Make room, or mend the file.
    Unrecorded,
    /// None of the above; the text says what AWS answered.
    Other,
}

/// What was being done when an [`Error`](super::Error) arose.
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
    /// Ending a client in order.
    Drain,
    /// Reading a private key that is to be imported.
    ReadSecret,
    /// Reading a principal or building a policy.
    BuildPolicy,
    /// Reading a guard's rules.
    ReadRules,
    /// Judging what is to be signed.
    Judge,
    /// Recording a decision or a signature.
    Record,
    /// Reading or verifying an audit file.
    ReadAudit,
    /// Sealing: encrypting in this process, under a data key.
    Seal,
    /// Opening what was sealed.
    Unseal,
    /// The KMS API's `CancelKeyDeletion`.
    CancelKeyDeletion,
    /// The KMS API's `CreateAlias`.
    CreateAlias,
    /// The KMS API's `CreateGrant`.
    CreateGrant,
    /// The KMS API's `CreateKey`.
    CreateKey,
    /// The KMS API's `Decrypt`.
    Decrypt,
    /// The KMS API's `DescribeKey`.
    DescribeKey,
    /// The KMS API's `DisableKey`.
    DisableKey,
    /// The KMS API's `EnableKey`.
    EnableKey,
    /// The KMS API's `Encrypt`.
    Encrypt,
    /// The KMS API's `GenerateDataKey`.
    GenerateDataKey,
    /// The KMS API's `GetParametersForImport`.
    GetParametersForImport,
    /// The KMS API's `GetPublicKey`.
    GetPublicKey,
    /// The KMS API's `ImportKeyMaterial`.
    ImportKeyMaterial,
    /// The KMS API's `ListAliases`.
    ListAliases,
    /// The KMS API's `ListKeys`.
    ListKeys,
    /// The KMS API's `ListResourceTags`.
    ListResourceTags,
    /// The KMS API's `ReplicateKey`.
    ReplicateKey,
    /// The KMS API's `RevokeGrant`.
    RevokeGrant,
    /// The KMS API's `ScheduleKeyDeletion`.
    ScheduleKeyDeletion,
    /// The KMS API's `Sign`.
    Sign,
    /// The KMS API's `TagResource`.
    TagResource,
    /// The KMS API's `UntagResource`.
    UntagResource,
    /// The KMS API's `UpdateAlias`.
    UpdateAlias,
    /// Preparing a key, an alias or a fault in FakeKms.
    Fake,
}

impl ErrorKind {
    pub(super) fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::Transport | Self::Unavailable)
    }

    /// The name as it is written in code, for labels.
    #[cfg(feature = "aws")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::AddressMismatch => "AddressMismatch",
            Self::AlreadyExists => "AlreadyExists",
            Self::AuditBroken => "AuditBroken",
            Self::Config => "Config",
            Self::Credentials => "Credentials",
            Self::GuardDenied => "GuardDenied",
            Self::InvalidCiphertext => "InvalidCiphertext",
            Self::InvalidKeyRef => "InvalidKeyRef",
            Self::InvalidPublicKey => "InvalidPublicKey",
            Self::InvalidResponse => "InvalidResponse",
            Self::InvalidSignature => "InvalidSignature",
            Self::KeyChanged => "KeyChanged",
            Self::KeyNotFound => "KeyNotFound",
            Self::KeyUnsuitable => "KeyUnsuitable",
            Self::KeyUnusable => "KeyUnusable",
            Self::SignatureMismatch => "SignatureMismatch",
            Self::Throttled => "Throttled",
            Self::Timeout => "Timeout",
            Self::Transport => "Transport",
            Self::Unavailable => "Unavailable",
            Self::Unrecorded => "Unrecorded",
            Self::Other => "Other",
        }
    }

    /// The remedy where the place that raised the error knows no better one.
    pub(super) fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::AccessDenied => "allow the action on this key in the key policy or in the caller's IAM policy",
            Self::AddressMismatch => "check that the key reference and the expected address belong together",
            Self::AlreadyExists => "choose another name, or use what is there",
            Self::AuditBroken => "keep the file, find out who wrote to it, and begin a new one under another name",
            Self::Credentials => "check the credentials this process is given",
            Self::InvalidCiphertext => {
                "give the ciphertext unaltered, with the key and the encryption context that it was made with"
            }
            Self::InvalidKeyRef => {
                "expected a key id, a key ARN, an alias name (alias/…) or an alias ARN (arn:aws:kms:…:alias/…)"
            }
            Self::InvalidResponse => {
                "check that the endpoint is AWS KMS and that nothing in between alters its answers"
            }
            Self::KeyChanged => {
                "if the alias was pointed elsewhere on purpose, connect a new signer; if not, find out by whom (CloudTrail: UpdateAlias), and check the endpoint"
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
            Self::Unrecorded => {
                "nothing is signed that is not recorded: make room on the disk, or give this process the right to write the file"
            }
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
            Self::AlreadyExists => "already exists",
            Self::AuditBroken => "audit broken",
            Self::Config => "configuration",
            Self::Credentials => "credentials",
            Self::GuardDenied => "denied by guard",
            Self::InvalidCiphertext => "invalid ciphertext",
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
            Self::Unrecorded => "unrecorded",
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
            Self::Drain => "draining the client",
            Self::ReadSecret => "reading the private key",
            Self::BuildPolicy => "building the policy",
            Self::ReadRules => "reading the rules",
            Self::Judge => "guard",
            Self::Record => "recording",
            Self::ReadAudit => "reading the audit file",
            Self::Seal => "sealing",
            Self::Unseal => "opening what was sealed",
            Self::CancelKeyDeletion => "CancelKeyDeletion",
            Self::CreateAlias => "CreateAlias",
            Self::CreateGrant => "CreateGrant",
            Self::CreateKey => "CreateKey",
            Self::Decrypt => "Decrypt",
            Self::DescribeKey => "DescribeKey",
            Self::DisableKey => "DisableKey",
            Self::EnableKey => "EnableKey",
            Self::Encrypt => "Encrypt",
            Self::GenerateDataKey => "GenerateDataKey",
            Self::GetParametersForImport => "GetParametersForImport",
            Self::GetPublicKey => "GetPublicKey",
            Self::ImportKeyMaterial => "ImportKeyMaterial",
            Self::ListAliases => "ListAliases",
            Self::ListKeys => "ListKeys",
            Self::ListResourceTags => "ListResourceTags",
            Self::ReplicateKey => "ReplicateKey",
            Self::RevokeGrant => "RevokeGrant",
            Self::ScheduleKeyDeletion => "ScheduleKeyDeletion",
            Self::Sign => "Sign",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
            Self::UpdateAlias => "UpdateAlias",
            Self::Fake => "FakeKms",
        })
    }
}
