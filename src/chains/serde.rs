//! What has a text of its own, in files: as that text.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

#[cfg(feature = "solana")]
as_text!(super::solana::Address);
#[cfg(feature = "stellar")]
as_text!(super::stellar::Address);
#[cfg(feature = "tezos")]
as_text!(super::tezos::ChainId, super::tezos::PublicKey, super::tezos::PublicKeyHash, super::tezos::Signature);
