//! `SymmetricKey`: encrypt and decrypt, which key, and what is refused.

use std::time::Duration;

use kms_signer::{
    ErrorKind, KmsClient, Operation,
    fake::{FakeKms, Fault},
    keys::{Keys, NewKey},
    seal::{EncryptionContext, MAX_CIPHERTEXT, MAX_PLAINTEXT, SymmetricKey},
};

use super::{ALIAS, another, context, fake_and_key, operations};
use crate::assert_kind;

#[tokio::test]
async fn what_was_encrypted_is_decrypted_with_one_request_each() {
    let (fake, key) = fake_and_key().await;
    let before = fake.requests().len();
    for secret in [vec![0], b"a password".to_vec(), vec![7; MAX_PLAINTEXT]] {
        let ciphertext = key.encrypt(&secret, &context()).await.unwrap();
        assert_eq!(key.decrypt(&ciphertext, &context()).await.unwrap().as_bytes(), secret);
    }
    assert_eq!(operations(&fake)[before..], ["Encrypt", "Decrypt"].repeat(3));
    let ciphertext = key.encrypt("x", &EncryptionContext::new()).await.unwrap();
    assert_eq!(&*key.decrypt(ciphertext, &EncryptionContext::new()).await.unwrap(), b"x");
}

#[tokio::test]
async fn what_kms_would_not_take_is_not_sent() {
    let (fake, key) = fake_and_key().await;
    let before = fake.requests().len();
    let none = EncryptionContext::new();
    for length in [0, MAX_PLAINTEXT + 1] {
        let error = key.encrypt(vec![1; length], &none).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Operation::Encrypt));
        assert!(error.to_string().contains("use SymmetricKey::seal"), "{error}");
    }
    for length in [0, MAX_CIPHERTEXT + 1] {
        assert_kind(&key.decrypt(vec![1; length], &none).await.unwrap_err(), ErrorKind::InvalidCiphertext);
    }
    for context in [EncryptionContext::new().with("a", "x".repeat(8192)), EncryptionContext::new().with("", "x")] {
        let error = key.decrypt("x", &context).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Operation::Decrypt), "{error}");
    }
    assert_eq!(fake.requests().len(), before);
    key.encrypt("x", &EncryptionContext::new().with("a", "x".repeat(8191))).await.unwrap();
}

#[tokio::test]
async fn what_is_not_as_it_was_is_refused_by_kind() {
    let (fake, key) = fake_and_key().await;
    let ciphertext = key.encrypt("secret", &context()).await.unwrap();
    let mut altered = ciphertext.clone();
    *altered.last_mut().unwrap() ^= 1;
    for (key, ciphertext, context) in [
        (&key, &altered, context()),
        (&key, &ciphertext, EncryptionContext::new()),
        (&key, &ciphertext, context().with("tenant", "18")),
        (&another(&fake).await, &ciphertext, context()),
    ] {
        let error = key.decrypt(ciphertext, &context).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidCiphertext);
        assert!(!error.is_retryable() && error.request_id().is_some(), "{error}");
    }
    let signing = SymmetricKey::new(fake.client(), fake.create_key().unwrap()).unwrap();
    let error = signing.encrypt("x", &context()).await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyUnsuitable);
    assert!(error.to_string().contains("SYMMETRIC_DEFAULT"), "{error}");

    Keys::new(fake.client()).disable(ALIAS).await.unwrap();
    assert_kind(&key.decrypt(&ciphertext, &context()).await.unwrap_err(), ErrorKind::KeyUnusable);
}

#[tokio::test]
async fn an_alias_that_moves_does_not_move_the_key() {
    let (fake, first) = fake_and_key().await;
    let second = another(&fake).await;
    let key = SymmetricKey::new(fake.client(), ALIAS).unwrap();
    let as_given = SymmetricKey::new(fake.client(), ALIAS).unwrap().as_given();
    assert_eq!(key.key().as_ref(), ALIAS);
    let ciphertext = key.encrypt("secret", &context()).await.unwrap();
    as_given.decrypt(&ciphertext, &context()).await.unwrap();
    assert_eq!(key.key(), first.key());

    fake.alias(ALIAS, second.key().as_arn().unwrap()).unwrap();
    key.decrypt(&ciphertext, &context()).await.unwrap();
    assert_kind(&as_given.encrypt("x", &context()).await.unwrap_err(), ErrorKind::KeyChanged);
    assert_eq!(fake.requests().last().unwrap().key_id(), Some(ALIAS));
    let late = SymmetricKey::new(fake.client(), ALIAS).unwrap();
    assert_kind(&late.decrypt(&ciphertext, &context()).await.unwrap_err(), ErrorKind::InvalidCiphertext);
}

