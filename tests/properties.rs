//! Properties of the pure core: any key, any digest, any bytes.
//!
//! Also built as a test of `tests/pure`, so that they hold without features, too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use k256::ecdsa::SigningKey;
use kms_signer::{
    ErrorKind, KeyArn, KeyRef, PublicKey,
    alloy_primitives::{B256, Signature, U256},
    signature,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestCaseError},
};

/// A failing case is printed whole; it belongs into a table of the other tests, not into a file of seeds.
fn config() -> Config {
    Config { failure_persistence: None, ..Config::with_cases(128) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_a_key_signs_is_recovered(key in secret(), digest: [u8; 32], given_high: bool) {
        let digest = B256::from(digest);
        let public_key = public(&key);
        let (given, parity) = key.sign_prehash_recoverable(&digest.0).unwrap();
        let expected = Signature::new(
            U256::from_be_slice(&given.r().to_bytes()),
            U256::from_be_slice(&given.s().to_bytes()),
            parity.is_y_odd(),
        );

        let der = if given_high { with_the_other_s(&given) } else { given }.to_der();
        let made = signature::recover(der.as_bytes(), &digest, &public_key)?;
        prop_assert_eq!(made, expected);
        // Often enough for a table of multiples, and some more with it.
        for _ in 0..40 {
            prop_assert_eq!(signature::recover(der.as_bytes(), &digest, &public_key)?, expected);
        }
        prop_assert_eq!(made.recover_address_from_prehash(&digest).unwrap(), public_key.address());

        let encoded = signature::to_der(&made);
        prop_assert_eq!(&encoded, &given.to_der().as_bytes().to_vec());
        prop_assert_eq!(signature::recover(&encoded, &digest, &public_key)?, expected);
        prop_assert_eq!(&signature::to_compact(&made)[..], &given.to_bytes()[..]);
    }

    #[test]
    fn what_another_key_signed_is_refused(key in secret(), other in secret(), digest: [u8; 32], given_high: bool) {
        prop_assume!(public(&key) != public(&other));
        let (given, _) = other.sign_prehash_recoverable(&digest).unwrap();
        let der = if given_high { with_the_other_s(&given) } else { given }.to_der();
        refused(der.as_bytes(), &digest.into(), &public(&key))?;
    }

    #[test]
    fn a_signature_of_another_digest_is_refused(key in secret(), digest: [u8; 32], other: [u8; 32], given_high: bool) {
        prop_assume!(digest != other);
        let (given, _) = key.sign_prehash_recoverable(&other).unwrap();
        let der = if given_high { with_the_other_s(&given) } else { given }.to_der();
        refused(der.as_bytes(), &digest.into(), &public(&key))?;
    }

    #[test]
    fn a_digest_with_one_bit_changed_is_refused(key in secret(), digest: [u8; 32], bit in 0..256usize) {
        let (given, _) = key.sign_prehash_recoverable(&digest).unwrap();
        let mut changed = digest;
        changed[bit / 8] ^= 1 << (bit % 8);
        refused(given.to_der().as_bytes(), &changed.into(), &public(&key))?;
    }

    #[test]
    fn any_two_integers_are_written_and_read_as_der(r: [u8; 32], s: [u8; 32], digest: [u8; 32], key in secret()) {
        let der = signature::to_der(&Signature::new(U256::from_be_bytes(r), U256::from_be_bytes(s), false));
        // Signatures of nothing known: read, and found not to be of this digest by this key, or out of range.
        let in_range = k256::ecdsa::Signature::from_scalars(r, s).is_ok();
        prop_assert_eq!(k256::ecdsa::Signature::from_der(&der).is_ok(), in_range);
        let error = signature::recover(&der, &digest.into(), &public(&key)).expect_err("a signature out of nothing");
        let expected = if in_range { ErrorKind::SignatureMismatch } else { ErrorKind::InvalidSignature };
        prop_assert_eq!(error.kind(), expected, "{}", error);
    }

    #[test]
    fn every_encoding_of_a_key_is_read_back(key in secret(), crlf: bool) {
        let key = public(&key);
        prop_assert_eq!(&PublicKey::from_spki_der(&key.to_spki_der())?, &key);
        prop_assert_eq!(&PublicKey::from_sec1(&key.to_sec1())?, &key);
        prop_assert_eq!(&PublicKey::from_sec1(&key.to_sec1_uncompressed())?, &key);
        let pem = key.to_spki_pem();
        let given = if crlf { pem.replace('\n', "\r\n") } else { pem.clone() };
        let read = PublicKey::from_spki_pem(&given)?;
        prop_assert_eq!(&read, &key);
        prop_assert_eq!(read.to_spki_pem(), pem);
    }
}

proptest! {
    #![proptest_config(Config { cases: 1024, ..config() })]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in vec(any::<u8>(), 0..300), digest: [u8; 32]) {
        read_everything(&bytes, &digest.into())?;
    }

    /// Bytes that get past the first header, so that the inner ones are reached.
    #[test]
    fn no_bytes_in_a_sequence_make_a_parser_panic(content in vec(any::<u8>(), 0..128), digest: [u8; 32]) {
        let bytes = [&[0x30, content.len() as u8][..], &content].concat();
        read_everything(&bytes, &digest.into())?;
    }

    #[test]
    fn no_change_of_a_valid_key_makes_a_parser_panic(key in secret(), compressed: bool, changes in changes()) {
        let key = public(&key);
        let mut der = key.to_spki_der();
        if compressed {
            der.truncate(23);
            (der[1], der[19 + 2]) = (54, 34);
            der.extend(key.to_sec1());
            prop_assert_eq!(&PublicKey::from_spki_der(&der)?, &key);
        }
        apply(&changes, &mut der);
        read_everything(&der, &B256::ZERO)?;
        let mut pem = key.to_spki_pem().into_bytes();
        apply(&changes, &mut pem);
        read_everything(&pem, &B256::ZERO)?;
    }

    #[test]
    fn no_change_of_a_valid_signature_makes_a_parser_panic(key in secret(), digest: [u8; 32], changes in changes()) {
        let (given, _) = key.sign_prehash_recoverable(&digest).unwrap();
        let mut der = given.to_der().as_bytes().to_vec();
        apply(&changes, &mut der);
        let key = public(&key);
        // What is read at all is a signature of this digest by this key, so it is the one that was changed, or its twin.
        if let Ok(made) = signature::recover(&der, &digest.into(), &key) {
            prop_assert_eq!(&signature::to_compact(&made)[..], &given.to_bytes()[..]);
        }
        read_everything(&der, &digest.into())?;
    }

    #[test]
    fn a_key_reference_is_shown_as_it_was_read(text in key_ref()) {
        let key: KeyRef = text.parse()?;
        prop_assert_eq!(key.to_string(), &*text);
        prop_assert_eq!(key.to_string().parse::<KeyRef>()?, key.clone());
        if let Some(arn) = key.as_arn() {
            prop_assert_eq!(arn, &text.parse::<KeyArn>()?);
            prop_assert_eq!(KeyRef::from(arn.clone()), key);
        }
    }

    #[test]
    fn no_change_of_a_key_reference_makes_the_parser_panic(text in key_ref(), changes in changes()) {
        let mut bytes = text.into_bytes();
        apply(&changes, &mut bytes);
        read_everything(&bytes, &B256::ZERO)?;
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "(arn:|alias/|mrk-|-----BEGIN PUBLIC KEY-----\n)?\\PC{0,80}") {
        read_everything(text.as_bytes(), &B256::ZERO)?;
    }
}

