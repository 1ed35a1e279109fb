//! `CreateKey` and `UpdateKeyDescription`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Call, policy, tags};
use crate::fake::{
    key::{Key, Origin, Spec, Usage},
    policy::Policy,
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
    let (spec, usage) = kind(spec, input.choice("KeyUsage", KEY_USAGES)?)?;
    let description = description(call)?;
    let origin = origin(call, spec)?;
    let policy = policy::read(call)?;
    let tags = tags::read(input)?;
    call.check_identity("kms:CreateKey", "*")?;
    if call.is_of_another_account() {
        return Err(Refusal::unsupported("FakeKms keeps the keys of one account."));
    }

    let id = random::key_id(input.flag("MultiRegion")?)?;
    let region = call.store.region();
    let mut key = match origin {
        Origin::AwsKms => Key::new(id, region, spec.generate()?, usage, call.now),
        Origin::External => Key::pending_import(id, region, spec, usage, call.now),
    };
    description.clone_into(&mut key.description);
    adorn(call, &mut key, tags, policy)?;
    let answer = json!({ "KeyMetadata": key.metadata(call.now) });
    call.store.insert(key);
    Ok(answer)
}

/// Gives a new key its tags and its policy.
pub(super) fn adorn(
    call: &Call<'_>,
    key: &mut Key,
    tags: BTreeMap<String, String>,
    policy: Option<Policy>,
) -> Result<(), Refusal> {
    if !tags.is_empty() {
        call.check_identity("kms:TagResource", &key.arn)?;
    }
    if let Some(policy) = policy {
        call.check_lockout(&policy, key)?;
        key.policy = policy;
    }
    key.tags = tags;
    Ok(())
}

fn kind(spec: &str, usage: Option<&str>) -> Result<(Spec, Usage), Refusal> {
    let known = Spec::of(spec).ok_or_else(|| Refusal::unsupported(format!("FakeKms has no {spec} keys.")))?;
    let usage = match (known, usage) {
        (Spec::Symmetric, None | Some("ENCRYPT_DECRYPT")) => Usage::EncryptDecrypt,
        (Spec::Secp256k1 | Spec::P256 | Spec::Ed25519, Some("SIGN_VERIFY")) => Usage::SignVerify,
        (Spec::P256, Some("KEY_AGREEMENT")) => Usage::KeyAgreement,
        (_, Some(usage)) => {
            return Err(Refusal::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
        }
        (_, None) => {
            return Err(Refusal::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    Ok((known, usage))
}

pub(super) fn update_description(call: &Call<'_>) -> Result<Value, Refusal> {
    let description = description(call)?;
    call.change_key(|key| {
        key.check_manageable()?;
        description.clone_into(&mut key.description);
        Ok(Value::Null)
    })
}

pub(super) fn description<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    let description = call.input.text("Description")?.unwrap_or_default();
    if description.chars().count() > DESCRIPTION_MAX {
        let constraint = format!("have length less than or equal to {DESCRIPTION_MAX}");
        return Err(Refusal::constraint("Description", format!("'{description}'"), constraint));
    }
    Ok(description)
}

fn origin(call: &Call<'_>, spec: Spec) -> Result<Origin, Refusal> {
    for field in ["CustomKeyStoreId", "XksKeyId"] {
        if call.input.text(field)?.is_some() {
            return Err(Refusal::unsupported("FakeKms has no custom key stores."));
        }
    }
    match call.input.choice("Origin", ORIGINS)? {
        None | Some("AWS_KMS") => Ok(Origin::AwsKms),
        Some("EXTERNAL") => Ok(Origin::External),
        Some(origin) => Err(Refusal::unsupported(format!("FakeKms has no {} keys of origin {origin}.", spec.name()))),
    }
}
