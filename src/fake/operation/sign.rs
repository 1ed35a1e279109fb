//! `Sign`.

use base64::{Engine, engine::general_purpose::STANDARD};
use k256::sha2::{Digest, Sha256};
use serde_json::{Value, json};

use super::Call;
use crate::fake::{ecdsa, key::Usage, refusal::Refusal};

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
    key.check_enabled()?;
    if key.usage != Usage::SignVerify {
        let usage = key.usage.name();
        return Err(invalid_usage(format!("{} key usage is {usage} which is not valid for Sign.", key.arn)));
    }
    let spec = key.material.spec();
    let incompatible = || invalid_usage(format!("Algorithm {algorithm} is incompatible with key spec {spec}."));
    if !key.signing_algorithms().contains(&algorithm) {
        return Err(incompatible());
    }
    let digest = match message_type {
        "RAW" => Sha256::digest(&message).into(),
        "DIGEST" => message
            .try_into()
            .map_err(|_| Refusal::validation(format!("Digest is invalid length for algorithm {algorithm}.")))?,
        other => {
            return Err(Refusal::validation(format!("Message type {other} is incompatible with key spec {spec}.")));
        }
    };
    if dry_run {
        return Err(Refusal::new(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        ));
    }
    let signature = ecdsa::sign(&key.material, digest, call.shape).ok_or_else(incompatible)??;
    Ok(json!({ "KeyId": key.arn, "Signature": STANDARD.encode(signature), "SigningAlgorithm": algorithm }))
}

fn invalid_usage(message: String) -> Refusal {
    Refusal::new("InvalidKeyUsageException", message)
}
