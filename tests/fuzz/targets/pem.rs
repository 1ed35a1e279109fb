//! `PublicKey::from_spki_pem` accepts no more than k256, and of an uncompressed key only the text that it writes itself.

#![no_main]

use k256::pkcs8::DecodePublicKey;
use kms_signer::{ErrorKind, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match PublicKey::from_spki_pem(text) {
        Ok(key) => {
            let text = text.trim_ascii().replace("\r\n", "\n");
            let written = key.to_spki_pem();
            let is_compressed = text.len() < written.len() - 1;
            assert!(is_compressed || text == written.trim_end(), "{text:?}");

            let expected = k256::PublicKey::from_public_key_pem(&text).map(|key| key.to_sec1_bytes().into_vec());
            assert_eq!(expected, Ok(key.to_sec1().to_vec()), "{text:?}");
            assert_eq!(PublicKey::from_spki_pem(&written).ok(), Some(key));
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::InvalidPublicKey | ErrorKind::KeyUnsuitable), "{error:?}");
            assert_eq!(k256::PublicKey::from_public_key_pem(text).ok().filter(|_| is_strict(text)), None, "{error}");
        }
    }
});

/// Whether a text is as RFC 7468's strict grammar has it, as far as k256 is laxer.
fn is_strict(text: &str) -> bool {
    let mut lines = text.trim_ascii().lines().skip(1).map(str::len);
    let first = lines.next();
    text.trim_ascii().starts_with("-----BEGIN PUBLIC KEY-----\n") && !text.contains('\r') && first == Some(64)
}
