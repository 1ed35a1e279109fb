//! `Sign`.

use base64::{Engine, engine::general_purpose::STANDARD};
use k256::sha2::{Digest, Sha256};
use serde_json::{Value, json};

use super::Call;
use crate::fake::{
    ecdsa, eddsa,
    key::{Material, Usage},
    refusal::Refusal,
};

const ALGORITHMS: &[&str] = &[
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "ECDSA_SHA_256",
    "ECDSA_SHA_384",
    "ECDSA_SHA_512",
    "SM2DSA",
    "ML_DSA_SHAKE_256",
    "ED25519_SHA_512",
    "ED25519_PH_SHA_512",
];
const MESSAGE_TYPES: &[&str] = &["RAW", "DIGEST", "EXTERNAL_MU"];
/// In bytes.
const MESSAGE_MAX: usize = 4096;

pub(super) fn sign(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let algorithm = input.required_choice("SigningAlgorithm", ALGORITHMS)?;
    let message_type = input.choice("MessageType", MESSAGE_TYPES)?.unwrap_or("RAW");
    let message = input.required_blob("Message", MESSAGE_MAX)?;
    let dry_run = input.flag("DryRun")?;

    let key = call.key("KeyId")?;
    let material = key.usable_material()?;
    if key.usage != Usage::SignVerify {
        let usage = key.usage.name();
        return Err(invalid_usage(format!("{} key usage is {usage} which is not valid for Sign.", key.arn)));
    }
    let spec = key.spec.name();
    let incompatible = || invalid_usage(format!("Algorithm {algorithm} is incompatible with key spec {spec}."));
    if !key.signing_algorithms().contains(&algorithm) {
        return Err(incompatible());
    }
    let hashed = to_sign(message, message_type, algorithm)?;
    if dry_run {
        return Err(Refusal::dry_run());
    }
    let signature = match (material, &hashed) {
        (Material::Ed25519(pair), ToSign::Message(message)) => eddsa::sign(pair, message, call.shape())?,
        (material, ToSign::Digest(digest)) => {
            ecdsa::sign(material, *digest, call.shape()).ok_or_else(incompatible)??
        }
        _ => return Err(incompatible()),
    };
    Ok(json!({ "KeyId": key.arn, "Signature": STANDARD.encode(signature), "SigningAlgorithm": algorithm }))
}

enum ToSign {
    Digest([u8; 32]),
    Message(Vec<u8>),
}

fn to_sign(message: Vec<u8>, message_type: &str, algorithm: &str) -> Result<ToSign, Refusal> {
    match (algorithm, message_type) {
        ("ED25519_SHA_512", "RAW") => Ok(ToSign::Message(message)),
        ("ED25519_PH_SHA_512", "DIGEST") => Err(Refusal::unsupported("FakeKms has no ED25519_PH_SHA_512.")),
        ("ED25519_SHA_512" | "ED25519_PH_SHA_512", other) => Err(incompatible_type(other, algorithm)),
        (_, "RAW") => Ok(ToSign::Digest(Sha256::digest(&message).into())),
        (_, "DIGEST") => message
            .try_into()
            .map(ToSign::Digest)
            .map_err(|_| Refusal::validation(format!("Digest is invalid length for algorithm {algorithm}."))),
        (_, other) => Err(incompatible_type(other, algorithm)),
    }
}

fn incompatible_type(message_type: &str, algorithm: &str) -> Refusal {
    Refusal::validation(format!("Message type {message_type} is incompatible with algorithm {algorithm}."))
}

fn invalid_usage(message: String) -> Refusal {
    Refusal::new("InvalidKeyUsageException", message)
}
