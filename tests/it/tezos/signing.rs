//! Signatures through FakeKms.

use kms_signer::{
    ErrorKind, KmsClient,
    alloy_primitives::B256,
    fake::{FakeKms, Fault},
    keys::{Keys, NewKey},
    tezos::{self, Curve, PublicKey, TezosSigner},
};

use super::signatory;

async fn signer(new: NewKey) -> (FakeKms, TezosSigner) {
    let fake = FakeKms::new();
    let key = Keys::new(fake.client()).create(new).await.unwrap();
    let signer = TezosSigner::new(fake.client(), key.arn()).await.unwrap();
    (fake, signer)
}

#[tokio::test]
async fn both_curves_sign_what_verifies() {
    for (new, curve, prefixes) in [
        (NewKey::p256(), Curve::P256, ["p2pk", "tz3", "p2sig"]),
        (NewKey::signing(), Curve::Secp256k1, ["sppk", "tz2", "spsig1"]),
    ] {
        let (fake, signer) = signer(new).await;
        assert_eq!(signer.public_key().curve(), curve);
        assert!(signer.public_key().to_string().starts_with(prefixes[0]));
        assert!(signer.public_key_hash().to_string().starts_with(prefixes[1]));
        for fault in [None, Some(Fault::high_s()), Some(Fault::low_s()), Some(Fault::short_r()), Some(Fault::short_s())]
        {
            if let Some(fault) = fault {
                fake.inject(fault.on("Sign"));
            }
            let signature = signer.sign(signatory::BLOCK).await.unwrap();
            assert!(signature.to_string().starts_with(prefixes[2]), "{signature}");
            signer.public_key().verify(signatory::BLOCK, &signature).unwrap();
            signer.public_key().verify(signatory::BLOCK, &signature.to_generic()).unwrap();
            assert!(signer.public_key().verify(signatory::ATTESTATION, &signature).is_err());
        }
        let request = fake.requests().pop().unwrap();
        assert_eq!(request.operation(), "Sign");
        signer.preflight().await.unwrap();
    }
}

/// octez takes low s only on secp256k1 and either on P-256.
#[tokio::test]
async fn s_is_low_on_secp256k1_and_as_given_on_p256() {
    let (fake, signer) = signer(NewKey::signing()).await;
    fake.inject(Fault::high_s().on("Sign"));
    let signature = signer.sign(b"\x03").await.unwrap();
    assert!(k256::ecdsa::Signature::from_slice(signature.as_bytes()).unwrap().normalize_s().is_none());

    let (fake, signer) = self::signer(NewKey::p256()).await;
    let half = hex_of_half_the_order();
    fake.inject(Fault::high_s().on("Sign"));
    assert!(signer.sign(b"\x03").await.unwrap().as_bytes()[32..] > half[..]);
    fake.inject(Fault::low_s().on("Sign"));
    assert!(signer.sign(b"\x03").await.unwrap().as_bytes()[32..] <= half[..]);
}

/// Of P-256 (SEC 2, section 2.4.2), rounded down.
fn hex_of_half_the_order() -> B256 {
    "0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8".parse().unwrap()
}

#[tokio::test]
async fn what_does_not_verify_is_not_returned() {
    for new in [NewKey::p256(), NewKey::signing()] {
        let (fake, signer) = signer(new).await;
        for (fault, kind) in [
            (Fault::flipped_bit(), ErrorKind::SignatureMismatch),
            (Fault::bad_signature([0x30, 0]), ErrorKind::InvalidSignature),
            (Fault::bad_signature([0x30; 80]), ErrorKind::InvalidSignature),
            (Fault::other_key(), ErrorKind::SignatureMismatch),
            (
                Fault::key_id("arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"),
                ErrorKind::KeyChanged,
            ),
        ] {
            fake.inject(fault.on("Sign"));
            assert_eq!(signer.sign(signatory::BLOCK).await.unwrap_err().kind(), kind);
        }
    }
}

#[tokio::test]
async fn known_expected_and_unsuitable_keys() {
    let fake = FakeKms::new();
    let keys = Keys::new(fake.client());
    let (one, other) = (keys.create(NewKey::p256()).await.unwrap(), keys.create(NewKey::p256()).await.unwrap());
    let public_key = PublicKey::from_spki_der(one.spki_der().unwrap()).unwrap();

    let before = fake.requests().len();
    let builder =
        TezosSigner::builder(fake.client(), one.arn()).public_key(public_key.clone()).expected(public_key.hash());
    let signer = builder.connect().await.unwrap();
    assert_eq!(fake.requests().len(), before);
    signer.sign(b"\x03").await.unwrap();
    assert_eq!(signer.key().as_ref(), one.arn().as_ref());

    let builder = TezosSigner::builder(fake.client(), other.arn()).expected(public_key.hash());
    let error = builder.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddressMismatch);
    assert!(error.to_string().contains(&public_key.hash().to_string()), "{error}");

    let ed25519 = keys.create(NewKey::ed25519()).await.unwrap();
    let error = TezosSigner::new(fake.client(), ed25519.arn()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuitable);
    let edpk: PublicKey = "edpkvJELH15q7a8ShGRsoULGxLQfUQaGahwRTFywCsnWPPdwnmASRH".parse().unwrap();
    let error = TezosSigner::builder(fake.client(), one.arn()).public_key(edpk).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuitable);
    assert!(!format!("{signer:?}").contains("client"));
}

/// The secret key of Taquito's `spsk2rBDDeUqakQ42nBHDGQTtP3GErb6AahHPwF9bhca3Q5KA5HESE`.
#[tokio::test]
async fn taquitos_secret_key_has_its_address_in_kms() {
    let text = "spsk2rBDDeUqakQ42nBHDGQTtP3GErb6AahHPwF9bhca3Q5KA5HESE";
    let secret = bs58::decode(text).with_check(None).into_vec().unwrap();
    let fake = FakeKms::new();
    let arn = fake.import_key(B256::from_slice(&secret[4..])).unwrap();
    let signer = TezosSigner::new(KmsClient::from(fake.client()), arn).await.unwrap();
    assert_eq!(signer.public_key_hash().to_string(), "tz2Ch1abG7FNiibmV26Uzgdsnfni9XGrk5wD");
    assert_eq!(tezos::digest(b"").to_string(), "0x0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}
