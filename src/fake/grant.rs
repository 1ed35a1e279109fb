//! Grants: a principal's leave to use one key for some operations, outside all policies.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{FakeKms, access::Principal, key::merge, random, refusal::Refusal};

/// How long a grant needs to be known everywhere, in seconds. Its grant token is good at once.
const SPREADING: i64 = 5 * 60;

#[derive(Clone)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) terms: Terms,
    /// In seconds since 1970.
    created: i64,
}

/// What was asked for. Grants of the same name and terms are one.
#[derive(Clone, PartialEq)]
pub(super) struct Terms {
    pub(super) name: Option<String>,
    pub(super) grantee: String,
    pub(super) retiring: Option<String>,
    pub(super) operations: Vec<String>,
    /// An object, or null.
    pub(super) constraints: Value,
}

impl Grant {
    pub(super) fn new(terms: Terms, now: i64) -> Result<Self, Refusal> {
        let mut id = [0; 32];
        random::fill(&mut id)?;
        Ok(Self { id: alloy_primitives::hex::encode(id), terms, created: now })
    }

    /// Whether it lets a principal do something. `has_token` is whether its token was sent along.
    pub(super) fn allows(&self, principal: &Principal, operation: &str, has_token: bool, now: i64) -> bool {
        // A request that is made for another resource of AWS never comes here.
        let is_for_resource = self.terms.constraints.get("SourceArn").is_some();
        let is_known = has_token || now >= self.created.saturating_add(SPREADING);
        principal.is(&self.terms.grantee) && self.has(operation) && is_known && !is_for_resource
    }

    /// Whether a request's encryption context is one that it is for. In a constraint the names' case does not matter.
    pub(super) fn fits_context(&self, context: Option<&Map<String, Value>>) -> bool {
        let found: Vec<_> = context.into_iter().flatten().collect();
        let includes = |wanted: &Map<String, Value>| {
            let has =
                |name: &str, value| found.iter().any(|(own, had)| own.eq_ignore_ascii_case(name) && *had == value);
            wanted.iter().all(|(name, value)| has(name, value))
        };
        pairs(&self.terms.constraints, "EncryptionContextSubset").is_none_or(includes)
            && pairs(&self.terms.constraints, "EncryptionContextEquals")
                .is_none_or(|wanted| wanted.len() == found.len() && includes(wanted))
    }

    /// Whether a principal may retire it without leave of a policy.
    pub(super) fn may_be_retired_by(&self, principal: &Principal) -> bool {
        self.terms.retiring.as_deref().is_some_and(|retiring| principal.is(retiring))
            || principal.is(&self.terms.grantee) && self.has("RetireGrant")
    }

    /// As `ListGrants` has it.
    pub(super) fn entry(&self, key_arn: &str) -> Value {
        let terms = &self.terms;
        let mut entry = json!({
            "KeyId": key_arn,
            "GrantId": self.id,
            "CreationDate": self.created,
            "GranteePrincipal": terms.grantee,
            "IssuingAccount": format!("arn:aws:iam::{}:root", FakeKms::ACCOUNT),
            "Operations": terms.operations,
        });
        for (field, text) in [("Name", &terms.name), ("RetiringPrincipal", &terms.retiring)] {
            if let Some(text) = text {
                merge(&mut entry, json!({ field: text }));
            }
        }
        if !terms.constraints.is_null() {
            merge(&mut entry, json!({ "Constraints": terms.constraints }));
        }
        entry
    }

    fn has(&self, operation: &str) -> bool {
        self.terms.operations.iter().any(|granted| granted == operation)
    }
}

impl Terms {
    /// Whether a grant of these terms, with `CreateGrant`, gives one of the others: it must not allow more.
    pub(super) fn cover(&self, child: &Self) -> bool {
        child.operations.iter().all(|operation| self.operations.contains(operation))
            && are_as_narrow(&child.constraints, &self.constraints)
    }
}

/// Whether the constraints of a grant are at least as narrow as those of the grant that it comes from.
fn are_as_narrow(child: &Value, parent: &Value) -> bool {
    let (subset, equals) = ("EncryptionContextSubset", "EncryptionContextEquals");
    let includes = |found: &Map<String, Value>, wanted: &Map<String, Value>| {
        wanted.iter().all(|(name, value)| found.get(name) == Some(value))
    };
    let keeps =
        |wanted| [subset, equals].iter().filter_map(|name| pairs(child, name)).any(|found| includes(found, wanted));
    pairs(parent, subset).is_none_or(keeps)
        && pairs(parent, equals).is_none_or(|wanted| pairs(child, equals) == Some(wanted))
}

fn pairs<'a>(constraints: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    constraints.get(name).and_then(Value::as_object)
}

/// A new grant token.
pub(super) fn token() -> Result<String, Refusal> {
    let mut bytes = [0; 48];
    random::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}
