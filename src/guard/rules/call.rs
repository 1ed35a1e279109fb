//! What a transaction's calldata may begin with.

use core::{fmt, str::FromStr};

use alloy_dyn_abi::Specifier;
use alloy_json_abi::Function;
use alloy_primitives::Selector;
use serde::{Deserialize, Deserializer, de};

use crate::error::{Error, ErrorKind, Operation, Result};

/// What a transaction calls: nothing, or a function.
///
/// In rules `"none"`, a signature such as `"transfer(address,uint256)"`, or its selector of 4 bytes, `"0xa9059cbb"`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// No calldata at all, as in a plain transfer.
    None,
    /// The function with this selector. Calldata of one to three bytes has none, and is allowed by [`Allow::Any`](super::Allow::Any) only.
    Function(Selector),
}

impl Call {
    /// What the calldata calls; none where it is too short to say.
    pub(super) fn of(calldata: &[u8]) -> Option<Self> {
        if calldata.is_empty() {
            return Some(Self::None);
        }
        calldata.first_chunk::<4>().map(|selector| Self::Function(selector.into()))
    }
}

impl FromStr for Call {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|mistake| Error::new(ErrorKind::Config, Operation::ReadRules, mistake))
    }
}

impl Call {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        if text.starts_with("0x") {
            return text
                .parse()
                .map(Self::Function)
                .map_err(|_| format!("{text:?} is no selector: 0x and 8 hexadecimal digits"));
        }
        // The parser takes any word for a type; a misspelt one would give the selector of a function that nobody has.
        let known = |function: &Function| function.inputs.iter().all(|input| input.resolve().is_ok());
        match Function::parse(text) {
            Ok(function) if known(&function) => Ok(Self::Function(function.selector())),
            _ => Err(format!(
                r#"{text:?} is no function: give its signature, as "transfer(address,uint256)", its selector, as "0xa9059cbb", or "none""#
            )),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Function(selector) => selector.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_selectors_are_read() {
        let transfer = Call::Function([0xa9, 0x05, 0x9c, 0xbb].into());
        for text in [
            "transfer(address,uint256)",
            "transfer(address to, uint256 amount)",
            "transfer(address,uint)",
            "0xa9059cbb",
        ] {
            assert_eq!(text.parse::<Call>().ok().as_ref(), Some(&transfer), "{text}");
        }
        assert_eq!("none".parse::<Call>().ok(), Some(Call::None));
        for text in ["", "transfer", "transfer(", "transfer(adress)", "0xa9059c", "0xa9059cbb00", "0xzz059cbb", "any"] {
            assert!(text.parse::<Call>().is_err(), "{text}");
        }
    }

    #[test]
    fn calldata_is_told_apart() {
        assert_eq!(Call::of(&[]), Some(Call::None));
        assert_eq!(Call::of(&[1, 2, 3]), None);
        assert_eq!(Call::of(&[1, 2, 3, 4]), Some(Call::Function([1, 2, 3, 4].into())));
    }
}
