//! What conditions are about: the request, the key, the caller.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FakeKms, access::Principal, input::Input, key::Key, operation::Call};

/// The values of condition keys, by their names in lower case.
pub(super) struct Context(BTreeMap<String, Vec<String>>);

/// The condition keys that FakeKms has, though a request may be without them.
const KNOWN: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:requestedregion",
    "aws:tagkeys",
    "kms:bypasspolicylockoutsafetycheck",
    "kms:calleraccount",
    "kms:customermasterkeyspec",
    "kms:customermasterkeyusage",
    "kms:encryptionalgorithm",
    "kms:encryptioncontextkeys",
    "kms:expirationmodel",
    "kms:grantconstrainttype",
    "kms:granteeprincipal",
    "kms:grantisforawsresource",
    "kms:grantoperations",
    "kms:keyorigin",
    "kms:keyspec",
    "kms:keyusage",
    "kms:messagetype",
    "kms:multiregion",
    "kms:multiregionkeytype",
    "kms:primaryregion",
    "kms:replicaregion",
    "kms:requestalias",
    "kms:resourcealiases",
    "kms:retiringprincipal",
    "kms:signingalgorithm",
    "kms:viaservice",
    "kms:wrappingalgorithm",
    "kms:wrappingkeyspec",
];
/// Those with a name of the user's behind them.
const KNOWN_PREFIXES: &[&str] = &["aws:requesttag/", "aws:resourcetag/", "kms:encryptioncontext:"];

impl Context {
    pub(super) fn of(call: &Call<'_>, caller: &Principal, key: Option<&Key>) -> Self {
        let mut context = Self(BTreeMap::new());
        context.set("aws:PrincipalArn", [caller.identity()]);
        context.set("aws:PrincipalAccount", [caller.account()]);
        context.set("kms:CallerAccount", [caller.account()]);
        context.set("aws:RequestedRegion", [call.store.region()]);
        context.of_request(call.operation, &call.input);
        match key {
            Some(key) => context.of_key(call, key),
            None if call.operation == "CreateKey" => context.of_new_key(&call.input),
            None => {}
        }
        context
    }

    /// The values of a condition key, none where the request is without it. Nothing if FakeKms does not have the key.
    pub(super) fn values(&self, key: &str) -> Option<&[String]> {
        match self.0.get(key) {
            Some(values) => Some(values),
            None if KNOWN.contains(&key) || KNOWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) => Some(&[]),
            None => None,
        }
    }

    #[cfg(test)]
    pub(super) fn from_pairs(pairs: &[(&str, &[&str])]) -> Self {
        let mut context = Self(BTreeMap::new());
        for (key, values) in pairs {
            context.set(key, values.iter());
        }
        context
    }

    fn set(&mut self, key: &str, values: impl IntoIterator<Item = impl AsRef<str>>) {
        let values = values.into_iter().map(|value| value.as_ref().to_owned()).collect();
        self.0.insert(key.to_ascii_lowercase(), values);
    }

    fn of_request(&mut self, operation: &str, input: &Input) {
        for field in [
            "ExpirationModel",
            "GranteePrincipal",
            "ReplicaRegion",
            "RetiringPrincipal",
            "SigningAlgorithm",
            "WrappingAlgorithm",
            "WrappingKeySpec",
        ] {
            if let Ok(Some(text)) = input.text(field) {
                self.set(&format!("kms:{field}"), [text]);
            }
        }
        if operation == "Sign" {
            self.set("kms:MessageType", [input.text("MessageType").ok().flatten().unwrap_or("RAW")]);
        }
        if let "Encrypt" | "Decrypt" = operation {
            let algorithm = input.text("EncryptionAlgorithm").ok().flatten();
            self.set("kms:EncryptionAlgorithm", [algorithm.unwrap_or("SYMMETRIC_DEFAULT")]);
        }
        if let "CreateGrant" | "ListGrants" | "RevokeGrant" = operation {
            self.set("kms:GrantIsForAWSResource", ["false"]);
        }
        if let "CreateKey" | "PutKeyPolicy" | "ReplicateKey" = operation {
            let bypass = input.flag("BypassPolicyLockoutSafetyCheck").unwrap_or_default();
            self.set("kms:BypassPolicyLockoutSafetyCheck", [bypass.to_string()]);
        }
        if let Some(alias) = input.text("KeyId").ok().flatten().and_then(alias_name) {
            self.set("kms:RequestAlias", [alias]);
        }
        let operations = input.list("Operations").unwrap_or_default();
        if !operations.is_empty() {
            self.set("kms:GrantOperations", operations.iter().filter_map(Value::as_str));
        }
        if let Some(constraints) = input.object("Constraints") {
            self.set("kms:GrantConstraintType", constraints.keys());
        }
        if let Some(pairs) = input.object("EncryptionContext") {
            self.set("kms:EncryptionContextKeys", pairs.keys());
            for (name, value) in pairs {
                self.set(&format!("kms:EncryptionContext:{name}"), value.as_str());
            }
        }
        self.of_request_tags(input);
    }

    fn of_request_tags(&mut self, input: &Input) {
        let mut keys = Vec::new();
        for tag in input.list("Tags").unwrap_or_default() {
            let text = |field| tag.get(field).and_then(Value::as_str);
            if let (Some(name), Some(value)) = (text("TagKey"), text("TagValue")) {
                self.set(&format!("aws:RequestTag/{name}"), [value]);
                keys.push(name);
            }
        }
        keys.extend(input.list("TagKeys").unwrap_or_default().iter().filter_map(Value::as_str));
        if !keys.is_empty() {
            self.set("aws:TagKeys", keys);
        }
    }

    fn of_key(&mut self, call: &Call<'_>, key: &Key) {
        self.of_kind(key.spec.name(), key.usage.name(), key.origin.name(), key.is_multi_region());
        if key.is_multi_region() {
            self.set("kms:MultiRegionKeyType", [if key.is_primary() { "PRIMARY" } else { "REPLICA" }]);
        }
        if let Some(primary) = key.primary_region() {
            self.set("kms:PrimaryRegion", [primary]);
        }
        self.set("kms:ResourceAliases", call.store.alias_names(key));
        for (name, value) in &key.tags {
            self.set(&format!("aws:ResourceTag/{name}"), [value]);
        }
    }

    fn of_new_key(&mut self, input: &Input) {
        let text = |name| input.text(name).ok().flatten();
        let spec = text("KeySpec").or_else(|| text("CustomerMasterKeySpec")).unwrap_or("SYMMETRIC_DEFAULT");
        let usage = text("KeyUsage").unwrap_or("ENCRYPT_DECRYPT");
        let multi_region = input.flag("MultiRegion").unwrap_or_default();
        self.of_kind(spec, usage, text("Origin").unwrap_or("AWS_KMS"), multi_region);
    }

    fn of_kind(&mut self, spec: &str, usage: &str, origin: &str, multi_region: bool) {
        self.set("kms:KeySpec", [spec]);
        self.set("kms:CustomerMasterKeySpec", [spec]);
        self.set("kms:KeyUsage", [usage]);
        self.set("kms:CustomerMasterKeyUsage", [usage]);
        self.set("kms:KeyOrigin", [origin]);
        self.set("kms:MultiRegion", [multi_region.to_string()]);
    }
}

/// The name in an alias or in the ARN of one.
fn alias_name(key_id: &str) -> Option<&str> {
    if key_id.starts_with("alias/") {
        return Some(key_id);
    }
    let (_, name) = key_id.strip_prefix("arn:")?.split_once(FakeKms::ACCOUNT)?;
    name.strip_prefix(':').filter(|name| name.starts_with("alias/"))
}
