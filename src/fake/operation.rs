//! The operations of the KMS API: which file answers which.

mod alias;
mod call;
mod cipher;
mod create_key;
mod data_key;
mod grant;
mod import;
mod key_state;
mod late;
mod list;
mod policy;
mod public_key;
mod replicate;
mod sign;
mod tags;

use serde_json::{Value, json};

pub(super) use self::{call::Call, late::hide};
use super::refusal::Refusal;

/// The fields of the answer, null where the operation has none.
pub(super) fn carry_out(call: &Call<'_>) -> Result<Value, Refusal> {
    match call.operation {
        "CancelKeyDeletion" => key_state::cancel_deletion(call),
        "CreateAlias" => alias::create(call),
        "CreateGrant" => grant::create(call),
        "CreateKey" => create_key::create_key(call),
        "Decrypt" => cipher::decrypt(call),
        "DeleteAlias" => alias::delete(call),
        "DeleteImportedKeyMaterial" => import::delete(call),
        "DescribeKey" => Ok(json!({ "KeyMetadata": call.key("KeyId")?.metadata(call.now) })),
        "DisableKey" => key_state::disable(call),
        "EnableKey" => key_state::enable(call),
        "Encrypt" => cipher::encrypt(call),
        "GenerateDataKey" => data_key::generate(call),
        "GenerateDataKeyWithoutPlaintext" => data_key::generate_without_plaintext(call),
        "GetKeyPolicy" => policy::get(call),
        "GetParametersForImport" => import::parameters(call),
        "GetPublicKey" => public_key::get(call),
        "ImportKeyMaterial" => import::import(call),
        "ListAliases" => list::aliases(call),
        "ListGrants" => grant::list(call),
        "ListKeys" => list::keys(call),
        "ListResourceTags" => tags::list(call),
        "PutKeyPolicy" => policy::put(call),
        "ReplicateKey" => replicate::replicate(call),
        "RetireGrant" => grant::retire(call),
        "RevokeGrant" => grant::revoke(call),
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
