//! Amounts of wei, as people write and read them.

use core::fmt;

use alloy_primitives::{
    U256,
    utils::{ParseUnits, Unit},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// Wei as an integer or a string of digits; or a decimal number with a unit, as in `0.5 ether`, `30 gwei` or `1 wei`.
#[derive(Clone, Copy)]
struct Wei(U256);

/// Reads an amount of up to 256 bits.
pub(super) fn wei<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    Wei::deserialize(deserializer).map(|Wei(wei)| wei)
}

/// Reads an amount that may be left out.
pub(super) fn optional_wei<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
    wei(deserializer).map(Some)
}

/// Reads a price of gas, of up to 128 bits.
pub(super) fn gas_price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let Wei(wei) = Wei::deserialize(deserializer)?;
    wei.try_into().map_err(|_| de::Error::custom("a price of gas has 128 bits at most"))
}

impl<'de> Deserialize<'de> for Wei {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;

        impl Visitor<'_> for Amount {
            type Value = Wei;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"an amount such as "0.5 ether", "30 gwei" or 21000 (wei)"#)
            }

            fn visit_i64<E: de::Error>(self, wei: i64) -> Result<Wei, E> {
                let wei = u64::try_from(wei).map_err(|_| E::custom("an amount is not negative"))?;
                self.visit_u64(wei)
            }

            fn visit_u64<E: de::Error>(self, wei: u64) -> Result<Wei, E> {
                Ok(Wei(U256::from(wei)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Wei, E> {
                parse(text).map(Wei).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Amount)
    }
}

fn parse(text: &str) -> Option<U256> {
    let (number, unit) = match text.trim().split_once(' ') {
        Some((number, unit)) => (number, unit.trim()),
        None => (text.trim(), "wei"),
    };
    let unit = match unit {
        "wei" => Unit::WEI,
        "gwei" => Unit::GWEI,
        "ether" => Unit::ETHER,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_decimal = [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    // What is finer than a wei would be cut off.
    if !is_decimal || fraction.trim_end_matches('0').len() > usize::from(unit.get()) {
        return None;
    }
    match ParseUnits::parse_units(number, unit) {
        Ok(ParseUnits::U256(wei)) => Some(wei),
        _ => None,
    }
}

/// An amount with the unit that reads best, and without loss.
pub(in crate::guard) fn show(wei: U256) -> String {
    let (unit, name) = if wei >= U256::from(10).pow(U256::from(15)) {
        (Unit::ETHER, "ether")
    } else if wei >= U256::from(10).pow(U256::from(6)) {
        (Unit::GWEI, "gwei")
    } else {
        (Unit::WEI, "wei")
    };
    let number = ParseUnits::U256(wei).format_units(unit);
    match number.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => format!("{whole} {name}"),
            fraction => format!("{whole}.{fraction} {name}"),
        },
        None => format!("{number} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown_without_loss() {
        for (text, wei, shown) in [
            ("0", 0u64, "0 wei"),
            ("21000", 21_000, "21000 wei"),
            ("1 wei", 1, "1 wei"),
            ("30 gwei", 30_000_000_000, "30 gwei"),
            ("0.000000001 gwei", 1, "1 wei"),
            ("1.50 ether", 1_500_000_000_000_000_000, "1.5 ether"),
            ("0.1 ether", 100_000_000_000_000_000, "0.1 ether"),
            ("1000000000000000001 wei", 1_000_000_000_000_000_001, "1.000000000000000001 ether"),
        ] {
            assert_eq!(parse(text), Some(U256::from(wei)), "{text}");
            assert_eq!(show(U256::from(wei)), shown);
        }
        assert_eq!(show(U256::MAX).strip_suffix(" ether").and_then(|n| parse(&format!("{n} ether"))), Some(U256::MAX));
        let above = format!("{}0", U256::MAX);
        for text in [
            "",
            "-1",
            "+1",
            "1.",
            ".5 ether",
            "1 Ether",
            "1ether",
            "0.5",
            "0.0000000000000000001 ether",
            "1e18",
            "0x10",
            "1_0",
            &above,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
