//! `PublicKey::from_spki_pem` accepts what k256 writes and no more than k256 reads, and of an uncompressed key only the
//! text that it writes itself.

#![no_main]

use k256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
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
            let read = k256::PublicKey::from_public_key_pem(text).ok();
            let written = read.and_then(|key| key.to_public_key_pem(LineEnding::LF).ok());
            assert_ne!(written.as_deref(), Some(text), "{error}");
        }
    }
});
