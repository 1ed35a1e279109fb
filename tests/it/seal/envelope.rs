//! Envelopes, as a caller sees them.

use kms_signer::{
    ErrorKind, Operation,
    fake::Fault,
    keys::Keys,
    seal::{EncryptionContext, envelope::MAX_SECRET},
};

use super::{ALIAS, another, context, fake_and_key, operations};
use crate::assert_kind;

#[tokio::test]
async fn secrets_of_any_size_come_back() {
    let (fake, key) = fake_and_key().await;
    let before = fake.requests().len();
    for length in [0, 1, 4097, 1 << 20] {
        let secret = vec![b's'; length];
        let envelope = key.seal(&secret, &context()).await.unwrap();
        assert!(envelope.len() > length && envelope.len() < length + 6200);
        assert!(length == 0 || !envelope.windows(8).any(|window| window == b"ssssssss"));
        assert_eq!(key.unseal(&envelope, &context()).await.unwrap().as_bytes(), secret);
    }
    assert_eq!(operations(&fake)[before..], ["GenerateDataKey", "Decrypt"].repeat(4));
    let [first, second] = [key.seal("x", &context()).await.unwrap(), key.seal("x", &context()).await.unwrap()];
    assert_ne!(first, second);
}

#[tokio::test]
async fn what_is_too_long_is_neither_sealed_nor_opened() {
    let (fake, key) = fake_and_key().await;
    let mut envelope = key.seal("", &context()).await.unwrap();
    let before = fake.requests().len();
    let secret = vec![1; MAX_SECRET + 1];
    let error = key.seal(&secret, &context()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Operation::Seal));
    envelope.extend(secret);
    let error = key.unseal(&envelope, &context()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidCiphertext, Operation::Unseal));
    assert!(error.to_string().contains("more than 67108864"), "{error}");
    assert_eq!(fake.requests().len(), before);
}

#[tokio::test]
async fn what_is_not_as_it_was_is_refused_by_kind() {
    let (fake, key) = fake_and_key().await;
    let envelope = key.seal("secret", &context()).await.unwrap();
    let before = fake.requests().len();
    for wrong in [&b""[..], b"KMSE", &envelope[..envelope.len() / 2], b"secret in plain text"] {
        let error = key.unseal(wrong, &context()).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidCiphertext);
        assert!(!error.to_string().contains("plain text"), "{error}");
    }
    assert_eq!(fake.requests().len(), before, "what is no envelope is not sent");
    for index in [7, 30, envelope.len() - 17, envelope.len() - 1] {
        let mut altered = envelope.clone();
        altered[index] ^= 0x80;
        let error = key.unseal(&altered, &context()).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidCiphertext);
        assert!(error.request_id().is_some(), "{error}");
    }
    assert_kind(&key.unseal(&envelope, &EncryptionContext::new()).await.unwrap_err(), ErrorKind::InvalidCiphertext);
    let other = another(&fake).await;
    assert_kind(&other.unseal(&envelope, &context()).await.unwrap_err(), ErrorKind::InvalidCiphertext);

    // The data key of one with the secret of another.
    let second = key.seal("secret", &context()).await.unwrap();
    let tail = envelope.len() - (12 + 6 + 16);
    let mixed = [&envelope[..tail], &second[tail..]].concat();
    assert_kind(&key.unseal(&mixed, &context()).await.unwrap_err(), ErrorKind::InvalidCiphertext);

    Keys::new(fake.client()).disable(ALIAS).await.unwrap();
    assert_kind(&key.unseal(&envelope, &context()).await.unwrap_err(), ErrorKind::KeyUnusable);
    assert_kind(&key.seal("x", &context()).await.unwrap_err(), ErrorKind::KeyUnusable);
}

#[tokio::test]
async fn a_data_key_of_another_length_is_not_used() {
    let (fake, key) = fake_and_key().await;
    for fault in [
        Fault::set_field("Plaintext", "AAAA"),
        Fault::missing_field("Plaintext"),
        Fault::missing_field("CiphertextBlob"),
    ] {
        fake.inject(fault);
        assert_kind(&key.seal("x", &context()).await.unwrap_err(), ErrorKind::InvalidResponse);
    }
    let envelope = key.seal("x", &context()).await.unwrap();
    for plaintext in ["AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
        fake.inject(Fault::set_field("Plaintext", plaintext));
        assert_kind(&key.unseal(&envelope, &context()).await.unwrap_err(), ErrorKind::InvalidCiphertext);
    }
}
