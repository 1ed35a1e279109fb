//! The DER reader of `signature::recover` reads exactly what k256 reads, which is one encoding of each r and s.

#![no_main]

use std::sync::LazyLock;

use fuzz::{is_x_reduced, to_alloy};
use kms_signer::{
    ErrorKind, PublicKey,
    alloy_primitives::{B256, hex},
    signature,
};
use libfuzzer_sys::fuzz_target;

/// The generator of secp256k1 (SEC 2, section 2.4.1).
#[expect(clippy::expect_used, reason = "a refusal is a finding")]
static KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    PublicKey::from_sec1(&hex!("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"))
        .expect("the generator")
});

fuzz_target!(|der: &[u8]| {
    let given = k256::ecdsa::Signature::from_der(der);
    match signature::recover(der, &B256::ZERO, &KEY) {
        Err(error) if error.kind() == ErrorKind::InvalidSignature && !is_x_reduced(&error) => {
            assert!(given.is_err(), "{error}");
        }
        outcome => {
            if let Err(error) = outcome {
                assert!(error.kind() == ErrorKind::SignatureMismatch || is_x_reduced(&error), "{error:?}");
            }
            assert_eq!(given.map(|given| signature::to_der(&to_alloy(&given))).ok().as_deref(), Some(der));
        }
    }
});
