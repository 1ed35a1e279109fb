//! A policy document, and how it is written as JSON.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// A policy document: statements in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// One statement. Its fields are written in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    sid: String,
    effect: &'static str,
    #[serde(skip_serializing_if = "AwsPrincipals::is_empty")]
    principal: AwsPrincipals,
    action: OneOrMany,
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    resource: OneOrMany,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, OneOrMany>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct AwsPrincipals {
    #[serde(rename = "AWS")]
    aws: OneOrMany,
}

/// A list that is written as a string where it has one element, which is also how AWS writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OneOrMany(Vec<String>);

impl Document {
    pub(super) fn new(statements: impl IntoIterator<Item = Statement>) -> Self {
        let mut document = Self { version: "2012-10-17", statement: Vec::new() };
        document.extend(statements);
        document
    }

    /// Adds statements. One whose `Sid` is taken gets a number after it: within a document each is unique.
    pub(super) fn extend(&mut self, statements: impl IntoIterator<Item = Statement>) {
        for mut statement in statements {
            if self.has(&statement.sid) {
                let numbered = (2..).map(|number: u32| format!("{}{number}", statement.sid));
                if let Some(free) = numbered.into_iter().find(|sid| !self.has(sid)) {
                    statement.sid = free;
                }
            }
            self.statement.push(statement);
        }
    }

    pub(super) fn into_statements(self) -> Vec<Statement> {
        self.statement
    }

    /// Replaces every resource by what `change` makes of it.
    pub(super) fn map_resources(&mut self, change: impl Fn(String) -> String) {
        for statement in &mut self.statement {
            let resources = core::mem::take(&mut statement.resource);
            statement.resource.extend(resources.0.into_iter().map(&change));
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Strings, lists and maps with string keys always serialize; an empty text would be refused by AWS.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn has(&self, sid: &str) -> bool {
        self.statement.iter().any(|statement| statement.sid == sid)
    }
}

impl Statement {
    pub(super) fn allow<'a>(sid: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(sid, "Allow", actions)
    }

    pub(super) fn deny<'a>(sid: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(sid, "Deny", actions)
    }

    fn new<'a>(sid: &str, effect: &'static str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            sid: sid.to_owned(),
            effect,
            principal: AwsPrincipals::default(),
            action: OneOrMany::of(actions),
            resource: OneOrMany::default(),
            condition: BTreeMap::new(),
        }
    }

    pub(super) fn sid_suffix(mut self, suffix: &str) -> Self {
        self.sid += suffix;
        self
    }

    pub(super) fn on<T: Into<String>>(mut self, resources: impl IntoIterator<Item = T>) -> Self {
        self.resource.extend(resources.into_iter().map(Into::into));
        self
    }

    pub(super) fn principals<T: ToString>(mut self, principals: impl IntoIterator<Item = T>) -> Self {
        self.principal.aws.extend(principals.into_iter().map(|principal| principal.to_string()));
        self
    }

    /// Adds a condition. All conditions of a statement must hold; of the values of one, any.
    pub(super) fn when<T: ToString>(
        mut self,
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let condition = self.condition.entry(operator).or_default().entry(key.into()).or_default();
        condition.extend(values.into_iter().map(|value| value.to_string()));
        self
    }

    /// Sets a condition to one value, whatever it was before.
    pub(super) fn only_when(mut self, operator: &'static str, key: &str, value: &str) -> Self {
        let condition = self.condition.entry(operator).or_default();
        condition.insert(key.to_owned(), OneOrMany::of([value]));
        self
    }
}

impl AwsPrincipals {
    fn is_empty(&self) -> bool {
        self.aws.is_empty()
    }
}

impl OneOrMany {
    fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self(values.into_iter().map(str::to_owned).collect())
    }

    fn extend(&mut self, values: impl IntoIterator<Item = String>) {
        for value in values {
            if !self.0.contains(&value) {
                self.0.push(value);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            many => serializer.collect_seq(many),
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?)
    }
}

/// `Display` over several lines, `to_json` on one, and conversion into the text that the AWS APIs take.
macro_rules! prints_document {
    ($type:ty) => {
        impl $type {
            /// The document as JSON without white space.
            #[must_use]
            pub fn to_json(&self) -> String {
                self.0.to_json()
            }
        }

        /// JSON over several lines, indented by two spaces.
        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }

        /// The document as JSON without white space.
        impl From<$type> for String {
            fn from(policy: $type) -> Self {
                policy.to_json()
            }
        }
    };
}

pub(super) use prints_document;
