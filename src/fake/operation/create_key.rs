//! `CreateKey`.

use serde_json::{Map, Value, json};

use super::Call;
use crate::fake::{
    ecdsa,
    key::{Key, Material, Origin, Usage},
    random,
    refusal::Refusal,
};

const KEY_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
];
const KEY_USAGES: &[&str] = &["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"];
const ORIGINS: &[&str] = &["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];
/// In characters.
const DESCRIPTION_MAX: usize = 8192;

pub(super) fn create_key(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let spec = match input.choice("KeySpec", KEY_SPECS)? {
        Some(spec) => spec,
        None => input.choice("CustomerMasterKeySpec", KEY_SPECS)?.unwrap_or("SYMMETRIC_DEFAULT"),
    };
    let usage = usage(spec, input.choice("KeyUsage", KEY_USAGES)?)?;
    let description = description(call)?;
    check_origin(call)?;
    check_policy(call)?;
    check_tags(call)?;

    let material = match spec {
        "ECC_SECG_P256K1" => Material::Secp256k1(ecdsa::random_secret()?),
        "ECC_NIST_P256" => Material::P256(ecdsa::random_secret()?),
        _ => Material::Symmetric,
    };
    let id = random::key_id(input.flag("MultiRegion")?)?;
    let mut key = Key::new(id, call.store.region(), material, usage, Origin::AwsKms, call.now);
    description.clone_into(&mut key.description);
    let answer = json!({ "KeyMetadata": key.metadata() });
    call.store.insert(key);
    Ok(answer)
}

fn usage(spec: &str, usage: Option<&str>) -> Result<Usage, Refusal> {
    match (spec, usage) {
        ("SYMMETRIC_DEFAULT", None | Some("ENCRYPT_DECRYPT")) => Ok(Usage::EncryptDecrypt),
        ("ECC_SECG_P256K1" | "ECC_NIST_P256", Some("SIGN_VERIFY")) => Ok(Usage::SignVerify),
        ("ECC_NIST_P256", Some("KEY_AGREEMENT")) => Ok(Usage::KeyAgreement),
        ("SYMMETRIC_DEFAULT" | "ECC_SECG_P256K1" | "ECC_NIST_P256", Some(usage)) => {
            Err(Refusal::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")))
        }
        ("ECC_SECG_P256K1" | "ECC_NIST_P256", None) => Err(Refusal::validation(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        )),
        _ => Err(Refusal::unsupported(format!("FakeKms has no {spec} keys."))),
    }
}

fn description<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    let description = call.input.text("Description")?.unwrap_or_default();
    if description.chars().count() > DESCRIPTION_MAX {
        let constraint = format!("have length less than or equal to {DESCRIPTION_MAX}");
        return Err(Refusal::constraint("Description", format!("'{description}'"), constraint));
    }
    Ok(description)
}

fn check_origin(call: &Call<'_>) -> Result<(), Refusal> {
    match call.input.choice("Origin", ORIGINS)? {
        None | Some("AWS_KMS") => {}
        Some(origin) => return Err(Refusal::unsupported(format!("FakeKms has no keys of origin {origin}."))),
    }
    for field in ["CustomKeyStoreId", "XksKeyId"] {
        if call.input.text(field)?.is_some() {
            return Err(Refusal::unsupported("FakeKms has no custom key stores."));
        }
    }
    Ok(())
}

/// A policy must be JSON; FakeKms does not apply it.
fn check_policy(call: &Call<'_>) -> Result<(), Refusal> {
    match call.input.text("Policy")?.map(serde_json::from_str::<Map<String, Value>>) {
        Some(Err(_)) => Err(Refusal::new("MalformedPolicyDocumentException", "The policy is not a JSON object.")),
        _ => Ok(()),
    }
}

/// Tags must be well-formed; FakeKms does not keep them.
fn check_tags(call: &Call<'_>) -> Result<(), Refusal> {
    let is_text = |tag: &Value, field| tag.get(field).is_some_and(Value::is_string);
    for tag in call.input.list("Tags")? {
        if !is_text(tag, "TagKey") || !is_text(tag, "TagValue") {
            return Err(Refusal::new("TagException", "A tag is a TagKey and a TagValue."));
        }
    }
    Ok(())
}
