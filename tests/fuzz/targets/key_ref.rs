//! A `KeyRef` is shown as it was read, is made of its parts, and a text that is none is not repeated.

#![no_main]

use kms_signer::{ErrorKind, KeyArn, KeyRef};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let error = match text.parse::<KeyRef>() {
        Ok(key) => {
            assert_eq!(rebuild(&key).as_deref(), Some(text), "{key:?}");
            assert_eq!((key.to_string().as_str(), key.as_ref()), (text, text));
            assert_eq!(text.parse::<KeyArn>().ok().as_ref(), key.as_arn());
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte)));
            assert!(text.len() <= 2048);
            return;
        }
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::InvalidKeyRef, "{error:?}");
    assert!(text.parse::<KeyArn>().is_err());
    // As long as half a secret, and no part of a sentence.
    if text.len() >= 32 && !text.contains(' ') {
        assert!(!error.to_string().contains(text) && !format!("{error:?}").contains(text));
    }
});

/// The text of a reference from what its getters say.
fn rebuild(key: &KeyRef) -> Option<String> {
    match key {
        KeyRef::Id(id) => {
            assert_eq!((key.region(), key.account()), (None, None));
            Some(id.as_str().to_owned())
        }
        KeyRef::Alias(alias) => {
            assert_eq!((key.region(), key.account()), (None, None));
            Some(alias.as_str().to_owned())
        }
        KeyRef::Arn(arn) => {
            assert_eq!((key.region(), key.account()), (Some(arn.region()), Some(arn.account())));
            Some(format!("arn:{}:kms:{}:{}:key/{}", arn.partition(), arn.region(), arn.account(), arn.key_id()))
        }
        KeyRef::AliasArn(arn) => {
            assert_eq!((key.region(), key.account()), (Some(arn.region()), Some(arn.account())));
            Some(format!("arn:{}:kms:{}:{}:{}", arn.partition(), arn.region(), arn.account(), arn.alias()))
        }
        _ => None,
    }
}
