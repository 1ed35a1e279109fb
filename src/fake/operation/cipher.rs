//! `Encrypt` and `Decrypt`, and what data keys have in common with them.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Call;
use crate::fake::{
    key::{Key, Material, Usage, arn},
    refusal::Refusal,
    symmetric::{Ciphertext, SymmetricKey},
};

/// In bytes.
const PLAINTEXT_MAX: usize = 4096;
const CIPHERTEXT_MAX: usize = 6144;

const ALGORITHMS: &[&str] = &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"];
const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

pub(super) fn encrypt(call: &Call<'_>) -> Result<Value, Refusal> {
    let plaintext = Zeroizing::new(call.input.required_blob("Plaintext", PLAINTEXT_MAX)?);
    let (algorithm, context, dry_run) = (algorithm(call)?, context(call)?, call.input.flag("DryRun")?);
    not_empty("Plaintext", &plaintext)?;
    let key = call.key("KeyId")?;
    let material = usable(call, &key, algorithm)?;
    if dry_run {
        return Err(Refusal::dry_run());
    }
    let blob = material.encrypt(&key.id, &context, &plaintext)?;
    Ok(json!({ "KeyId": key.arn, "CiphertextBlob": STANDARD.encode(blob), "EncryptionAlgorithm": algorithm }))
}

pub(super) fn decrypt(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let (algorithm, context, dry_run) = (algorithm(call)?, context(call)?, input.flag("DryRun")?);
    no_recipient(call)?;
    let modifiers = input.list("DryRunModifiers")?;
    if let Some(wrong) = modifiers.iter().find(|modifier| modifier.as_str() != Some("IGNORE_CIPHERTEXT")) {
        return Err(Refusal::constraint("DryRunModifiers", wrong, "satisfy enum value set: [IGNORE_CIPHERTEXT]"));
    }
    if !modifiers.is_empty() {
        if !dry_run {
            return Err(Refusal::validation("DryRunModifiers are for a DryRun only."));
        }
        usable(call, &*call.key("KeyId")?, algorithm)?;
        return Err(Refusal::dry_run());
    }

    let blob = input.required_blob("CiphertextBlob", CIPHERTEXT_MAX)?;
    not_empty("CiphertextBlob", &blob)?;
    let ciphertext = Ciphertext::parse(&blob);
    let key = key_of(call, ciphertext.as_ref())?;
    let material = usable(call, &key, algorithm)?;
    let invalid = || Refusal::new("InvalidCiphertextException", "");
    let ciphertext = ciphertext.ok_or_else(invalid)?;
    if ciphertext.key_id != key.id {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        return Err(Refusal::new("IncorrectKeyException", message));
    }
    let plaintext = material.decrypt(&ciphertext, &context)?.ok_or_else(invalid)?;
    if dry_run {
        return Err(Refusal::dry_run());
    }
    Ok(json!({ "KeyId": key.arn, "Plaintext": STANDARD.encode(&*plaintext), "EncryptionAlgorithm": algorithm }))
}

/// The key that is named, or else the one that the ciphertext names.
fn key_of(call: &Call<'_>, ciphertext: Option<&Ciphertext<'_>>) -> Result<Arc<Key>, Refusal> {
    if call.input.text("KeyId")?.is_some() {
        return call.key("KeyId");
    }
    let ciphertext = ciphertext.ok_or_else(|| Refusal::new("InvalidCiphertextException", ""))?;
    let key = call.find_named(&arn(call.store.region(), ciphertext.key_id)).map_err(|_| {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
        Refusal::new("AccessDeniedException", message)
    })?;
    call.check_key(&key)?;
    Ok(key)
}

/// The key material, where the state and the kind of the key let it be used.
pub(super) fn usable<'a>(call: &Call<'_>, key: &'a Key, algorithm: &str) -> Result<&'a SymmetricKey, Refusal> {
    let material = key.usable_material()?;
    if key.usage != Usage::EncryptDecrypt {
        let (usage, operation) = (key.usage.name(), call.operation);
        return Err(invalid_usage(format!("{} key usage is {usage} which is not valid for {operation}.", key.arn)));
    }
    match material {
        Material::Symmetric(material) if algorithm == SYMMETRIC => Ok(material),
        _ => {
            let spec = key.spec.name();
            Err(invalid_usage(format!("Algorithm {algorithm} is incompatible with key spec {spec}.")))
        }
    }
}

/// The encryption context, in order.
pub(super) fn context<'a>(call: &'a Call<'_>) -> Result<BTreeMap<&'a str, &'a str>, Refusal> {
    let wrong = || Refusal::serialization("EncryptionContext is not a map of strings.");
    let pairs = call.input.object("EncryptionContext").into_iter().flatten();
    pairs.map(|(name, value)| Ok((name.as_str(), value.as_str().ok_or_else(wrong)?))).collect()
}

pub(super) fn no_recipient(call: &Call<'_>) -> Result<(), Refusal> {
    match call.input.object("Recipient") {
        Some(_) => Err(Refusal::unsupported("FakeKms knows no attestation documents.")),
        None => Ok(()),
    }
}

fn algorithm<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    Ok(call.input.choice("EncryptionAlgorithm", ALGORITHMS)?.unwrap_or(SYMMETRIC))
}

fn not_empty(field: &str, bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.is_empty() {
        // What is secret is not repeated, not even that it is empty.
        return Err(Refusal::constraint(field, "", "have length greater than or equal to 1"));
    }
    Ok(())
}

fn invalid_usage(message: String) -> Refusal {
    Refusal::new("InvalidKeyUsageException", message)
}
