//! Rules from text, with the place of what is wrong in it.

use super::Rules;
use crate::error::{Error, ErrorKind, Operation, Result, one_line};

pub(super) fn toml(text: &str) -> Result<Rules> {
    let place = |error: &toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        (line, error.message().to_owned())
    };
    let parsed = toml::Deserializer::parse(text).map_err(|error| {
        let (line, message) = place(&error);
        mistake(line, None, &message)
    })?;
    serde_path_to_error::deserialize(parsed).map_err(|error| {
        let (line, message) = place(error.inner());
        mistake(line, Some(error.path()), &message)
    })
}

pub(super) fn json(text: &str) -> Result<Rules> {
    let mut parsed = serde_json::Deserializer::from_str(text);
    let place = |error: &serde_json::Error| {
        let (line, message) = (error.line(), error.to_string());
        // Without its own note of the place, which is given in front.
        let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message).to_owned();
        ((line > 0).then_some(line), message)
    };
    let rules = serde_path_to_error::deserialize(&mut parsed).map_err(|error| {
        let (line, message) = place(error.inner());
        mistake(line, Some(error.path()), &message)
    })?;
    parsed.end().map_err(|error| {
        let (line, message) = place(&error);
        mistake(line, None, &message)
    })?;
    Ok(rules)
}

fn mistake(line: Option<usize>, key: Option<&serde_path_to_error::Path>, message: &str) -> Error {
    let line = line.map(|line| format!("line {line}"));
    // That of the whole document is a dot.
    let key = key.map(ToString::to_string).filter(|key| key != ".");
    let place: Vec<_> = line.into_iter().chain(key).collect();
    let message = one_line(message);
    let text = if place.is_empty() { message } else { format!("{}: {message}", place.join(", ")) };
    Error::new(ErrorKind::Config, Operation::ReadRules, text)
}
