//! What connecting checks, each with its own kind of error.

use alloy_primitives::Address;
use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner, Operation,
    aws_sdk_kms::types::{KeySpec, KeyUsageType},
    fake::{FakeKms, Fault},
};

use crate::{assert_kind, fake_and_signer};

/// The generator of P-256 (SEC 2, section 2.4.2) as a SubjectPublicKeyInfo.
const P256_SPKI: [u8; 91] = alloy_primitives::hex!(
    "3059301306072a8648ce3d020106082a8648ce3d030107034200"
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
);

#[tokio::test]
async fn every_form_of_reference_leads_to_the_key() {
    let fake = FakeKms::new();
    let arn = fake.create_key().unwrap();
    fake.alias("alias/relayer", &arn).unwrap();
    let alias_arn = format!("arn:aws:kms:{}:{}:alias/relayer", arn.region(), arn.account());
    let expected = KmsSigner::new(fake.client(), &arn, None).await.unwrap().address();
    for key in [arn.as_ref(), arn.key_id().as_str(), "alias/relayer", &alias_arn] {
        let signer = KmsSigner::new(fake.client(), key, None).await.unwrap();
        assert_eq!(signer.address(), expected, "{key}");
        assert_eq!(signer.key().as_ref(), arn.as_ref(), "{key}");
    }
}

#[tokio::test]
async fn connecting_is_one_request() {
    let (fake, _signer) = fake_and_signer().await;
    let requests = fake.requests();
    assert_eq!(requests.iter().map(|request| request.operation()).collect::<Vec<_>>(), ["GetPublicKey"]);
}

#[tokio::test]
async fn another_address_than_expected_is_refused() {
    let (fake, signer) = fake_and_signer().await;
    let connect = |address| KmsSigner::builder(fake.client(), signer.key()).expected_address(address).connect();
    assert_eq!(connect(signer.address()).await.unwrap().address(), signer.address());

    let error = connect(Address::repeat_byte(1)).await.unwrap_err();
    assert_kind(&error, ErrorKind::AddressMismatch);
    assert!(error.to_string().contains(&signer.address().to_string()), "{error}");

    let known = signer.public_key().clone();
    let error = KmsSigner::builder(fake.client(), signer.key())
        .public_key(known)
        .expected_address(Address::ZERO)
        .connect()
        .await
        .unwrap_err();
    assert_kind(&error, ErrorKind::AddressMismatch);
}

#[tokio::test]
async fn keys_of_other_kinds_are_refused_and_named() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let create = async |spec: KeySpec, usage: KeyUsageType| {
        let created = sdk.create_key().key_spec(spec).key_usage(usage).send().await.unwrap();
        created.key_metadata().unwrap().arn().unwrap().to_owned()
    };
    let p256 = create(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    let error = KmsSigner::new(&sdk, p256, None).await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyUnsuitable);
    assert!(error.to_string().contains("ECC_NIST_P256"), "{error}");

    let symmetric = create(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await;
    assert_kind(&KmsSigner::new(&sdk, symmetric, None).await.unwrap_err(), ErrorKind::KeyUnsuitable);
}

#[tokio::test]
async fn a_key_in_no_state_to_be_used_is_refused() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let (disabled, doomed) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    sdk.disable_key().key_id(disabled.as_ref()).send().await.unwrap();
    sdk.schedule_key_deletion().key_id(doomed.as_ref()).send().await.unwrap();
    for key in [disabled, doomed] {
        assert_kind(&KmsSigner::new(&sdk, key, None).await.unwrap_err(), ErrorKind::KeyUnusable);
    }
    let gone = "12345678-1234-1234-1234-123456789012";
    for key in [gone, "alias/nobody"] {
        let error = KmsSigner::new(&sdk, key, None).await.unwrap_err();
        assert_kind(&error, ErrorKind::KeyNotFound);
        assert_eq!(error.key(), Some(key));
        assert!(error.request_id().is_some(), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_key_reference_is_refused_before_anything_is_asked() {
    let fake = FakeKms::new();
    for key in ["", "relayer", "arn:aws:iam::111122223333:role/x", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"] {
        let error = KmsSigner::new(fake.client(), key, None).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidKeyRef);
        assert_eq!(error.operation(), Operation::Connect);
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn the_regions_of_client_and_arn_must_agree() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string().replace("us-east-1", "eu-west-3");
    let error = KmsSigner::new(fake.client(), key, None).await.unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("eu-west-3") && error.to_string().contains("us-east-1"), "{error}");
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_bare_key_id_in_the_answer_is_accepted() {
    let fake = FakeKms::new();
    let arn = fake.create_key().unwrap();
    let id = arn.key_id().as_str();
    fake.inject(Fault::key_id(id).forever());
    for key in [arn.as_ref(), id] {
        let signer = KmsSigner::new(fake.client(), key, None).await.unwrap();
        signer.sign_message(b"x").await.unwrap();
    }
}

#[tokio::test]
async fn answers_that_are_not_those_of_the_key_are_refused() {
    let fake = FakeKms::new();
    let (key, other) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    let cases = [
        (Fault::missing_field("KeyId"), ErrorKind::InvalidResponse),
        (Fault::missing_field("KeySpec"), ErrorKind::InvalidResponse),
        (Fault::missing_field("KeyUsage"), ErrorKind::InvalidResponse),
        (Fault::missing_field("PublicKey"), ErrorKind::InvalidResponse),
        (Fault::missing_field("SigningAlgorithms"), ErrorKind::KeyUnsuitable),
        (Fault::key_id(other.as_ref()), ErrorKind::KeyChanged),
        (Fault::key_id("alias/relayer"), ErrorKind::InvalidResponse),
        (Fault::key_id(""), ErrorKind::InvalidResponse),
        (Fault::garbage_body(), ErrorKind::InvalidResponse),
        (Fault::empty_body(), ErrorKind::InvalidResponse),
        (Fault::bad_spki(vec![0x30, 0x00]), ErrorKind::InvalidPublicKey),
        (Fault::bad_spki(P256_SPKI.to_vec()), ErrorKind::KeyUnsuitable),
    ];
    for (fault, kind) in cases {
        let case = format!("{fault:?}");
        fake.clear_faults();
        fake.inject(fault);
        let error = KmsSigner::new(fake.client(), &key, None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert_eq!(error.operation(), Operation::GetPublicKey, "{case}");
        assert_eq!(error.key(), Some(key.as_ref()), "{case}");
        assert!(!error.may_have_signed(), "{case}");
    }
}

#[tokio::test]
async fn a_builder_says_what_contradicts_and_what_is_missing() {
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012";
    let client = KmsClient::builder().for_key(arn).static_credentials("a", "b", None).build().await.unwrap();
    assert_eq!(client.region(), Some("eu-west-1"));
    let client = KmsClient::builder().region("mars-north-1").static_credentials("a", "b", None).build().await.unwrap();
    assert_eq!(client.region(), Some("mars-north-1"), "Regions newer than this crate work");

    let error = KmsClient::builder().region("us-east-1").for_key(arn).build().await.unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("eu-west-1"), "{error}");
    let error = KmsClient::builder().for_key("relayer").build().await.unwrap_err();
    assert_kind(&error, ErrorKind::InvalidKeyRef);
}
