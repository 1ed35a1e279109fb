//! A key with a table of multiples against k256's own recovery, on random keys and digests.

mod warm;

use std::{
    env,
    hash::{BuildHasher, Hasher, RandomState},
};

use alloy_primitives::{B256, Signature, keccak256};
use k256::ecdsa::{self, RecoveryId, SigningKey, VerifyingKey};
use kms_signer::{ErrorKind, PublicKey, signature};

/// So many signatures are by one key.
const PER_KEY: u32 = 250;

/// 10,000 signatures in the ordinary run; a million with `KMS_SIGNER_LONG=1`, for which `--release` is advisable.
fn rounds() -> u32 {
    if env::var_os("KMS_SIGNER_LONG").is_some() { 1_000_000 } else { 10_000 }
}

#[test]
fn agrees_with_k256() {
    let mut random = Random::new();
    let mut parities = [0; 2];
    for _ in 0..rounds() / PER_KEY {
        let secret = SigningKey::from_bytes(&random.next().0.into()).unwrap();
        let verifier = *secret.verifying_key();
        let key = warm::warmed(&PublicKey::from_sec1(verifier.to_encoded_point(true).as_bytes()).unwrap());
        for round in 0..PER_KEY {
            let digest = random.next();
            let (low, _) = secret.sign_prehash_recoverable(&digest.0).unwrap();
            let (r, s) = low.split_scalars();
            let given = if round % 2 == 0 { low } else { ecdsa::Signature::from_scalars(r, -s).unwrap() };
            let der = given.to_der();
            let vector = || format!("{der:?} of {digest} by {key:?}");

            let made = signature::recover(der.as_bytes(), &digest, &key)
                .unwrap_or_else(|error| panic!("{error}: {}", vector()));
            assert_eq!(made, Signature::from_signature_and_parity(low, made.v()), "{}", vector());
            assert_eq!(recovered(&digest, &low, made.v()), Some(verifier), "{}", vector());
            parities[usize::from(made.v())] += 1;

            if round % 16 == 0 {
                let other = random.next();
                let error = warm::recover(der.as_bytes(), &other, &key).expect_err("another digest");
                assert_eq!(error.kind(), ErrorKind::SignatureMismatch, "{other}, {}", vector());
                for parity in [false, true] {
                    assert_ne!(recovered(&other, &low, parity), Some(verifier), "{other}, {}", vector());
                }
            }
        }
    }
    println!("{parities:?}");
    assert!(parities.iter().all(|&count| count > rounds() / 3), "{parities:?}");
}

fn recovered(digest: &B256, signature: &ecdsa::Signature, parity: bool) -> Option<VerifyingKey> {
    VerifyingKey::recover_from_prehash(&digest.0, signature, RecoveryId::new(parity, false)).ok()
}

/// Hashes that follow one another from a start that no two runs share.
struct Random(B256);

impl Random {
    fn new() -> Self {
        Self(keccak256(RandomState::new().build_hasher().finish().to_be_bytes()))
    }

    fn next(&mut self) -> B256 {
        self.0 = keccak256(self.0);
        // Not the state itself, of which the next one is the hash.
        keccak256([self.0.as_slice(), b"out"].concat())
    }
}
