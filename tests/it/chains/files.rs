//! Addresses, keys and signatures in files.

use core::{fmt::Debug, str::FromStr};

use kms_signer::{Error, solana, stellar, tezos};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn is_its_text<T: FromStr<Err = Error> + Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let (value, json) = (text.parse::<T>().unwrap(), Value::from(text));
    assert_eq!(serde_json::to_value(&value).unwrap(), json);
    assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
    // What is wrong is said by this crate.
    let cut = &text[..text.len() - 1];
    let reason = cut.parse::<T>().unwrap_err().to_string();
    assert_eq!(serde_json::from_value::<T>(Value::from(cut)).unwrap_err().to_string(), reason);
    assert!(serde_json::from_value::<T>(Value::from(1)).is_err());
}

#[test]
fn they_are_written_as_their_text() {
    is_its_text::<solana::Address>("2KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE1");
    is_its_text::<stellar::Address>("GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ");
    is_its_text::<tezos::ChainId>("NetXdQprcVkpaWU");
    is_its_text::<tezos::PublicKey>("p2pk66tTYL5EvahKAXncbtbRPBkAnxo3CszzUho5wPCgWauBMyvybuB");
    is_its_text::<tezos::PublicKeyHash>("tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59At");
    is_its_text::<tezos::Signature>(
        "p2sigMMsHbzzKh6Eg3cDxfLURiUpTMkyjyPWd7RFtBUH7ZyGBzBqMZH9xZc16akQWZNKkCMHnf1vYjjckPEfru456ikHaFWXFD",
    );
}
