//! Lists in pages: `Limit`, `Marker`, `Truncated` and `NextMarker`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{input::Input, key::merge, refusal::Refusal};

/// The longest marker that KMS takes, in characters.
const MARKER_MAX: usize = 1024;

/// The page that a request asks for.
pub(super) struct Page<'a> {
    operation: &'a str,
    limit: usize,
    after: Option<String>,
}

impl<'a> Page<'a> {
    /// `usual` is the limit where the request has none, `max` the highest it may ask for.
    pub(super) fn read(operation: &'a str, input: &Input, usual: i64, max: i64) -> Result<Self, Refusal> {
        let limit = match input.integer("Limit")?.unwrap_or(usual) {
            limit @ ..1 => Err(("greater", 1, limit)),
            limit if limit > max => Err(("less", max, limit)),
            limit => Ok(usize::try_from(limit).unwrap_or_default()),
        };
        let limit = limit.map_err(|(side, bound, limit)| {
            Refusal::constraint("Limit", format!("'{limit}'"), format!("have value {side} than or equal to {bound}"))
        })?;
        let after = match input.text("Marker")? {
            None => None,
            Some(_) => Some(decode(operation, input.required_text("Marker", MARKER_MAX)?)?),
        };
        Ok(Self { operation, limit, after })
    }

    /// What the page before ended with.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// How many items tell whether there is another page.
    pub(super) fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// The answer with these items, up to [`wanted`](Self::wanted) of them, each with what marks its place.
    pub(super) fn answer(&self, list: &str, items: Vec<(String, Value)>) -> Value {
        let is_truncated = items.len() > self.limit;
        let last = self.limit.checked_sub(1).and_then(|last| items.get(last));
        let marker = last.map(|(place, _)| STANDARD.encode(format!("{} {place}", self.operation)));
        let items: Vec<Value> = items.into_iter().take(self.limit).map(|(_, item)| item).collect();
        let mut fields = json!({ list: items, "Truncated": is_truncated });
        if let (true, Some(marker)) = (is_truncated, marker) {
            merge(&mut fields, json!({ "NextMarker": marker }));
        }
        fields
    }
}

/// A marker is good for the operation that gave it.
fn decode(operation: &str, marker: &str) -> Result<String, Refusal> {
    let text = STANDARD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.strip_prefix(operation)?.strip_prefix(' '))
        .map(str::to_owned)
        .ok_or_else(|| Refusal::new("InvalidMarkerException", "The marker is not one that this operation gave."))
}
