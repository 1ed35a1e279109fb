//! `CreateAlias` and `UpdateAlias`.

use std::sync::Arc;

use serde_json::Value;

use super::Call;
use crate::fake::{key::Key, refusal::Refusal, store::check_alias_name};

/// The longest alias name that KMS takes, in characters.
const ALIAS_NAME_MAX: usize = 256;

pub(super) fn create(call: &Call<'_>) -> Result<Value, Refusal> {
    let (name, key) = read(call)?;
    call.store.create_alias(name, &key)?;
    Ok(Value::Null)
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Refusal> {
    let (name, key) = read(call)?;
    call.store.update_alias(name, &key)?;
    Ok(Value::Null)
}

fn read<'a>(call: &'a Call<'_>) -> Result<(&'a str, Arc<Key>), Refusal> {
    let name = check_alias_name(call.input.required_text("AliasName", ALIAS_NAME_MAX)?)?;
    if call.input.text("TargetKeyId")?.is_some_and(|target| target.contains("alias/")) {
        return Err(Refusal::validation("Aliases must refer to keys. Not aliases"));
    }
    let key = call.key("TargetKeyId")?;
    key.check_not_pending_deletion()?;
    Ok((name, key))
}
