//! `CreateAlias`, `UpdateAlias` and `DeleteAlias`.

use std::sync::Arc;

use serde_json::Value;

use super::Call;
use crate::fake::{key::Key, refusal::Refusal, store::check_alias_name};

/// The longest alias name that KMS takes, in characters.
const ALIAS_NAME_MAX: usize = 256;

pub(super) fn create(call: &Call<'_>) -> Result<Value, Refusal> {
    let (name, key) = (name(call)?, target(call)?);
    call.store.create_alias(name, &key, call.now)?;
    Ok(Value::Null)
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Refusal> {
    let (name, key) = (name(call)?, target(call)?);
    call.check_key(&*call.store.alias_target(name, call.now)?)?;
    call.store.update_alias(name, &key, call.now)?;
    Ok(Value::Null)
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Refusal> {
    let name = name(call)?;
    call.check_key(&*call.store.alias_target(name, call.now)?)?;
    call.store.delete_alias(name);
    Ok(Value::Null)
}

/// The name of the alias. Only IAM policies say what may be done to it; to its keys key policies do, too.
fn name<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    let name = check_alias_name(call.input.required_text("AliasName", ALIAS_NAME_MAX)?)?;
    call.check_identity(&call.action(), &call.store.alias_arn(name))?;
    Ok(name)
}

fn target(call: &Call<'_>) -> Result<Arc<Key>, Refusal> {
    if call.input.text("TargetKeyId")?.is_some_and(|target| target.contains("alias/")) {
        return Err(Refusal::validation("Aliases must refer to keys. Not aliases"));
    }
    let key = call.key("TargetKeyId")?;
    key.check_manageable()?;
    Ok(key)
}
