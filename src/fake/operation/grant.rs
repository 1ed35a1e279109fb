//! `CreateGrant`, `ListGrants`, `RevokeGrant` and `RetireGrant`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Call;
use crate::fake::{
    access::Principal,
    grant::{self, Grant, Terms},
    key::{Key, Usage},
    page::Page,
    refusal::Refusal,
};

const OPERATIONS: &[&str] = &[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
];
/// The longest of each that KMS takes, in characters.
const PRINCIPAL_MAX: usize = 256;
const NAME_MAX: usize = 256;
const ID_MAX: usize = 128;
const TOKEN_MAX: usize = 8192;

pub(super) fn create(call: &Call<'_>) -> Result<Value, Refusal> {
    let terms = terms(call)?;
    let dry_run = call.input.flag("DryRun")?;
    let key = call.find("KeyId")?;
    call.check_key_by(&key, |parent| parent.terms.cover(&terms))?;
    key.check_enabled()?;
    if let Some(wrong) = terms.operations.iter().find(|operation| !can_be_granted(operation, key.usage)) {
        return Err(Refusal::validation(format!("{wrong} cannot be granted on a {} key.", key.usage.name())));
    }
    let has_context = ["EncryptionContextSubset", "EncryptionContextEquals"]
        .iter()
        .any(|constraint| terms.constraints.get(constraint).is_some());
    if has_context && key.usage != Usage::EncryptDecrypt {
        return Err(Refusal::validation("EncryptionContext constraints are for symmetric encryption keys only."));
    }
    if dry_run {
        return Err(Refusal::dry_run());
    }
    let grant = Grant::new(terms, call.now)?;
    let id = call.change(&key, |key| {
        let same = key.grants.values().find(|other| other.terms.name.is_some() && other.terms == grant.terms);
        let grant = same.cloned().unwrap_or(grant);
        let id = grant.id.clone();
        key.grants.insert(id.clone(), grant);
        Ok(id)
    })?;
    let token = grant::token()?;
    call.store.add_grant_token(&token, &key.id, &id);
    Ok(json!({ "GrantId": id, "GrantToken": token }))
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let page = Page::read(call, 50, 100)?;
    let id = input.text("GrantId")?.map(|_| grant_id(call)).transpose()?;
    let grantee = input.text("GranteePrincipal")?;
    let key = call.key("KeyId")?;
    let grants = key.grants.values().filter(|grant| {
        id.is_none_or(|id| grant.id == id)
            && grantee.is_none_or(|grantee| grant.terms.grantee == grantee)
            && page.after().is_none_or(|after| grant.id.as_str() > after)
    });
    let entries = grants.take(page.wanted()).map(|grant| (grant.id.clone(), grant.entry(&key.arn)));
    Ok(page.answer("Grants", entries.collect()))
}

pub(super) fn revoke(call: &Call<'_>) -> Result<Value, Refusal> {
    let id = grant_id(call)?;
    let key = call.key("KeyId")?;
    find(&key, id)?;
    end(call, &key, id)
}

/// The grant's own token names it, or its key and id do.
pub(super) fn retire(call: &Call<'_>) -> Result<Value, Refusal> {
    let (key, id) = match call.input.text("GrantToken")? {
        Some(_) => {
            let token = call.input.required_text("GrantToken", TOKEN_MAX)?;
            call.store.grant_of_token(token, call.now).ok_or_else(Refusal::grant_token)?
        }
        None if call.input.text("KeyId")?.is_some() => (call.find("KeyId")?, grant_id(call)?.to_owned()),
        None => return Err(Refusal::validation("Either a GrantToken or a KeyId and a GrantId is required.")),
    };
    let grant = find(&key, &id)?;
    match &call.caller {
        Some(caller) if !grant.may_be_retired_by(&caller.principal) => call.check_key(&key)?,
        _ => {}
    }
    end(call, &key, &id)
}

fn end(call: &Call<'_>, key: &Arc<Key>, id: &str) -> Result<Value, Refusal> {
    if call.input.flag("DryRun")? {
        return Err(Refusal::dry_run());
    }
    call.change(key, |key| {
        key.grants.remove(id);
        Ok(())
    })?;
    call.store.drop_grant_tokens(id);
    Ok(Value::Null)
}

fn find<'a>(key: &'a Key, id: &str) -> Result<&'a Grant, Refusal> {
    key.grants.get(id).ok_or_else(|| Refusal::not_found(format!("Grant {id} of {} does not exist.", key.arn)))
}

fn grant_id<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    let id = call.input.required_text("GrantId", ID_MAX)?;
    if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(id);
    }
    Err(Refusal::new("InvalidGrantIdException", format!("{id} is not the id of a grant.")))
}

fn terms(call: &Call<'_>) -> Result<Terms, Refusal> {
    let input = &call.input;
    for field in ["GranteeServicePrincipal", "RetiringServicePrincipal"] {
        if input.text(field)?.is_some() {
            return Err(Refusal::unsupported("FakeKms gives no grants to AWS services."));
        }
    }
    let operations = input.texts("Operations")?;
    if let Some(wrong) = operations.iter().find(|operation| !OPERATIONS.contains(operation)) {
        let constraint = format!("satisfy enum value set: [{}]", OPERATIONS.join(", "));
        return Err(Refusal::constraint("Operations", format!("'[{wrong}]'"), constraint));
    }
    if operations.is_empty() {
        return Err(Refusal::validation("A grant is of one operation at least."));
    }
    let optional = |name, max| input.text(name)?.map(|_| input.required_text(name, max)).transpose();
    Ok(Terms {
        name: optional("Name", NAME_MAX)?.map(str::to_owned),
        grantee: principal(input.required_text("GranteePrincipal", PRINCIPAL_MAX)?)?,
        retiring: optional("RetiringPrincipal", PRINCIPAL_MAX)?.map(principal).transpose()?,
        operations: operations.into_iter().map(str::to_owned).collect(),
        constraints: input.object("Constraints").cloned().map_or(Value::Null, Value::Object),
    })
}

fn principal(arn: &str) -> Result<String, Refusal> {
    match Principal::new(arn) {
        Some(_) => Ok(arn.to_owned()),
        None => Err(Refusal::new("InvalidArnException", format!("ARN {arn} is not that of a principal."))),
    }
}

fn can_be_granted(operation: &str, usage: Usage) -> bool {
    match operation {
        "CreateGrant" | "RetireGrant" | "DescribeKey" => true,
        "GetPublicKey" => usage != Usage::EncryptDecrypt,
        "Sign" | "Verify" => usage == Usage::SignVerify,
        "DeriveSharedSecret" => usage == Usage::KeyAgreement,
        "GenerateMac" | "VerifyMac" | "Encapsulate" | "Decapsulate" => false,
        _ => usage == Usage::EncryptDecrypt,
    }
}
