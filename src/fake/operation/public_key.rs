//! `GetPublicKey`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Call;
use crate::fake::{
    key::{Spec, merge},
    refusal::Refusal,
};

pub(super) fn get(call: &Call<'_>) -> Result<Value, Refusal> {
    let key = call.key("KeyId")?;
    let symmetric = || Refusal::unsupported(format!("{} is a symmetric key, which has no public key.", key.arn));
    if key.spec == Spec::Symmetric {
        return Err(symmetric());
    }
    let spki = key.usable_material()?.spki().ok_or_else(symmetric)?;
    let mut fields = key.abilities();
    merge(&mut fields, json!({ "KeyId": key.arn, "PublicKey": STANDARD.encode(spki) }));
    Ok(fields)
}
