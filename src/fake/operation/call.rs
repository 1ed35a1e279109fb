//! A call: which key it is about, and whether who calls may.

use std::sync::Arc;

use serde_json::Value;

use crate::fake::{
    FakeKms,
    access::Caller,
    context::Context,
    ecdsa::Shape,
    fault::Spoilt,
    grant::Grant,
    input::Input,
    key::{Key, arn_of},
    policy::{Ask, Policy},
    refusal::Refusal,
    store::{Lookup, Store, is_cipher},
};

/// The longest `KeyId` that KMS takes, in characters.
const KEY_ID_MAX: usize = 2048;
/// What principals of other accounts can be allowed at all.
const CROSS_ACCOUNT: &[&str] = &[
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GetPublicKey",
    "ListGrants",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
];

pub(in crate::fake) struct Call<'a> {
    pub(in crate::fake) kms: &'a FakeKms,
    /// That of `kms`.
    pub(in crate::fake) store: &'a Store,
    /// None for an administrator, whom only the policies of AWS's own keys refuse.
    pub(in crate::fake) caller: Option<Caller>,
    pub(in crate::fake) operation: &'a str,
    pub(in crate::fake) input: Input,
    /// Seconds since 1970.
    pub(in crate::fake) now: i64,
    /// The fault that it met.
    pub(in crate::fake) spoilt: Option<&'a Spoilt>,
}

impl Call<'_> {
    /// The key that a field names, if the caller may do this to it.
    pub(super) fn key(&self, field: &str) -> Result<Arc<Key>, Refusal> {
        let key = self.find(field)?;
        self.check_key(&key)?;
        Ok(key)
    }

    /// The key that a field names, whoever calls.
    pub(super) fn find(&self, field: &str) -> Result<Arc<Key>, Refusal> {
        self.find_named(self.input.required_text(field, KEY_ID_MAX)?)
    }

    /// The key of this reference, whoever calls.
    pub(super) fn find_named(&self, text: &str) -> Result<Arc<Key>, Refusal> {
        let lookup = Lookup::of(self.operation);
        let Some(caller) = &self.caller else { return self.store.key(text, lookup, self.now) };
        let principal = &caller.principal;
        let is_arn = text.starts_with("arn:");
        if !principal.is_local() && !is_arn {
            let resource = if text.starts_with("alias/") { text.to_owned() } else { format!("key/{text}") };
            let arn = arn_of(self.store.region(), principal.account(), &resource);
            return Err(Refusal::not_found(format!("{arn} does not exist")));
        }
        self.store.key(text, lookup.by(principal.arn()), self.now).map_err(|refusal| {
            if !principal.is_local() && refusal.code == "NotFoundException" {
                Refusal::not_shared(principal.arn(), &self.action(), text)
            } else {
                refusal
            }
        })
    }

    /// Changes the key that `KeyId` names, unless `change` refuses.
    pub(super) fn change_key<T>(&self, change: impl FnOnce(&mut Key) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.change(&*self.key("KeyId")?, change)
    }

    /// Changes a key that was found, and is no longer being created.
    pub(super) fn change<T>(
        &self,
        key: &Key,
        change: impl FnOnce(&mut Key) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.store.change(&key.id, self.now, |key| {
            key.check_created()?;
            change(key)
        })
    }

    /// Whether the caller may do this to a key.
    pub(super) fn check_key(&self, key: &Key) -> Result<(), Refusal> {
        self.check_key_by(key, |_| true)
    }

    /// The same, where not every grant of the operation will do.
    pub(super) fn check_key_by(&self, key: &Key, will_do: impl Fn(&Grant) -> bool) -> Result<(), Refusal> {
        let administrator = Caller::administrator();
        let caller = match &self.caller {
            Some(caller) => caller,
            None if key.is_aws_managed => &administrator,
            None => return Ok(()),
        };
        let principal = &caller.principal;
        if !principal.is_local() && !CROSS_ACCOUNT.contains(&self.operation) {
            return Err(Refusal::not_shared(principal.arn(), &self.action(), &key.arn));
        }
        let tokens = self.granted_by_token()?;
        let encryption = self.input.object("EncryptionContext");
        let allows = |grant: &Grant| {
            grant.allows(principal, self.operation, tokens.contains(&grant.id), self.now)
                && (!is_cipher(self.operation) || grant.fits_context(encryption))
        };
        let is_granted = key.grants.values().any(|grant| allows(grant) && will_do(grant));
        let context = Context::of(self, principal, Some(key));
        let ask = Ask { principal, action: &self.action(), resource: &key.arn, context: &context };
        caller.check_key(ask, &key.policy, is_granted)
    }

    /// Whether the caller's own policies allow this to something that is no key there is.
    pub(super) fn check_identity(&self, action: &str, resource: &str) -> Result<(), Refusal> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let principal = &caller.principal;
        let context = Context::of(self, principal, None);
        caller.check_identity(Ask { principal, action, resource, context: &context })
    }

    /// That the caller can change a new key policy again, unless the request says that this is not wanted. Not even an
    /// administrator can where the key policy leaves IAM out.
    pub(super) fn check_lockout(&self, policy: &Policy, key: &Key) -> Result<(), Refusal> {
        if self.input.flag("BypassPolicyLockoutSafetyCheck")? {
            return Ok(());
        }
        let administrator = Caller::administrator();
        let principal = &self.caller.as_ref().unwrap_or(&administrator).principal;
        let context = Context::of(self, principal, Some(key));
        let ask = Ask { principal, action: "kms:PutKeyPolicy", resource: &key.arn, context: &context };
        let verdict = policy.verdict(ask);
        if !verdict.is_denied && (verdict.is_allowed || verdict.is_delegated) {
            return Ok(());
        }
        Err(Refusal::new(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        ))
    }

    /// What a signature is to be like.
    pub(super) fn shape(&self) -> Shape {
        if let Some(Spoilt::Signature(shape)) = self.spoilt { *shape } else { Shape::Usual }
    }

    /// Whether who calls has no keys here. FakeKms keeps those of one account.
    pub(super) fn is_of_another_account(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| !caller.principal.is_local())
    }

    /// For instance `kms:Sign`.
    pub(super) fn action(&self) -> String {
        format!("kms:{}", self.operation)
    }

    /// The ids of the grants whose tokens were sent along.
    fn granted_by_token(&self) -> Result<Vec<String>, Refusal> {
        let tokens = self.input.list("GrantTokens")?.iter();
        let grant = |token: &Value| {
            let found = token.as_str().and_then(|token| self.store.grant_of_token(token, self.now));
            found.map(|(_, id)| id).ok_or_else(Refusal::grant_token)
        };
        tokens.map(grant).collect()
    }
}
