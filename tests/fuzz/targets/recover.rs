//! Any digest, key and DER: `signature::recover` gives a signature with low S that k256 verifies and that recovers to
//! the key's address, or an error where k256 refuses, too.
//!
//! Input: digest (32 bytes), compressed point (33 bytes), DER.

#![no_main]

use fuzz::{HALF_ORDER, is_x_reduced, to_alloy, with_low_s};
use k256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
use kms_signer::{ErrorKind, PublicKey, alloy_primitives::B256};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((digest, rest)) = input.split_first_chunk::<32>() else { return };
    let Some((point, der)) = rest.split_first_chunk::<33>() else { return };
    let Ok(key) = PublicKey::from_sec1(point) else { return };
    let verifies = |signature: &Signature| {
        VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| key.verify_prehash(digest, signature).is_ok())
    };

    let low_s = Signature::from_der(der).ok().map(with_low_s);
    let expected = low_s.filter(verifies);
    match fuzz::recover(der, &B256::from(digest), &key) {
        Ok(made) => {
            assert!(made.s() <= HALF_ORDER);
            assert_eq!(Some(made.with_parity(false)), expected.as_ref().map(to_alloy));
            assert_eq!(made.recover_address_from_prehash(&B256::from(digest)).ok(), Some(key.address()));
        }
        Err(error) if is_x_reduced(&error) => assert!(expected.is_some()),
        Err(error) => {
            assert_eq!(expected, None, "{error}");
            let kind = if low_s.is_some() { ErrorKind::SignatureMismatch } else { ErrorKind::InvalidSignature };
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
});