/// Gives the bytes to every parser, and checks what must hold of whatever one of them accepts.
fn read_everything(bytes: &[u8], digest: &B256) -> Result<(), TestCaseError> {
    if let Ok(key) = PublicKey::from_spki_der(bytes) {
        let is_compressed = bytes.len() == 56;
        let written = if is_compressed { key.to_sec1().to_vec() } else { key.to_spki_der() };
        prop_assert!(bytes.ends_with(&written), "{:?} was read from {:02x?}", key, bytes);
        prop_assert!(is_compressed || bytes.len() == 88, "{:?} was read from {:02x?}", key, bytes);
    }
    if let Ok(key) = PublicKey::from_sec1(bytes) {
        let written = if bytes.len() == 33 { key.to_sec1().to_vec() } else { key.to_sec1_uncompressed().to_vec() };
        prop_assert_eq!(&written[..], bytes);
    }
    let generator = public(&SigningKey::from_bytes(&B256::with_last_byte(1).0.into()).unwrap());
    if let Ok(made) = signature::recover(bytes, digest, &generator) {
        prop_assert_eq!(made.recover_address_from_prehash(digest).unwrap(), generator.address());
    }
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = PublicKey::from_spki_pem(&text) {
        prop_assert_eq!(&PublicKey::from_spki_pem(&key.to_spki_pem())?, &key);
    }
    if let Ok(key) = text.parse::<KeyRef>() {
        prop_assert_eq!(key.to_string(), &*text);
    }
    Ok(())
}

