//! Answers in the right form that say something else.

use base64::{Engine, engine::general_purpose::STANDARD};
use kms_signer::{ErrorKind::*, KeyArn, fake::Fault};

use super::{Expected::Accepted, Make, Row, both, discarded, get_public_key, sign};

pub(super) fn rows() -> Vec<Row> {
    let without = Fault::missing_field;
    let spki = |pem| Fault::bad_spki(der(pem));
    vec![
        // Whose answer it is.
        both("`KeyId` is another key", Make::KeyId(other_key), discarded(KeyChanged)),
        both("`KeyId` is another key's bare id", Make::KeyId(|_| OTHER.to_owned()), discarded(KeyChanged)),
        both("`KeyId` is in another Region", Make::KeyId(other_region), discarded(KeyChanged)),
        both("`KeyId` is in another account", Make::KeyId(other_account), discarded(KeyChanged)),
        both("`KeyId` is in another partition", Make::KeyId(other_partition), discarded(KeyChanged)),
        both("`KeyId` is the bare id", Make::KeyId(|key| key.key_id().to_string()), Accepted),
        both("`KeyId` is an alias", Fault::key_id("alias/relayer"), discarded(InvalidResponse)),
        both("`KeyId` is nonsense", Fault::key_id("not a key"), discarded(InvalidResponse)),
        both("`KeyId` is empty", Fault::key_id(""), discarded(InvalidResponse)),
        both("`KeyId` is missing", without("KeyId"), discarded(InvalidResponse)),
        both("a field that is new", Fault::set_field("BrandNew", "x"), Accepted),
        // What GetPublicKey says of the key.
        get_public_key("`KeySpec` is missing", without("KeySpec"), discarded(InvalidResponse)),
        get_public_key(
            "`KeySpec` is another curve",
            Fault::set_field("KeySpec", "ECC_NIST_P256"),
            discarded(KeyUnsuitable),
        ),
        get_public_key("`KeyUsage` is missing", without("KeyUsage"), discarded(InvalidResponse)),
        get_public_key(
            "`KeyUsage` is another",
            Fault::set_field("KeyUsage", "KEY_AGREEMENT"),
            discarded(KeyUnsuitable),
        ),
        get_public_key("`SigningAlgorithms` is missing", without("SigningAlgorithms"), discarded(KeyUnsuitable)),
        get_public_key(
            "`SigningAlgorithms` is a text",
            Fault::set_field("SigningAlgorithms", "x"),
            discarded(InvalidResponse),
        ),
        get_public_key("`PublicKey` is missing", without("PublicKey"), discarded(InvalidResponse)),
        get_public_key("`PublicKey` is not base64", Fault::set_field("PublicKey", "!"), discarded(InvalidResponse)),
        get_public_key("`PublicKey` is garbage", Fault::bad_spki(*b"garbage"), discarded(InvalidPublicKey)),
        get_public_key("`PublicKey` is empty", Fault::bad_spki([]), discarded(InvalidPublicKey)),
        get_public_key(
            "`PublicKey` is on P-256",
            spki(include_str!("../../../vectors/openssl/p256.pem")),
            discarded(KeyUnsuitable),
        ),
        get_public_key(
            "`PublicKey` is Ed25519",
            spki(include_str!("../../../vectors/openssl/ed25519.pem")),
            discarded(KeyUnsuitable),
        ),
        get_public_key(
            "`PublicKey` is RSA",
            spki(include_str!("../../../vectors/openssl/rsa-2048.pem")),
            discarded(KeyUnsuitable),
        ),
        get_public_key(
            "`PublicKey` is another key's, with an expected address",
            Make::OtherPublicKey,
            discarded(AddressMismatch),
        ),
        // What Sign says.
        sign(
            "`SigningAlgorithm` is another",
            Fault::set_field("SigningAlgorithm", "ECDSA_SHA_512"),
            discarded(InvalidResponse),
        ),
        sign("`SigningAlgorithm` is missing", without("SigningAlgorithm"), Accepted),
        sign("`Signature` is missing", without("Signature"), discarded(InvalidResponse)),
        sign("`Signature` is not base64", Fault::set_field("Signature", "!"), discarded(InvalidResponse)),
        sign("`Signature` is empty", Fault::bad_signature([]), discarded(InvalidSignature)),
        sign("`Signature` is garbage", Fault::bad_signature(*b"garbage"), discarded(InvalidSignature)),
        sign("`Signature` is 64 bytes instead of DER", Fault::bad_signature([1; 64]), discarded(InvalidSignature)),
        sign("`Signature` has r = 0", Fault::bad_signature([0x30, 6, 2, 1, 0, 2, 1, 1]), discarded(InvalidSignature)),
        sign(
            "`Signature` has r = s = 1",
            Fault::bad_signature([0x30, 6, 2, 1, 1, 2, 1, 1]),
            discarded(SignatureMismatch),
        ),
        sign("`Signature` is another key's", Fault::other_key(), discarded(SignatureMismatch)),
        sign("`Signature` is of another digest", Make::OtherDigest, discarded(SignatureMismatch)),
        sign("`Signature` has a wrong bit", Fault::flipped_bit(), discarded(SignatureMismatch)),
        sign("`Signature` has a high s", Fault::high_s(), Accepted),
        sign("`Signature` has a short r", Fault::short_r(), Accepted),
    ]
}

const OTHER: &str = "12345678-1234-1234-1234-123456789012";

fn other_key(key: &KeyArn) -> String {
    key.to_string().replace(key.key_id().as_str(), OTHER)
}

fn other_region(key: &KeyArn) -> String {
    key.to_string().replace(key.region(), "us-west-2")
}

fn other_account(key: &KeyArn) -> String {
    key.to_string().replace(key.account(), "999999999999")
}

fn other_partition(key: &KeyArn) -> String {
    key.to_string().replace("arn:aws:", "arn:aws-cn:")
}

/// The bytes of a PEM file with one part.
fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(base64).unwrap()
}
