//! Rules for EIP-191 messages.

use serde::Deserialize;

use super::{Named, Rule};

/// EIP-191 messages (`personal_sign`) that are allowed: any, or those that are listed or begin with what is listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MessageRule {
    /// What errors and records call it.
    pub name: String,
    /// Allows every message.
    #[serde(default)]
    pub any: bool,
    /// What a message may begin with, as UTF-8. What follows may be anything.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// Messages that are allowed as they are, as UTF-8.
    #[serde(default)]
    pub exact: Vec<String>,
    /// The greatest length, in bytes; any unless given.
    #[serde(default)]
    pub max_length: Option<usize>,
}

impl MessageRule {
    /// A rule that allows nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), any: false, prefixes: Vec::new(), exact: Vec::new(), max_length: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum Check {
    Content,
    Length,
}

impl Named for MessageRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        let listed = !self.prefixes.is_empty() || !self.exact.is_empty();
        if self.any == listed {
            return Err(match listed {
                true => "has any and a list: one of them is meant",
                false => "allows no message: give prefixes or exact, or switch any on",
            }
            .to_owned());
        }
        match self.prefixes.iter().any(String::is_empty) {
            true => Err("has an empty prefix, with which every message begins: say any = true".to_owned()),
            false => Ok(()),
        }
    }
}

impl Rule for MessageRule {
    type Asked<'a> = &'a [u8];
    type Check = Check;
    const CHECKS: &'static [Check] = &[Check::Content, Check::Length];

    fn passes(&self, check: Check, message: &[u8]) -> bool {
        match check {
            Check::Content => {
                self.any
                    || self.exact.iter().any(|exact| exact.as_bytes() == message)
                    || self.prefixes.iter().any(|prefix| message.starts_with(prefix.as_bytes()))
            }
            Check::Length => self.max_length.is_none_or(|max| message.len() <= max),
        }
    }

    fn explain(&self, check: Check, message: &[u8]) -> String {
        match check {
            Check::Content => format!(
                "message {} is not among exact and begins with none of prefixes{}",
                beginning(message),
                match &*self.prefixes {
                    [] => String::new(),
                    prefixes => format!(", {prefixes:?}"),
                }
            ),
            Check::Length => {
                format!(
                    "a message of {} bytes is longer than max_length, {}",
                    message.len(),
                    self.max_length.unwrap_or(0)
                )
            }
        }
    }
}

/// Enough of a message to recognise it by.
fn beginning(message: &[u8]) -> String {
    const SHOWN: usize = 40;
    match core::str::from_utf8(message) {
        Ok(text) if text.chars().count() <= SHOWN => format!("{text:?}"),
        Ok(text) => format!("{:?}…", text.chars().take(SHOWN).collect::<String>()),
        Err(_) => {
            let shown = message.get(..SHOWN / 2).unwrap_or(message);
            let more = if shown.len() < message.len() { "…" } else { "" };
            format!("{}{more}", alloy_primitives::hex::encode_prefixed(shown))
        }
    }
}
