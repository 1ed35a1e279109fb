//! `GetParametersForImport`, `ImportKeyMaterial` and `DeleteImportedKeyMaterial`.

use core::sync::atomic::Ordering;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Call;
use crate::fake::{
    key::{Key, Origin},
    refusal::Refusal,
    wrapping::{Token, Wrapping},
};

const WRAPPING_ALGORITHMS: &[&str] = &[
    "RSAES_PKCS1_V1_5",
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
    "SM2PKE",
];
const WRAPPING_KEY_SPECS: &[&str] = &["RSA_2048", "RSA_3072", "RSA_4096", "SM2"];
const EXPIRATION_MODELS: &[&str] = &["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"];
/// The longest blobs that KMS takes, in bytes.
const BLOB_MAX: usize = 6144;
/// In seconds.
const YEAR: i64 = 365 * 24 * 60 * 60;

pub(super) fn parameters(call: &Call<'_>) -> Result<Value, Refusal> {
    let algorithm = call.input.required_choice("WrappingAlgorithm", WRAPPING_ALGORITHMS)?;
    let spec = call.input.required_choice("WrappingKeySpec", WRAPPING_KEY_SPECS)?;
    let key = call.key("KeyId")?;
    check_external(&key)?;
    key.check_manageable()?;
    let turn = call.kms.0.imports.fetch_add(1, Ordering::Relaxed);
    let wrapping = Wrapping::of(algorithm, spec, turn)
        .ok_or_else(|| Refusal::unsupported(format!("FakeKms does not unwrap {algorithm} with {spec}.")))?;
    let token = Token::new(&key.arn, algorithm, spec, turn, call.now);
    Ok(json!({
        "KeyId": key.arn,
        "ImportToken": STANDARD.encode(token.seal()?),
        "PublicKey": STANDARD.encode(wrapping.public_key()?),
        "ParametersValidTo": token.valid_to,
    }))
}

pub(super) fn import(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let token = input.required_blob("ImportToken", BLOB_MAX)?;
    let wrapped = input.required_blob("EncryptedKeyMaterial", BLOB_MAX)?;
    let expires = expires(call)?;
    for field in ["ImportType", "KeyMaterialDescription", "KeyMaterialId"] {
        if input.text(field)?.is_some() {
            return Err(Refusal::unsupported(format!("FakeKms has no {field}: a key has one material.")));
        }
    }
    let key = call.key("KeyId")?;
    check_external(&key)?;
    key.check_manageable()?;

    let token = Token::open(&token)?.filter(|token| token.key_arn == key.arn).ok_or_else(|| {
        let message = format!("The import token is not one of {}.", key.arn);
        Refusal::new("InvalidImportTokenException", message)
    })?;
    if token.valid_to <= call.now {
        let message = "The import token has expired. Get new parameters for the import.";
        return Err(Refusal::new("ExpiredImportTokenException", message));
    }
    let plain = match Wrapping::of(&token.algorithm, &token.spec, token.turn) {
        Some(wrapping) => wrapping.unwrap(&wrapped)?,
        None => None,
    };
    let plain = plain.ok_or_else(|| {
        let message = format!("The key material is not wrapped with {} under this token's key.", token.algorithm);
        Refusal::new("InvalidCiphertextException", message)
    })?;
    let material = key.spec.decode(&plain).ok_or_else(|| {
        let message = format!("The key material is none of a {} key.", key.spec.name());
        Refusal::new("IncorrectKeyMaterialException", message)
    })?;
    call.change(&key, |key| {
        key.check_manageable()?;
        key.import(material, expires)?;
        Ok(json!({ "KeyId": key.arn }))
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Refusal> {
    call.change_key(|key| {
        check_external(key)?;
        key.delete_imported_material();
        Ok(json!({ "KeyId": key.arn }))
    })
}

fn check_external(key: &Key) -> Result<(), Refusal> {
    match key.origin {
        Origin::External => Ok(()),
        origin => Err(Refusal::unsupported(format!(
            "{} origin is {} which is not valid for this operation.",
            key.arn,
            origin.name()
        ))),
    }
}

/// When the material is to expire.
fn expires(call: &Call<'_>) -> Result<Option<i64>, Refusal> {
    let model = call.input.choice("ExpirationModel", EXPIRATION_MODELS)?.unwrap_or("KEY_MATERIAL_EXPIRES");
    let at = call.input.timestamp("ValidTo")?;
    match (model, at) {
        ("KEY_MATERIAL_DOES_NOT_EXPIRE", None) => Ok(None),
        ("KEY_MATERIAL_DOES_NOT_EXPIRE", Some(_)) => {
            Err(Refusal::validation("ValidTo must not be set when ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"))
        }
        (_, None) => Err(Refusal::validation("ValidTo must be set when ExpirationModel is KEY_MATERIAL_EXPIRES")),
        (_, Some(at)) if at <= call.now || at > call.now.saturating_add(YEAR) => {
            Err(Refusal::validation("ValidTo must be in the future and within 365 days"))
        }
        (_, at) => Ok(at),
    }
}
