//! As much of IAM's evaluation of identity policies as the documents use.

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) struct Policy(Vec<Value>);

#[derive(Clone, Debug)]
pub(super) struct Request {
    action: String,
    resource: String,
    /// The context by keys in lower case: IAM does not tell upper from lower case in the keys of conditions.
    context: BTreeMap<String, Vec<String>>,
}

impl Request {
    pub(super) fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    pub(super) fn with(self, key: &str, value: &str) -> Self {
        self.with_all(key, &[value])
    }

    pub(super) fn with_all(mut self, key: &str, values: &[&str]) -> Self {
        self.context.insert(key.to_ascii_lowercase(), values.iter().map(ToString::to_string).collect());
        self
    }
}

impl Policy {
    pub(super) fn parse(json: &str) -> Self {
        let document: Value = serde_json::from_str(json).unwrap();
        Self(document["Statement"].as_array().unwrap().clone())
    }

    /// Allowed by a statement, and denied by none.
    pub(super) fn allows(&self, request: &Request) -> bool {
        let has = |effect| self.0.iter().any(|statement| statement["Effect"] == effect && applies(statement, request));
        has("Allow") && !has("Deny")
    }
}

/// A string, or the strings of a list; none where there is nothing.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().map(|value| value.as_str().unwrap()).collect(),
        Value::Null => Vec::new(),
        other => panic!("{other} is neither a string nor a list"),
    }
}

fn applies(statement: &Value, request: &Request) -> bool {
    strings(&statement["Action"]).contains(&request.action.as_str())
        && strings(&statement["Resource"]).iter().any(|pattern| is_like(pattern, &request.resource))
        && statement["Condition"].as_object().into_iter().flatten().all(|(operator, keys)| {
            keys.as_object().unwrap().iter().all(|(key, values)| holds(operator, key, &strings(values), request))
        })
}

fn holds(operator: &str, key: &str, expected: &[&str], request: &Request) -> bool {
    let actual = request.context.get(&key.to_ascii_lowercase());
    let among = |value: &String| expected.contains(&value.as_str());
    let among_ignoring_case = |value: &String| expected.iter().any(|expected| value.eq_ignore_ascii_case(expected));
    match operator {
        "StringEquals" | "Bool" => actual.is_some_and(|values| values.len() == 1 && values.iter().all(among)),
        "StringNotEquals" => !actual.is_some_and(|values| values.iter().any(among)),
        "Null" => expected == [actual.is_none().to_string()],
        "ForAllValues:StringEquals" => actual.is_none_or(|values| values.iter().all(among)),
        "ForAnyValue:StringEquals" => actual.is_some_and(|values| values.iter().any(among)),
        "ForAnyValue:StringEqualsIgnoreCase" => actual.is_some_and(|values| values.iter().any(among_ignoring_case)),
        other => panic!("{other} is not known here"),
    }
}

/// Whether a text matches a pattern with `*` for any run of characters.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|skip| text.get(skip..).is_some_and(|text| is_like(rest, text)))),
    }
}
