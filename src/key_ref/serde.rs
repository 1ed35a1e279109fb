//! References in files: as the text they are written as.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{AliasArn, AliasName, KeyArn, KeyId, KeyRef};

macro_rules! as_written {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_ref())
            }
        }
    )*};
}

as_written!(KeyRef, KeyId, KeyArn, AliasName, AliasArn);

macro_rules! one_of {
    ($($type:ty => $variant:ident: $name:literal),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match KeyRef::deserialize(deserializer)? {
                    KeyRef::$variant(reference) => Ok(reference),
                    _ => Err(D::Error::custom(concat!("this is a key reference, but not ", $name))),
                }
            }
        }
    )*};
}

one_of!(
    KeyId => Id: "a key id", KeyArn => Arn: "a key ARN", AliasName => Alias: "an alias name", AliasArn => AliasArn: "an alias ARN"
);

impl<'de> Deserialize<'de> for KeyRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
