//! Addresses, as people write them.

use alloy_primitives::Address;
use serde::{Deserialize, Deserializer, de};

use super::Allow;

/// `0x` and 40 hexadecimal digits: all of one case, or with the checksum of EIP-55 in their cases.
#[derive(Clone, Copy)]
struct Written(Address);

/// Reads a list of addresses, or `any`.
pub(super) fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Allow<Address>, D::Error> {
    Ok(match Allow::<Written>::deserialize(deserializer)? {
        Allow::Any => Allow::Any,
        Allow::Only(list) => Allow::Only(list.into_iter().map(|Written(address)| address).collect()),
    })
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).map_err(de::Error::custom)
    }
}

fn parse(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").ok_or_else(|| format!("{text:?} is no address: it does not begin with 0x"))?;
    let address: Address = text.parse().map_err(|_| format!("{text:?} is no address: 0x and 40 hexadecimal digits"))?;
    let has = |is: fn(&u8) -> bool| digits.bytes().any(|digit| is(&digit));
    if has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && address.to_checksum(None) != text {
        return Err(format!("{text} has a wrong checksum (EIP-55): a digit may be mistyped"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_counts_where_there_is_one() {
        let good = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
        let upper = format!("0x{}", good[2..].to_uppercase());
        for text in [good, &good.to_lowercase(), &upper] {
            assert_eq!(parse(text).map(|address| address.to_checksum(None)).as_deref(), Ok(good));
        }
        for text in ["0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eb48", &good[2..], "0x", "", "0xA0b8", "vitalik.eth"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
