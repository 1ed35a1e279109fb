//! The operations of the KMS API: the shape of a call, and which file answers it.

mod alias;
mod create_key;
mod import;
mod key_state;
mod list;
mod policy;
mod public_key;
mod replicate;
mod sign;
mod tags;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    FakeKms,
    ecdsa::Shape,
    input::Input,
    key::Key,
    refusal::Refusal,
    store::{Lookup, Store},
};

/// The longest `KeyId` that KMS takes, in characters.
const KEY_ID_MAX: usize = 2048;

pub(super) struct Call<'a> {
    pub(super) kms: &'a FakeKms,
    /// That of `kms`.
    pub(super) store: &'a Store,
    pub(super) operation: &'a str,
    pub(super) input: Input,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// What a signature is to be like.
    pub(super) shape: Shape,
}

/// The fields of the answer, null where the operation has none.
pub(super) fn carry_out(call: &Call<'_>) -> Result<Value, Refusal> {
    match call.operation {
        "CancelKeyDeletion" => key_state::cancel_deletion(call),
        "CreateAlias" => alias::create(call),
        "CreateKey" => create_key::create_key(call),
        "DeleteAlias" => alias::delete(call),
        "DeleteImportedKeyMaterial" => import::delete(call),
        "DescribeKey" => Ok(json!({ "KeyMetadata": call.key("KeyId")?.metadata(call.now) })),
        "DisableKey" => key_state::disable(call),
        "EnableKey" => key_state::enable(call),
        "GetKeyPolicy" => policy::get(call),
        "GetParametersForImport" => import::parameters(call),
        "GetPublicKey" => public_key::get(call),
        "ImportKeyMaterial" => import::import(call),
        "ListAliases" => list::aliases(call),
        "ListKeys" => list::keys(call),
        "ListResourceTags" => tags::list(call),
        "PutKeyPolicy" => policy::put(call),
        "ReplicateKey" => replicate::replicate(call),
        "ScheduleKeyDeletion" => key_state::schedule_deletion(call),
        "Sign" => sign::sign(call),
        "TagResource" => tags::tag(call),
        "UntagResource" => tags::untag(call),
        "UpdateAlias" => alias::update(call),
        "UpdateKeyDescription" => create_key::update_description(call),
        "" => Err(Refusal::new("UnknownOperationException", "X-Amz-Target names no operation of KMS.")),
        other => Err(Refusal::new("UnknownOperationException", format!("FakeKms has no {other}."))),
    }
}

impl Call<'_> {
    /// The key that a field names.
    fn key(&self, field: &str) -> Result<Arc<Key>, Refusal> {
        self.store.key(self.input.required_text(field, KEY_ID_MAX)?, Lookup::of(self.operation), self.now)
    }

    /// Changes the key that `KeyId` names, unless `change` refuses.
    fn change_key<T>(&self, change: impl FnOnce(&mut Key) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let text = self.input.required_text("KeyId", KEY_ID_MAX)?;
        self.store.change(text, Lookup::of(self.operation), self.now, change)
    }
}
