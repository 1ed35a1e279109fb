//! `PublicKey::from_spki_der` and `from_sec1` accept what k256 accepts, and one encoding of each key only.

#![no_main]

use k256::pkcs8::DecodePublicKey;
use kms_signer::{ErrorKind, PublicKey};
use libfuzzer_sys::fuzz_target;

/// The compact form of a point, an expired draft's, which k256 reads and SEC 1 does not have.
const COMPACT: u8 = 5;
/// What comes before a compressed point in a `SubjectPublicKeyInfo`.
const HEADER: usize = 23;

fuzz_target!(|input: &[u8]| {
    let expected = k256::PublicKey::from_public_key_der(input).ok().filter(|_| input.get(HEADER) != Some(&COMPACT));
    match PublicKey::from_spki_der(input) {
        Ok(key) => {
            let is_compressed = input.len() == HEADER + 33;
            assert!(is_compressed && input.ends_with(&key.to_sec1()) || input == key.to_spki_der());
            assert_eq!(Some(key), expected.map(read));
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::InvalidPublicKey | ErrorKind::KeyUnsuitable), "{error:?}");
            assert_eq!(expected, None, "{error}");
        }
    }

    let expected = k256::PublicKey::from_sec1_bytes(input).ok().filter(|_| input.first() != Some(&COMPACT));
    match PublicKey::from_sec1(input) {
        Ok(key) => {
            assert!(input == key.to_sec1() || input == key.to_sec1_uncompressed());
            assert_eq!(Some(key), expected.map(read));
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidPublicKey, "{error:?}");
            assert_eq!(expected, None, "{error}");
        }
    }
});

#[expect(clippy::expect_used, reason = "a refusal is a finding")]
fn read(key: k256::PublicKey) -> PublicKey {
    PublicKey::from_sec1(&key.to_sec1_bytes()).expect("a point that k256 wrote")
}
