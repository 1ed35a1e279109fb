//! `CreateKey` and `UpdateKeyDescription`.

use serde_json::{Value, json};

use super::{Call, policy, tags};
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
    let policy = policy::read(call)?.unwrap_or_default();
    let tags = tags::read(input)?;

    let material = match spec {
        "ECC_SECG_P256K1" => Material::Secp256k1(ecdsa::random_secret()?),
        "ECC_NIST_P256" => Material::P256(ecdsa::random_secret()?),
        _ => Material::Symmetric,
    };
    let id = random::key_id(input.flag("MultiRegion")?)?;
    let mut key = Key::new(id, call.store.region(), material, usage, Origin::AwsKms, call.now);
    description.clone_into(&mut key.description);
    (key.tags, key.policy) = (tags, policy);
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

pub(super) fn update_description(call: &Call<'_>) -> Result<Value, Refusal> {
    let description = description(call)?;
    call.change_key(|key| {
        key.check_not_pending_deletion()?;
        description.clone_into(&mut key.description);
        Ok(Value::Null)
    })
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
