//! `GetKeyPolicy` and `PutKeyPolicy`, and the policy of a new key.

use serde_json::{Value, json};

use super::Call;
use crate::fake::{policy::Policy, refusal::Refusal};

/// In characters.
const NAME_MAX: usize = 128;

pub(super) fn get(call: &Call<'_>) -> Result<Value, Refusal> {
    check_name(call)?;
    let key = call.key("KeyId")?;
    Ok(json!({ "Policy": key.policy.text(), "PolicyName": "default" }))
}

pub(super) fn put(call: &Call<'_>) -> Result<Value, Refusal> {
    check_name(call)?;
    let policy = read(call)?.ok_or_else(|| Refusal::constraint("Policy", "null", "not be null"))?;
    let key = call.key("KeyId")?;
    call.check_lockout(&policy, &key)?;
    call.change(&key, |key| {
        key.policy = policy;
        Ok(Value::Null)
    })
}

/// The `Policy` of a request.
pub(super) fn read(call: &Call<'_>) -> Result<Option<Policy>, Refusal> {
    call.input.text("Policy")?.map(Policy::of_key).transpose()
}

/// There is one policy, and this is its name.
fn check_name(call: &Call<'_>) -> Result<(), Refusal> {
    match call.input.text("PolicyName")? {
        None | Some("default") => Ok(()),
        Some(_) => {
            let name = call.input.required_text("PolicyName", NAME_MAX)?;
            Err(Refusal::not_found(format!("No such policy exists: {name}")))
        }
    }
}
