//! `GenerateDataKey` and `GenerateDataKeyWithoutPlaintext`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Call, cipher};
use crate::fake::{key::merge, random, refusal::Refusal};

const KEY_SPECS: &[&str] = &["AES_256", "AES_128"];
/// In bytes.
const LONGEST: i64 = 1024;

pub(super) fn generate(call: &Call<'_>) -> Result<Value, Refusal> {
    cipher::no_recipient(call)?;
    let (mut answer, data_key) = data_key(call)?;
    merge(&mut answer, json!({ "Plaintext": STANDARD.encode(&*data_key) }));
    Ok(answer)
}

pub(super) fn generate_without_plaintext(call: &Call<'_>) -> Result<Value, Refusal> {
    Ok(data_key(call)?.0)
}

/// The answer without the plaintext, and the plaintext.
fn data_key(call: &Call<'_>) -> Result<(Value, Zeroizing<Vec<u8>>), Refusal> {
    let (length, context, dry_run) = (length(call)?, cipher::context(call)?, call.input.flag("DryRun")?);
    let key = call.key("KeyId")?;
    let material = cipher::usable(call, &key, "SYMMETRIC_DEFAULT")?;
    if dry_run {
        return Err(Refusal::dry_run());
    }
    let mut data_key = Zeroizing::new(vec![0; length]);
    random::fill(&mut data_key)?;
    let blob = material.encrypt(&key.id, &context, &data_key)?;
    Ok((json!({ "KeyId": key.arn, "CiphertextBlob": STANDARD.encode(blob) }), data_key))
}

fn length(call: &Call<'_>) -> Result<usize, Refusal> {
    match (call.input.choice("KeySpec", KEY_SPECS)?, call.input.integer("NumberOfBytes")?) {
        (Some("AES_256"), None) => Ok(32),
        (Some(_), None) => Ok(16),
        (None, Some(length)) if (1..=LONGEST).contains(&length) => Ok(length.unsigned_abs() as usize),
        (None, Some(length)) => {
            let constraint = if length < 1 { "greater than or equal to 1" } else { "less than or equal to 1024" };
            Err(Refusal::constraint("NumberOfBytes", length, format!("have value {constraint}")))
        }
        _ => Err(Refusal::validation("Please specify either number of bytes or key spec.")),
    }
}
