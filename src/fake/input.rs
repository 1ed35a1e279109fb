//! Typed reading of a request's JSON, with the errors KMS gives for what does not fit its model.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::refusal::Refusal;

pub(super) struct Input(Map<String, Value>);

impl Input {
    /// An empty body is an empty object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Refusal::serialization("The body is not a JSON object.")),
            Err(error) => Err(Refusal::serialization(format!("The body is not JSON: {error}."))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| wrong_type(name, "a string"))).transpose()
    }

    /// A text that must be there, of 1 to `max` characters.
    pub(super) fn required_text(&self, name: &str, max: usize) -> Result<&str, Refusal> {
        let text = self.text(name)?.ok_or_else(|| missing(name))?;
        match text.chars().count() {
            0 => Err(Refusal::constraint(name, "''", "have length greater than or equal to 1")),
            length if length > max => {
                Err(Refusal::constraint(name, quote(text), format!("have length less than or equal to {max}")))
            }
            _ => Ok(text),
        }
    }

    /// One of the values that the model of the API has for it.
    pub(super) fn choice(&self, name: &str, values: &[&str]) -> Result<Option<&str>, Refusal> {
        match self.text(name)? {
            Some(text) if !values.contains(&text) => {
                Err(Refusal::constraint(name, quote(text), format!("satisfy enum value set: [{}]", values.join(", "))))
            }
            choice => Ok(choice),
        }
    }

    pub(super) fn required_choice(&self, name: &str, values: &[&str]) -> Result<&str, Refusal> {
        self.choice(name, values)?.ok_or_else(|| missing(name))
    }

    /// False where it is absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.get(name).map_or(Ok(false), |value| value.as_bool().ok_or_else(|| wrong_type(name, "a boolean")))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.get(name).map(|value| value.as_i64().ok_or_else(|| wrong_type(name, "an integer"))).transpose()
    }

    /// Whole seconds since 1970.
    pub(super) fn timestamp(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let seconds = |value: &Value| value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
        self.get(name).map(|value| seconds(value).ok_or_else(|| wrong_type(name, "a timestamp"))).transpose()
    }

    /// Bytes that must be there, at most `max` of them, in base64.
    pub(super) fn required_blob(&self, name: &str, max: usize) -> Result<Vec<u8>, Refusal> {
        let text = self.text(name)?.ok_or_else(|| missing(name))?;
        let bytes = STANDARD.decode(text).map_err(|_| wrong_type(name, "base64"))?;
        if bytes.len() > max {
            return Err(Refusal::validation(format!(
                "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must have length less than or equal to {max}",
                name.to_ascii_lowercase()
            )));
        }
        Ok(bytes)
    }

    pub(super) fn list(&self, name: &str) -> Result<&[Value], Refusal> {
        self.get(name)
            .map_or(Ok(&[]), |value| value.as_array().map(Vec::as_slice).ok_or_else(|| wrong_type(name, "a list")))
    }

    /// A list of texts that must be there.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, Refusal> {
        if self.get(name).is_none() {
            return Err(missing(name));
        }
        self.list(name)?.iter().map(|item| item.as_str().ok_or_else(|| wrong_type(name, "a list of strings"))).collect()
    }

    /// An object, if there is one.
    pub(super) fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.get(name).and_then(Value::as_object)
    }

    /// The body without a field, if it has that field.
    pub(super) fn without(&self, name: &str) -> Option<String> {
        self.0.contains_key(name).then(|| {
            let rest = self.0.iter().filter(|(field, _)| *field != name);
            Value::Object(rest.map(|(field, value)| (field.clone(), value.clone())).collect()).to_string()
        })
    }

    /// A field that is null counts as absent.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::constraint(name, "null", "not be null")
}

fn wrong_type(name: &str, expected: &str) -> Refusal {
    Refusal::serialization(format!("{name} is not {expected}."))
}

fn quote(text: &str) -> String {
    format!("'{text}'")
}
