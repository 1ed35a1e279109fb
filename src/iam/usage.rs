//! What signers and encryptors may do with a key, whichever policy says so.

use super::document::Statement;

/// The one algorithm and message type that a signer may ask for.
///
/// The `Sign` statement requires both, by `kms:SigningAlgorithm` and `kms:MessageType`. A key can only be used with the
/// algorithms of its key spec, so this shuts out what remains: a message that KMS would hash itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// `ECDSA_SHA_256` over a `DIGEST` of 32 bytes: secp256k1 and P-256 keys. What [`KmsSigner`](crate::KmsSigner)
    /// sends.
    #[default]
    EcdsaSha256,
    /// `ED25519_SHA_512` over a `RAW` message: Ed25519 keys.
    Ed25519Sha512,
}

/// `GetPublicKey`, and `Sign` with this algorithm: the two statements of every signer. Both actions take a grant token
/// and can be used from another account.
pub(super) fn signer_statements(algorithm: SigningAlgorithm) -> [Statement; 2] {
    let (name, message_type) = match algorithm {
        SigningAlgorithm::EcdsaSha256 => ("ECDSA_SHA_256", "DIGEST"),
        SigningAlgorithm::Ed25519Sha512 => ("ED25519_SHA_512", "RAW"),
    };
    let sign = Statement::allow("Sign", ["kms:Sign"]).when("StringEquals", "kms:SigningAlgorithm", [name]).when(
        "StringEquals",
        "kms:MessageType",
        [message_type],
    );
    [Statement::allow("ReadPublicKey", ["kms:GetPublicKey"]), sign]
}

/// The operations of a grant that lets its grantee sign, and nothing else.
pub(super) const SIGNER_GRANT: [&str; 2] = ["GetPublicKey", "Sign"];

/// What it takes to use a symmetric key, and to check beforehand that it is one.
pub(super) const ENCRYPTION: [&str; 3] = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"];
