//! `TagResource`, `UntagResource` and `ListResourceTags`, and the tags of a new key.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Call;
use crate::fake::{input::Input, page::Page, refusal::Refusal};

/// In characters.
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;
/// Tags on one key.
const TAGS_MAX: usize = 50;

pub(super) fn tag(call: &Call<'_>) -> Result<Value, Refusal> {
    let tags = read(&call.input)?;
    call.change_key(|key| {
        key.check_manageable()?;
        let mut all = key.tags.clone();
        all.extend(tags);
        if all.len() > TAGS_MAX {
            return Err(Refusal::new("LimitExceededException", format!("A key has at most {TAGS_MAX} tags.")));
        }
        key.tags = all;
        Ok(Value::Null)
    })
}

pub(super) fn untag(call: &Call<'_>) -> Result<Value, Refusal> {
    let names = call.input.texts("TagKeys")?;
    if let Some(reserved) = names.iter().find(|name| is_reserved(name)) {
        return Err(Refusal::new("TagException", format!("{reserved} is a tag of AWS's own.")));
    }
    call.change_key(|key| {
        key.check_manageable()?;
        key.tags.retain(|name, _| !names.contains(&name.as_str()));
        Ok(Value::Null)
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Refusal> {
    let page = Page::read(call, 50, 50)?;
    let key = call.key("KeyId")?;
    let tags = key.tags.iter().filter(|(name, _)| page.after().is_none_or(|after| name.as_str() > after));
    let entries = tags.take(page.wanted()).map(|(name, value)| (name.clone(), entry(name, value)));
    Ok(page.answer("Tags", entries.collect()))
}

/// The `Tags` of a request, empty where it has none.
pub(super) fn read(input: &Input) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    for tag in input.list("Tags")? {
        let text = |field| tag.get(field).and_then(Value::as_str);
        let (Some(name), Some(value)) = (text("TagKey"), text("TagValue")) else {
            return Err(Refusal::new("TagException", "A tag is a TagKey and a TagValue."));
        };
        if !(1..=TAG_KEY_MAX).contains(&name.chars().count()) || value.chars().count() > TAG_VALUE_MAX {
            return Err(Refusal::validation(format!(
                "A TagKey has 1 to {TAG_KEY_MAX} characters and a TagValue at most {TAG_VALUE_MAX}."
            )));
        }
        if is_reserved(name) {
            return Err(Refusal::new("TagException", format!("{name} begins with aws:, which AWS reserves.")));
        }
        if tags.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Refusal::new("TagException", format!("The tag {name} is there twice.")));
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(Refusal::new("LimitExceededException", format!("A key has at most {TAGS_MAX} tags.")));
    }
    Ok(tags)
}

pub(super) fn entry(name: &str, value: &str) -> Value {
    json!({ "TagKey": name, "TagValue": value })
}

fn is_reserved(name: &str) -> bool {
    name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}
