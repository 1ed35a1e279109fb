//! Key policies and IAM policies: documents of statements.

mod condition;
mod pattern;

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use self::{
    condition::{Condition, Outcome},
    pattern::fits,
};
use super::{FakeKms, access::Principal, context::Context, refusal::Refusal};

/// In bytes.
const POLICY_MAX: usize = 32 * 1024;

/// What is asked of a policy.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) principal: &'a Principal,
    /// For instance `kms:Sign`.
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) context: &'a Context,
}

/// What a policy says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) is_denied: bool,
    /// The principal itself is allowed.
    pub(super) is_allowed: bool,
    /// Its account is: the account's IAM policies decide.
    pub(super) is_delegated: bool,
}

/// A document. Clones are cheap.
#[derive(Clone)]
pub(super) struct Policy(Arc<Document>);

struct Document {
    text: String,
    statements: Vec<Statement>,
}

struct Statement {
    is_deny: bool,
    /// None in IAM policies: whom they are attached to.
    principals: Option<Vec<String>>,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

struct Patterns {
    /// `NotAction` and `NotResource`.
    negated: bool,
    patterns: Vec<String>,
}

enum Named {
    Itself,
    Account,
}

impl Policy {
    /// A key policy.
    pub(super) fn of_key(text: &str) -> Result<Self, Refusal> {
        if text.len() > POLICY_MAX {
            let message = format!("A key policy has at most {POLICY_MAX} bytes.");
            return Err(Refusal::new("LimitExceededException", message));
        }
        Self::parse(text, true).map_err(|wrong| Refusal::new("MalformedPolicyDocumentException", wrong))
    }

    /// An IAM policy. The error says what is wrong with it.
    pub(super) fn of_identity(text: &str) -> Result<Self, String> {
        Self::parse(text, false)
    }

    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    pub(super) fn verdict(&self, ask: Ask<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        for statement in &self.0.statements {
            match statement.applies(ask) {
                Some(_) if statement.is_deny => verdict.is_denied = true,
                Some(Named::Itself) => verdict.is_allowed = true,
                Some(Named::Account) => verdict.is_delegated = true,
                None => {}
            }
        }
        verdict
    }

    fn parse(text: &str, has_principals: bool) -> Result<Self, String> {
        let document: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| "The policy is not a JSON object.".to_owned())?;
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement) => vec![statement],
            None => return Err("The policy has no Statement.".to_owned()),
        };
        let statements = statements.into_iter().map(|statement| Statement::parse(statement, has_principals));
        Ok(Self(Arc::new(Document { text: text.to_owned(), statements: statements.collect::<Result<_, _>>()? })))
    }
}

/// That of a key made without one: IAM policies of the account decide.
impl Default for Policy {
    fn default() -> Self {
        static DEFAULT: OnceLock<Policy> = OnceLock::new();
        let text = || {
            json!({
                "Version": "2012-10-17",
                "Id": "key-default-1",
                "Statement": [{
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": { "AWS": format!("arn:aws:iam::{}:root", FakeKms::ACCOUNT) },
                    "Action": "kms:*",
                    "Resource": "*",
                }],
            })
            .to_string()
        };
        let nothing = || Self(Arc::new(Document { text: String::new(), statements: Vec::new() }));
        DEFAULT.get_or_init(|| Self::of_key(&text()).unwrap_or_else(|_| nothing())).clone()
    }
}

impl Statement {
    fn parse(statement: &Value, has_principals: bool) -> Result<Self, String> {
        let fields = statement.as_object().ok_or("A Statement is not an object.")?;
        let known = ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
        if let Some(unknown) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            return Err(format!("FakeKms does not know {unknown} in a Statement."));
        }
        let is_deny = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err("A Statement's Effect is neither Allow nor Deny.".to_owned()),
        };
        let principals = match (fields.get("Principal"), has_principals) {
            (Some(principal), true) => Some(principals(principal)?),
            (None, false) => None,
            (None, true) => return Err("A Statement of a key policy has no Principal.".to_owned()),
            (Some(_), false) => return Err("A Statement of an IAM policy has a Principal.".to_owned()),
        };
        Ok(Self {
            is_deny,
            principals,
            actions: Patterns::parse(fields, "Action", "NotAction")?,
            resources: Patterns::parse(fields, "Resource", "NotResource")?,
            conditions: conditions(fields.get("Condition"))?,
        })
    }

    /// To whom it applies, if it does. What it says that FakeKms does not understand is taken not to allow, and to
    /// deny.
    fn applies(&self, ask: Ask<'_>) -> Option<Named> {
        let named = match &self.principals {
            Some(principals) => named(principals, ask.principal)?,
            None => Named::Itself,
        };
        let action = ask.action.to_ascii_lowercase();
        if !self.actions.fit(|pattern| fits(&pattern.to_ascii_lowercase(), &action))
            || !self.resources.fit(|pattern| fits(pattern, ask.resource))
        {
            return None;
        }
        let mut is_unknown = false;
        for condition in &self.conditions {
            match condition.outcome(ask.context) {
                Outcome::Holds => {}
                Outcome::Fails => return None,
                Outcome::Unknown => is_unknown = true,
            }
        }
        (self.is_deny || !is_unknown).then_some(named)
    }
}

impl Patterns {
    fn parse(fields: &Map<String, Value>, name: &str, not: &str) -> Result<Self, String> {
        let (negated, value) = match (fields.get(name), fields.get(not)) {
            (Some(value), None) => (false, value),
            (None, Some(value)) => (true, value),
            _ => return Err(format!("A Statement has not one of {name} and {not}.")),
        };
        Ok(Self { negated, patterns: texts(value).ok_or_else(|| format!("{name} is not a text or a list of texts."))? })
    }

    fn fit(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| fits(pattern)) != self.negated
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Those of AWS: an ARN, an account, or everybody. Services and federated users never call FakeKms.
fn principals(value: &Value) -> Result<Vec<String>, String> {
    let principals = match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(kinds) => match kinds.get("AWS") {
            Some(principals) => texts(principals).ok_or("A Principal is not a text or a list of texts.")?,
            None => Vec::new(),
        },
        _ => return Err("A Principal is neither a text nor an object.".to_owned()),
    };
    match principals.iter().find(|principal| *principal != "*" && !is_principal(principal)) {
        Some(wrong) => Err(format!("{wrong} is no principal.")),
        None => Ok(principals),
    }
}

fn is_principal(text: &str) -> bool {
    is_account(text) || Principal::new(text).is_some()
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn named(principals: &[String], caller: &Principal) -> Option<Named> {
    if principals.iter().any(|principal| principal == "*" || caller.is(principal)) {
        return Some(Named::Itself);
    }
    let account = caller.account();
    let is_account = |principal: &str| principal == account || principal == format!("arn:aws:iam::{account}:root");
    principals.iter().any(|principal| is_account(principal)).then_some(Named::Account)
}

fn conditions(value: Option<&Value>) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    let Some(value) = value else { return Ok(conditions) };
    let malformed = || "A Condition is not an object of operators, keys and values.".to_owned();
    for (operator, keys) in value.as_object().ok_or_else(malformed)? {
        for (key, values) in keys.as_object().ok_or_else(malformed)? {
            conditions.push(Condition::parse(operator, key, values).ok_or_else(malformed)?);
        }
    }
    Ok(conditions)
}