fn refused(der: &[u8], digest: &B256, key: &PublicKey) -> Result<(), TestCaseError> {
    match signature::recover(der, digest, key) {
        Ok(made) => prop_assert!(false, "{:02x?} gave {:?}", der, made),
        Err(error) if error.kind() == ErrorKind::InvalidSignature => {
            prop_assert!(error.to_string().contains("not below n"), "{}", error);
        }
        Err(error) => prop_assert_eq!(error.kind(), ErrorKind::SignatureMismatch, "{}", error),
    }
    Ok(())
}

fn secret() -> impl Strategy<Value = SigningKey> {
    any::<[u8; 32]>().prop_filter_map("the secret is not in 1..n", |secret| SigningKey::from_bytes(&secret.into()).ok())
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_sec1(key.verifying_key().to_encoded_point(false).as_bytes()).unwrap()
}

fn with_the_other_s(signature: &k256::ecdsa::Signature) -> k256::ecdsa::Signature {
    k256::ecdsa::Signature::from_scalars(signature.r(), -signature.s()).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Set(u8),
    Flip(u8),
    Insert(u8),
    Remove,
    Truncate,
}

/// One to three changes, each at a place that is a fraction of the length.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let change = prop_oneof![
        any::<u8>().prop_map(Change::Set),
        (0..8u8).prop_map(|bit| Change::Flip(1 << bit)),
        any::<u8>().prop_map(Change::Insert),
        Just(Change::Remove),
        Just(Change::Truncate),
    ];
    vec((any::<prop::sample::Index>(), change), 1..4)
}

fn apply(changes: &[(prop::sample::Index, Change)], bytes: &mut Vec<u8>) {
    for (place, change) in changes {
        if bytes.is_empty() {
            return;
        }
        let at = place.index(bytes.len());
        match *change {
            Change::Set(byte) => bytes[at] = byte,
            Change::Flip(bit) => bytes[at] ^= bit,
            Change::Insert(byte) => bytes.insert(at, byte),
            Change::Remove => _ = bytes.remove(at),
            Change::Truncate => bytes.truncate(at),
        }
    }
}

fn key_ref() -> impl Strategy<Value = String> {
    let id = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-f]{32}";
    let alias = "alias/[a-zA-Z0-9/_-]{1,250}";
    let place = "arn:aws(-[a-z]{2,6}){0,2}:kms:[a-z]{2,5}(-[a-z]{2,5}){0,2}-[0-9]{1,2}:[0-9]{12}";
    prop_oneof![
        id.boxed(),
        alias.boxed(),
        (place, id).prop_map(|(place, id)| format!("{place}:key/{id}")).boxed(),
        (place, alias).prop_map(|(place, alias)| format!("{place}:{alias}")).boxed(),
    ]
}
