//! `Sign`: what is signed, what is refused, and that the signatures are like KMS's.

use std::collections::HashSet;

use alloy_primitives::B256;
use aws_sdk_kms::{
    operation::sign::builders::SignFluentBuilder,
    primitives::Blob,
    types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec},
};
use k256::sha2::{Digest, Sha256};
use p256::ecdsa::signature::hazmat::PrehashVerifier;

use super::{client, code, create, public_key, refusal, sign_digest};
use crate::{fake::FakeKms, signature::recover};

fn sign(kms: &FakeKms, key: &str) -> SignFluentBuilder {
    client(kms).sign().key_id(key).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
}

#[tokio::test]
async fn signs_a_digest_as_it_is_and_hashes_a_raw_message() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap();
    let key = public_key(&kms, &arn).await;
    let arn = arn.to_string();

    for digest in [B256::ZERO, B256::repeat_byte(0xff), B256::repeat_byte(7)] {
        let answer = sign_digest(&kms, &arn, digest.0).await.unwrap();
        assert_eq!(answer.key_id(), Some(arn.as_str()));
        assert_eq!(answer.signing_algorithm(), Some(&SigningAlgorithmSpec::EcdsaSha256));
        let signature = recover(answer.signature().unwrap().as_ref(), &digest, &key).unwrap();
        assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), key.address());
    }
    for message in [Vec::new(), b"hello".to_vec(), vec![1; 4096]] {
        let digest = B256::from_slice(&Sha256::digest(&message));
        for builder in [sign(&kms, &arn), sign(&kms, &arn).message_type(MessageType::Raw)] {
            let answer = builder.message(Blob::new(message.clone())).send().await.unwrap();
            recover(answer.signature().unwrap().as_ref(), &digest, &key).unwrap();
        }
    }
}

#[tokio::test]
async fn high_s_occurs_about_half_the_time_and_nonces_never_repeat() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap();
    let key = public_key(&kms, &arn).await;
    let digest = B256::repeat_byte(7);
    let mut high = 0;
    let mut seen_r = HashSet::new();
    for _ in 0..400 {
        let answer = sign_digest(&kms, arn.key_id().as_str(), digest.0).await.unwrap();
        let der = answer.signature().unwrap().as_ref();
        let signature = recover(der, &digest, &key).unwrap();
        let raw = k256::ecdsa::Signature::from_der(der).unwrap();
        high += usize::from(raw.normalize_s().is_some());
        assert!(seen_r.insert(signature.r()), "a nonce was used twice");
    }
    assert!((140..=260).contains(&high), "{high} of 400 have a high s");
}

#[tokio::test]
async fn a_p256_key_signs_too() {
    let kms = FakeKms::new();
    let arn = create(&kms, KeySpec::EccNistP256, Some(KeyUsageType::SignVerify)).await;
    let spki = client(&kms).get_public_key().key_id(&arn).send().await.unwrap().public_key.unwrap().into_inner();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&spki[26..]).unwrap();
    for _ in 0..20 {
        let answer = sign_digest(&kms, &arn, [7; 32]).await.unwrap();
        let signature = p256::ecdsa::Signature::from_der(answer.signature().unwrap().as_ref()).unwrap();
        key.verify_prehash(&[7; 32], &signature).unwrap();
    }
}

#[tokio::test]
async fn refuses_as_kms_does() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap().to_string();
    let symmetric = create(&kms, KeySpec::SymmetricDefault, None).await;
    let agreement = create(&kms, KeySpec::EccNistP256, Some(KeyUsageType::KeyAgreement)).await;
    let message = || Blob::new([1; 32]);
    let digest = |length| sign(&kms, &arn).message(Blob::new(vec![1; length])).message_type(MessageType::Digest);
    let algorithm = |algorithm| sign(&kms, &arn).signing_algorithm(algorithm).message(message());
    for (builder, expected, text) in [
        (digest(31), "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.".to_owned()),
        (digest(0), "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.".to_owned()),
        (
            algorithm(SigningAlgorithmSpec::EcdsaSha384),
            "InvalidKeyUsageException",
            "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_SECG_P256K1.".to_owned(),
        ),
        (
            sign(&kms, &symmetric).message(message()),
            "InvalidKeyUsageException",
            format!("{symmetric} key usage is ENCRYPT_DECRYPT which is not valid for Sign."),
        ),
        (
            sign(&kms, &agreement).message(message()),
            "InvalidKeyUsageException",
            format!("{agreement} key usage is KEY_AGREEMENT which is not valid for Sign."),
        ),
        (
            sign(&kms, &arn).message(Blob::new(vec![1; 4097])),
            "ValidationException",
            "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096".to_owned(),
        ),
        (
            client(&kms).sign().message(message()).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256),
            "ValidationException",
            "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null".to_owned(),
        ),
        (
            sign(&kms, &arn),
            "ValidationException",
            "1 validation error detected: Value null at 'message' failed to satisfy constraint: Member must not be null".to_owned(),
        ),
    ] {
        assert_eq!(refusal(builder.send().await), (expected.to_owned(), text));
    }
    assert_eq!(code(algorithm("ECDSA_MD5".into()).send().await), "ValidationException");
    let message_type = sign(&kms, &arn).message(message()).message_type("DIGESTED".into());
    assert_eq!(code(message_type.send().await), "ValidationException");
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_signs_nothing() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap().to_string();
    let digest = Blob::new([1; 32]);
    let dry_run = |key: &str| sign(&kms, key).message_type(MessageType::Digest).dry_run(true);
    assert_eq!(
        refusal(dry_run(&arn).message(digest.clone()).grant_tokens("token").send().await),
        (
            "DryRunOperationException".to_owned(),
            "The request would have succeeded, but the DryRun option is set.".to_owned()
        )
    );
    let request = kms.requests().pop().unwrap();
    assert!(request.dry_run());
    assert_eq!(request.grant_tokens(), ["token"]);

    assert_eq!(code(dry_run("alias/nobody").message(digest.clone()).send().await), "NotFoundException");
    assert_eq!(code(dry_run(&arn).message(Blob::new([1; 3])).send().await), "ValidationException");
    client(&kms).disable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(code(dry_run(&arn).message(digest).send().await), "DisabledException");
}
