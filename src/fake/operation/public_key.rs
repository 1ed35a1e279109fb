//! `GetPublicKey`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Call;
use crate::fake::{key::merge, refusal::Refusal};

pub(super) fn get(call: &Call<'_>) -> Result<Value, Refusal> {
    let key = call.key("KeyId")?;
    let spki = key
        .material
        .spki()
        .ok_or_else(|| Refusal::unsupported(format!("{} is a symmetric key, which has no public key.", key.arn)))?;
    key.check_enabled()?;
    let mut fields = key.abilities();
    merge(&mut fields, json!({ "KeyId": key.arn, "PublicKey": STANDARD.encode(spki) }));
    Ok(fields)
}
