//! What was made and is not known everywhere yet.

use serde_json::Value;

use super::Call;
use crate::fake::fault::Spoilt;

/// Hides what a call has made from the next requests that name it, if that is its fault.
pub(in crate::fake) fn hide(call: &Call<'_>, answer: &Value) {
    let Some(&Spoilt::Unseen(requests)) = call.spoilt else { return };
    let text = |field| call.input.text(field).ok().flatten();
    let id = |metadata: &str| answer.get(metadata).and_then(|key| key.get("KeyId")).and_then(Value::as_str);
    match call.operation {
        "CreateKey" => call.store.hide(id("KeyMetadata"), requests),
        "CreateAlias" => call.store.hide(text("AliasName"), requests),
        "ReplicateKey" => {
            if let Some(there) = text("ReplicaRegion").and_then(|region| call.kms.joined(region)) {
                there.0.store.hide(id("ReplicaKeyMetadata"), requests);
            }
        }
        _ => {}
    }
}
