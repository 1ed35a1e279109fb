//! Typed data that comes as JSON: how large it may be, and what of it is signed.

use std::collections::{BTreeMap, HashMap};

use alloy_dyn_abi::eip712::{Eip712Types, PropertyDef, TypedData};
use serde_json::{Map, Value, json};

use crate::guard::asked::{content, object};

/// Types that a document may define, and members they may have all together.
const MAX_TYPES: usize = 256;
const MAX_MEMBERS: usize = 2048;
/// The length of a type's name, its brackets included: each pair is a level of its own.
const MAX_TYPE_NAME: usize = 256;
/// Members of a struct with those of the structs in it, as often as they are named.
const MAX_EXPANDED: u64 = 10_000;
/// Bytes that are hashed for the names of types: all of them, for each value.
const MAX_HASHED: usize = 64 << 20;

/// A document of types: small ones can stand for structs with billions of members, or name types within types until the stack ends.
pub(super) struct Types<'a> {
    data: &'a TypedData,
    types: Eip712Types,
}

impl<'a> Types<'a> {
    pub(super) fn of(data: &'a TypedData) -> Self {
        Self { data, types: Eip712Types::from(&data.resolver) }
    }

    /// Whether hashing it is bounded; what is too much of it.
    pub(super) fn check(&self) -> Result<(), String> {
        let members = || self.types.values().flatten();
        if self.types.len() > MAX_TYPES || members().count() > MAX_MEMBERS {
            return Err(format!("it defines more than {MAX_TYPES} types, or {MAX_MEMBERS} members"));
        }
        let names = members().flat_map(|member| [member.type_name(), member.name()]);
        if names.clone().chain(self.types.keys().map(String::as_str)).any(|name| name.len() > MAX_TYPE_NAME) {
            return Err(format!("a name in its types is longer than {MAX_TYPE_NAME} bytes"));
        }
        let expanded = expanded(&self.types, &self.data.primary_type, &mut HashMap::new());
        if expanded > MAX_EXPANDED {
            return Err(format!("its types expand to more than {MAX_EXPANDED} members"));
        }
        let text: usize = names.map(|name| name.len() + 2).sum();
        if text.saturating_mul(values(&self.data.message)) > MAX_HASHED {
            return Err("it has too many values for types as long as its own".to_owned());
        }
        Ok(())
    }

    /// What is signed: the type as it is hashed, and those members of the message that it names.
    pub(super) fn describe(&self) -> Map<String, Value> {
        let Ok(encode_type) = self.data.encode_type() else { return Map::new() };
        let message = declared(&self.types, &self.data.primary_type, &self.data.message);
        let text = message.to_string();
        object([
            ("type", content(encode_type.as_bytes(), || json!(encode_type))),
            ("message", content(text.as_bytes(), || message)),
        ])
    }
}

/// How many members a struct has with those of the structs in it. A type that is within itself is refused when it is hashed.
fn expanded<'t>(types: &'t Eip712Types, name: &'t str, known: &mut HashMap<&'t str, u64>) -> u64 {
    let Some(members) = types.get(name) else { return 1 };
    if let Some(known) = known.get(name) {
        return *known;
    }
    known.insert(name, 0);
    let sum = members.iter().fold(1, |sum: u64, member| sum.saturating_add(expanded(types, root(member), known)));
    known.insert(name, sum);
    sum
}

/// The type of a member without its brackets.
fn root(member: &PropertyDef) -> &str {
    member.type_name().split('[').next().unwrap_or_default()
}

/// How many values a message has, itself included.
fn values(message: &Value) -> usize {
    let mut count = 0;
    let mut left = vec![message];
    while let Some(value) = left.pop() {
        count += 1;
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(members) => left.extend(members.values()),
            _ => {}
        }
    }
    count
}

/// A value without the members that its type does not have: they are not hashed, and would mislead.
fn declared(types: &BTreeMap<String, Vec<PropertyDef>>, name: &str, value: &Value) -> Value {
    match (value, types.get(name)) {
        (Value::Array(values), _) => values.iter().map(|value| declared(types, name, value)).collect(),
        (Value::Object(given), Some(members)) => {
            let of_member = |member: &PropertyDef| {
                let value = declared(types, root(member), given.get(member.name())?);
                Some((member.name().to_owned(), value))
            };
            Value::Object(members.iter().filter_map(of_member).collect())
        }
        _ => value.clone(),
    }
}