#[tokio::test]
async fn an_answer_of_another_key_is_not_taken() {
    let (fake, key) = fake_and_key().await;
    let other = another(&fake).await.key().to_string();
    let ciphertext = key.encrypt("secret", &context()).await.unwrap();
    for (fault, kind) in [
        (Fault::key_id(&other), ErrorKind::KeyChanged),
        (Fault::missing_field("KeyId"), ErrorKind::InvalidResponse),
        (Fault::missing_field("Plaintext"), ErrorKind::InvalidResponse),
        (Fault::garbage_body(), ErrorKind::InvalidResponse),
    ] {
        fake.inject(fault);
        assert_kind(&key.decrypt(&ciphertext, &context()).await.unwrap_err(), kind);
    }
    for (fault, kind) in [
        (Fault::key_id(&other), ErrorKind::KeyChanged),
        (Fault::missing_field("CiphertextBlob"), ErrorKind::InvalidResponse),
        (Fault::set_field("CiphertextBlob", ""), ErrorKind::InvalidResponse),
    ] {
        fake.inject(fault);
        assert_kind(&key.encrypt("x", &context()).await.unwrap_err(), kind);
    }
}

/// The same loop as for signing: deadlines, retries, other Regions.
#[tokio::test]
async fn deadlines_retries_and_regions_are_those_of_the_client() {
    let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    east.join(&west).unwrap();
    let keys = Keys::new(east.client());
    let info = keys.create(NewKey::symmetric().multi_region(true)).await.unwrap();
    east.replicate_key(info.arn(), &west).unwrap();
    let client = KmsClient::from(east.client())
        .with_failover_client(west.client())
        .with_operation_timeout(Duration::from_millis(700))
        .with_attempt_timeout(Duration::from_millis(200));
    let key = SymmetricKey::new(&client, info.arn()).unwrap();
    east.inject(Fault::status(503).times(1));
    let ciphertext = key.encrypt("secret", &context()).await.unwrap();
    east.inject(Fault::disconnect().forever());
    assert_eq!(&*key.decrypt(&ciphertext, &context()).await.unwrap(), b"secret");
    west.inject(Fault::stall().forever());
    let error = key.decrypt(&ciphertext, &context()).await.unwrap_err();
    assert!(error.is_retryable() && !error.may_have_signed(), "{error}");
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Transport), "{error}");

    let elsewhere = "arn:aws:kms:eu-west-1:111122223333:";
    for resource in ["key/1234abcd-12ab-34cd-56ef-1234567890ab", "key/mrk-1234abcd12ab34cd56ef1234567890ab", "alias/x"]
    {
        let error = SymmetricKey::new(&client, format!("{elsewhere}{resource}")).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Operation::Connect));
        assert!(error.to_string().contains("build a client for the key's Region"), "{error}");
    }
    SymmetricKey::new(&client, info.arn().to_string().replace("us-east-1", "us-west-2")).unwrap();
    assert_kind(&SymmetricKey::new(&client, "not a key").unwrap_err(), ErrorKind::InvalidKeyRef);
}

#[tokio::test]
async fn ensure_makes_one_key_and_no_other_kind() {
    let (fake, key) = fake_and_key().await;
    let keys = Keys::new(fake.client());
    let again = SymmetricKey::ensure(&keys, ALIAS, NewKey::symmetric()).await.unwrap();
    assert_eq!(again.key(), key.key());
    again.encrypt("x", &context()).await.unwrap();
    assert_eq!(fake.requests().last().unwrap().key_id(), Some(key.key().as_ref()));
    let as_given = again.clone().as_given();
    as_given.encrypt("x", &context()).await.unwrap();
    assert_eq!(fake.requests().last().unwrap().key_id(), Some(ALIAS));
    fake.alias(ALIAS, another(&fake).await.key().as_arn().unwrap()).unwrap();
    assert_kind(&as_given.encrypt("x", &context()).await.unwrap_err(), ErrorKind::KeyChanged);
    let before = fake.requests().len();
    assert_kind(&SymmetricKey::ensure(&keys, "alias/x", NewKey::signing()).await.unwrap_err(), ErrorKind::Config);
    assert_eq!(fake.requests().len(), before);
    fake.alias("alias/wallet", &fake.create_key().unwrap()).unwrap();
    let error = SymmetricKey::ensure(&keys, "alias/wallet", NewKey::symmetric()).await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyUnsuitable);
}

#[tokio::test]
async fn a_grant_token_is_sent_and_not_shown() {
    let (fake, key) = fake_and_key().await;
    let bob = "arn:aws:iam::111122223333:role/bob";
    let grant = fake.client().create_grant().key_id(key.key().as_ref()).grantee_principal(bob);
    let operations = ["Encrypt", "Decrypt", "DescribeKey", "GenerateDataKey"].map(|name| name.parse().unwrap());
    let token = grant.set_operations(Some(operations.to_vec())).send().await.unwrap().grant_token.unwrap();
    let bare = SymmetricKey::new(fake.client_as(bob), key.key()).unwrap();
    assert_kind(&bare.encrypt("x", &context()).await.unwrap_err(), ErrorKind::AccessDenied);
    let granted = bare.with_grant_token(&token);
    assert!(!format!("{granted:?}").contains(&token));
    granted.validate(&context()).await.unwrap();
    let envelope = granted.seal("x", &context()).await.unwrap();
    granted.unseal(&envelope, &context()).await.unwrap();
}
