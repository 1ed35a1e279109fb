//! Lists in pages: `Limit`, `Marker`, `Truncated` and `NextMarker`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{fault::Spoilt, key::merge, operation::Call, refusal::Refusal};

/// The longest marker that KMS takes, in characters.
const MARKER_MAX: usize = 1024;

/// The page that a request asks for.
pub(super) struct Page<'a> {
    operation: &'a str,
    limit: usize,
    /// Which page it is, from 0. It makes markers of empty pages differ.
    number: usize,
    /// What the page before ended with.
    after: Option<String>,
    /// It says that there is another, whether or not there is.
    is_short: bool,
}

impl<'a> Page<'a> {
    /// `usual` is the limit where the request has none, `max` the highest it may ask for.
    pub(super) fn read(call: &Call<'a>, usual: i64, max: i64) -> Result<Self, Refusal> {
        let (operation, input) = (call.operation, &call.input);
        let limit = match input.integer("Limit")?.unwrap_or(usual) {
            limit @ ..1 => Err(("greater", 1, limit)),
            limit if limit > max => Err(("less", max, limit)),
            limit => Ok(usize::try_from(limit).unwrap_or_default()),
        };
        let limit = limit.map_err(|(side, bound, limit)| {
            Refusal::constraint("Limit", format!("'{limit}'"), format!("have value {side} than or equal to {bound}"))
        })?;
        let (number, after) = match input.text("Marker")? {
            None => (0, None),
            Some(_) => decode(operation, input.required_text("Marker", MARKER_MAX)?)?,
        };
        let short = if let Some(&Spoilt::Short(entries)) = call.spoilt { Some(entries) } else { None };
        let limit = short.map_or(limit, |entries| entries.min(limit));
        Ok(Self { operation, limit, number, after, is_short: short.is_some() })
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
    pub(super) fn answer(&self, list: &str, mut items: Vec<(String, Value)>) -> Value {
        let is_truncated = items.len() > self.limit || self.is_short;
        items.truncate(self.limit);
        let last = items.last().map(|(place, _)| place.as_str()).or(self.after());
        let marker = encode(self.operation, self.number + 1, last.unwrap_or_default());
        let items: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
        let mut fields = json!({ list: items, "Truncated": is_truncated });
        if is_truncated {
            merge(&mut fields, json!({ "NextMarker": marker }));
        }
        fields
    }
}

/// The marker of a page, which begins behind a place, or with the first if that is empty.
fn encode(operation: &str, number: usize, after: &str) -> String {
    STANDARD.encode(format!("{operation} {number} {after}"))
}

/// A marker is good for the operation that gave it.
fn decode(operation: &str, marker: &str) -> Result<(usize, Option<String>), Refusal> {
    let read = || {
        let text = String::from_utf8(STANDARD.decode(marker).ok()?).ok()?;
        let (number, after) = text.strip_prefix(operation)?.strip_prefix(' ')?.split_once(' ')?;
        Some((number.parse().ok()?, Some(after.to_owned()).filter(|after| !after.is_empty())))
    };
    read().ok_or_else(|| Refusal::new("InvalidMarkerException", "The marker is not one that this operation gave."))
}
