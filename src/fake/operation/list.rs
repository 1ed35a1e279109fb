//! `ListKeys` and `ListAliases`.

use serde_json::{Value, json};

use super::Call;
use crate::fake::{key::merge, page::Page, refusal::Refusal};

pub(super) fn keys(call: &Call<'_>) -> Result<Value, Refusal> {
    let page = Page::read(call, 100, 1000)?;
    call.check_identity("kms:ListKeys", "*")?;
    let keys =
        if call.is_of_another_account() { Vec::new() } else { call.store.keys(page.after(), page.wanted(), call.now) };
    let entry = |id: &str, arn: &str| (id.to_owned(), json!({ "KeyId": id, "KeyArn": arn }));
    Ok(page.answer("Keys", keys.iter().map(|key| entry(&key.id, &key.arn)).collect()))
}

pub(super) fn aliases(call: &Call<'_>) -> Result<Value, Refusal> {
    let page = Page::read(call, 50, 100)?;
    call.check_identity("kms:ListAliases", "*")?;
    let key = call.input.text("KeyId")?.map(|_| call.find("KeyId")).transpose()?;
    let aliases = if call.is_of_another_account() {
        Vec::new()
    } else {
        call.store.aliases(key.as_deref(), page.after(), page.wanted(), call.now)
    };
    let entries = aliases.into_iter().map(|(name, alias)| {
        let mut entry = json!({ "AliasName": name, "AliasArn": call.store.alias_arn(&name) });
        if let Some(id) = alias.key_id {
            let (created, updated) = (alias.created, alias.updated);
            merge(&mut entry, json!({ "TargetKeyId": id, "CreationDate": created, "LastUpdatedDate": updated }));
        }
        (name, entry)
    });
    Ok(page.answer("Aliases", entries.collect()))
}
