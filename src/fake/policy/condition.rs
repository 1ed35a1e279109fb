//! One condition of a policy's statement.

use serde_json::Value;

use super::pattern::{fits, fits_arn};
use crate::fake::context::Context;

/// `operator: { key: values }`.
pub(super) struct Condition {
    test: Option<Test>,
    /// Of several values, or none, which must pass.
    set: Option<Set>,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy)]
enum Set {
    Any,
    All,
}

#[derive(Clone, Copy)]
enum Test {
    Compare { how: How, negated: bool },
    Null,
}

#[derive(Clone, Copy)]
enum How {
    Exactly,
    IgnoringCase,
    AsPattern,
    AsArn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Holds,
    Fails,
    /// An operator, a key or a variable that FakeKms does not have.
    Unknown,
}

impl Condition {
    pub(super) fn parse(operator: &str, key: &str, values: &Value) -> Option<Self> {
        let (set, operator) = match operator.split_once(':') {
            Some(("ForAnyValue", operator)) => (Some(Set::Any), operator),
            Some(("ForAllValues", operator)) => (Some(Set::All), operator),
            _ => (None, operator),
        };
        let (if_exists, operator) = match operator.strip_suffix("IfExists") {
            Some(operator) => (true, operator),
            None => (false, operator),
        };
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            _ => None,
        };
        let values = match values {
            Value::Array(values) => values.iter().map(text).collect::<Option<_>>()?,
            value => vec![text(value)?],
        };
        Some(Self { test: Test::of(operator), set, if_exists, key: key.to_ascii_lowercase(), values })
    }

    pub(super) fn outcome(&self, context: &Context) -> Outcome {
        let (Some(test), Some(found)) = (self.test, context.values(&self.key)) else { return Outcome::Unknown };
        if self.values.iter().any(|value| value.contains("${")) {
            return Outcome::Unknown;
        }
        if self.holds(test, found) { Outcome::Holds } else { Outcome::Fails }
    }

    fn holds(&self, test: Test, found: &[String]) -> bool {
        let Test::Compare { how, negated } = test else {
            return self.values.iter().any(|value| (value == "true") == found.is_empty());
        };
        let fits = |found: &String| self.values.iter().any(|value| how.fits(value, found));
        match self.set {
            _ if found.is_empty() && self.if_exists => true,
            Some(Set::Any) => found.iter().any(|found| fits(found) != negated),
            Some(Set::All) => found.iter().all(|found| fits(found) != negated),
            None => found.iter().any(fits) != negated,
        }
    }
}

impl Test {
    fn of(operator: &str) -> Option<Self> {
        let compare = |how, negated| Some(Self::Compare { how, negated });
        match operator {
            "StringEquals" => compare(How::Exactly, false),
            "StringNotEquals" => compare(How::Exactly, true),
            "Bool" | "StringEqualsIgnoreCase" => compare(How::IgnoringCase, false),
            "StringNotEqualsIgnoreCase" => compare(How::IgnoringCase, true),
            "StringLike" => compare(How::AsPattern, false),
            "StringNotLike" => compare(How::AsPattern, true),
            "ArnLike" | "ArnEquals" => compare(How::AsArn, false),
            "ArnNotLike" | "ArnNotEquals" => compare(How::AsArn, true),
            "Null" => Some(Self::Null),
            _ => None,
        }
    }
}

impl How {
    fn fits(self, value: &str, found: &str) -> bool {
        match self {
            Self::Exactly => value == found,
            Self::IgnoringCase => value.eq_ignore_ascii_case(found),
            Self::AsPattern => fits(value, found),
            Self::AsArn => fits_arn(value, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Condition, Outcome::*};
    use crate::fake::context::Context;

    #[test]
    fn conditions_are_judged_as_iam_judges_them() {
        let context = Context::from_pairs(&[
            ("kms:SigningAlgorithm", &["ECDSA_SHA_256"]),
            ("kms:ResourceAliases", &["alias/a", "alias/b"]),
            ("kms:GrantIsForAWSResource", &["false"]),
        ]);
        for (operator, key, values, expected) in [
            ("StringEquals", "kms:signingalgorithm", json!("ECDSA_SHA_256"), Holds),
            ("StringEquals", "kms:SigningAlgorithm", json!(["X", "ECDSA_SHA_256"]), Holds),
            ("StringEquals", "kms:SigningAlgorithm", json!("ecdsa_sha_256"), Fails),
            ("StringEqualsIgnoreCase", "kms:SigningAlgorithm", json!("ecdsa_sha_256"), Holds),
            ("StringNotEquals", "kms:SigningAlgorithm", json!("ECDSA_SHA_256"), Fails),
            ("StringLike", "kms:SigningAlgorithm", json!("ECDSA_*"), Holds),
            ("StringNotLike", "kms:SigningAlgorithm", json!("ECDSA_*"), Fails),
            // What is absent.
            ("StringEquals", "kms:RequestAlias", json!("alias/a"), Fails),
            ("StringNotEquals", "kms:RequestAlias", json!("alias/a"), Holds),
            ("StringEqualsIfExists", "kms:RequestAlias", json!("alias/a"), Holds),
            ("Null", "kms:RequestAlias", json!("true"), Holds),
            ("Null", "kms:RequestAlias", json!(false), Fails),
            ("Null", "kms:SigningAlgorithm", json!("false"), Holds),
            ("ForAllValues:StringEquals", "aws:TagKeys", json!("a"), Holds),
            ("ForAnyValue:StringEquals", "aws:TagKeys", json!("a"), Fails),
            // Several values.
            ("ForAnyValue:StringEquals", "kms:ResourceAliases", json!("alias/b"), Holds),
            ("ForAllValues:StringEquals", "kms:ResourceAliases", json!("alias/b"), Fails),
            ("ForAllValues:StringLike", "kms:ResourceAliases", json!("alias/?"), Holds),
            ("ForAnyValue:StringNotEquals", "kms:ResourceAliases", json!("alias/b"), Holds),
            ("ForAllValues:StringNotEquals", "kms:ResourceAliases", json!("alias/b"), Fails),
            ("Bool", "kms:GrantIsForAWSResource", json!(false), Holds),
            ("Bool", "kms:GrantIsForAWSResource", json!("true"), Fails),
            // What FakeKms does not have.
            ("StringEquals", "aws:SourceVpce", json!("vpce-1"), Unknown),
            ("NumericLessThan", "kms:SigningAlgorithm", json!("7"), Unknown),
            ("StringEquals", "kms:RequestAlias", json!("${aws:username}"), Unknown),
        ] {
            let condition = Condition::parse(operator, key, &values).unwrap();
            assert_eq!(condition.outcome(&context), expected, "{operator} {key} {values}");
        }
        assert!(Condition::parse("StringEquals", "kms:RequestAlias", &json!({})).is_none());
    }
}
