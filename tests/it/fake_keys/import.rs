//! Keys whose material is brought along, and Ed25519 keys.

use aws_lc_rs::{
    key_wrap::{AES_256, AesKek, KeyWrapPadded},
    rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use kms_signer::{
    KmsSigner,
    alloy_primitives::B256,
    aws_sdk_kms::{
        Client,
        error::SdkError,
        operation::{
            get_parameters_for_import::GetParametersForImportOutput,
            import_key_material::{ImportKeyMaterialError, ImportKeyMaterialOutput},
        },
        primitives::{Blob, DateTime},
        types::{
            AlgorithmSpec, ExpirationModelType, KeyMetadata, KeySpec, KeyState, KeyUsageType, MessageType, OriginType,
            SigningAlgorithmSpec, WrappingKeySpec,
        },
    },
    fake::FakeKms,
};

use super::{code, refusal};

const DAY: i64 = 86_400;

async fn create(sdk: &Client, spec: KeySpec, origin: OriginType) -> String {
    let create = sdk.create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify).origin(origin);
    create.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
}

async fn describe(sdk: &Client, key: &str) -> KeyMetadata {
    sdk.describe_key().key_id(key).send().await.unwrap().key_metadata.unwrap()
}

pub(super) async fn parameters(
    sdk: &Client,
    key: &str,
    algorithm: AlgorithmSpec,
    size: WrappingKeySpec,
) -> GetParametersForImportOutput {
    let get = sdk.get_parameters_for_import().key_id(key).wrapping_algorithm(algorithm).wrapping_key_spec(size);
    get.send().await.unwrap()
}

pub(super) async fn import(
    sdk: &Client,
    key: &str,
    parameters: &GetParametersForImportOutput,
    wrapped: Vec<u8>,
) -> Result<ImportKeyMaterialOutput, SdkError<ImportKeyMaterialError>> {
    sdk.import_key_material()
        .key_id(key)
        .import_token(parameters.import_token().unwrap().clone())
        .encrypted_key_material(Blob::new(wrapped))
        .expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire)
        .send()
        .await
}

pub(super) fn oaep(parameters: &GetParametersForImportOutput, plain: &[u8]) -> Vec<u8> {
    let public = PublicEncryptingKey::from_der(parameters.public_key().unwrap().as_ref()).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut wrapped = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, plain, &mut wrapped, None).unwrap().to_vec()
}

/// RSA-OAEP over an AES key, then AES-KWP.
fn oaep_aes(parameters: &GetParametersForImportOutput, plain: &[u8]) -> Vec<u8> {
    let aes = [9; 32];
    let mut padded = vec![0; plain.len() + 15];
    let padded = AesKek::new(&AES_256, &aes).unwrap().wrap_with_padding(plain, &mut padded).unwrap();
    [oaep(parameters, &aes), padded.to_vec()].concat()
}

pub(super) fn secp256k1(byte: u8) -> Vec<u8> {
    use k256::pkcs8::EncodePrivateKey;
    k256::SecretKey::from_slice(&[byte; 32]).unwrap().to_pkcs8_der().unwrap().as_bytes().to_vec()
}

#[tokio::test]
async fn a_key_waits_for_its_material_and_then_signs() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    for (algorithm, size) in [
        (AlgorithmSpec::RsaesOaepSha256, WrappingKeySpec::Rsa2048),
        (AlgorithmSpec::RsaAesKeyWrapSha256, WrappingKeySpec::Rsa2048),
        (AlgorithmSpec::RsaAesKeyWrapSha256, WrappingKeySpec::Rsa3072),
        (AlgorithmSpec::RsaAesKeyWrapSha256, WrappingKeySpec::Rsa4096),
    ] {
        let arn = create(&sdk, KeySpec::EccSecgP256K1, OriginType::External).await;
        let pending = describe(&sdk, &arn).await;
        assert_eq!((pending.key_state(), pending.enabled()), (Some(&KeyState::PendingImport), false));
        assert_eq!((pending.origin(), pending.expiration_model()), (Some(&OriginType::External), None));
        let expected = ("KMSInvalidStateException".to_owned(), format!("{arn} is pending import."));
        assert_eq!(refusal(sdk.get_public_key().key_id(&arn).send().await), expected);
        assert_eq!(refusal(sdk.enable_key().key_id(&arn).send().await), expected);
        assert_eq!(refusal(sdk.disable_key().key_id(&arn).send().await), expected);

        let parameters = parameters(&sdk, &arn, algorithm.clone(), size.clone()).await;
        assert_eq!(parameters.key_id(), Some(arn.as_str()));
        let valid_for = parameters.parameters_valid_to().unwrap().secs() - pending.creation_date().unwrap().secs();
        assert!((DAY..DAY + 10).contains(&valid_for), "{valid_for}");
        let wrap = if algorithm == AlgorithmSpec::RsaesOaepSha256 { oaep } else { oaep_aes };
        let imported = import(&sdk, &arn, &parameters, wrap(&parameters, &secp256k1(7))).await.unwrap();
        assert_eq!(imported.key_id(), Some(arn.as_str()));
        let ready = describe(&sdk, &arn).await;
        assert_eq!(ready.key_state(), Some(&KeyState::Enabled), "{algorithm:?} {size:?}");
        assert_eq!(ready.expiration_model(), Some(&ExpirationModelType::KeyMaterialDoesNotExpire));

        let signer = KmsSigner::new(sdk.clone(), &arn, None).await.unwrap();
        let known = FakeKms::new();
        let key = known.import_key(B256::repeat_byte(7)).unwrap();
        let expected = KmsSigner::new(known.client(), key, None).await.unwrap().address();
        assert_eq!(signer.address(), expected);
        signer.preflight().await.unwrap();
    }
}

#[tokio::test]
async fn an_import_that_does_not_fit_is_refused_and_changes_nothing() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let arn = create(&sdk, KeySpec::EccSecgP256K1, OriginType::External).await;
    let other = create(&sdk, KeySpec::EccSecgP256K1, OriginType::External).await;
    let get =
        async |key: &str| parameters(&sdk, key, AlgorithmSpec::RsaAesKeyWrapSha256, WrappingKeySpec::Rsa2048).await;
    let (mine, others) = (get(&arn).await, get(&other).await);
    let good = oaep_aes(&mine, &secp256k1(7));

    assert_eq!(code(import(&sdk, &arn, &others, good.clone()).await), "InvalidImportTokenException");
    let mut forged = mine.clone();
    let mut token = mine.import_token().unwrap().as_ref().to_vec();
    token[20] ^= 1;
    forged.import_token = Some(Blob::new(token));
    assert_eq!(code(import(&sdk, &arn, &forged, good.clone()).await), "InvalidImportTokenException");

    let mut torn = good.clone();
    *torn.last_mut().unwrap() ^= 1;
    for wrapped in [torn, vec![0; 10], vec![], oaep(&mine, &secp256k1(7))] {
        assert_eq!(code(import(&sdk, &arn, &mine, wrapped).await), "InvalidCiphertextException");
    }
    let mut trailing = secp256k1(7);
    trailing.push(0);
    let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref().to_vec();
    for plain in [vec![7; 32], trailing, ed25519] {
        assert_eq!(code(import(&sdk, &arn, &mine, oaep_aes(&mine, &plain)).await), "IncorrectKeyMaterialException");
    }
    assert_eq!(describe(&sdk, &arn).await.key_state(), Some(&KeyState::PendingImport));

    let ours = create(&sdk, KeySpec::EccSecgP256K1, OriginType::AwsKms).await;
    assert_eq!(code(import(&sdk, &ours, &mine, good.clone()).await), "UnsupportedOperationException");
    assert_eq!(code(sdk.delete_imported_key_material().key_id(&ours).send().await), "UnsupportedOperationException");
    let parameters = sdk.get_parameters_for_import().wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256);
    let parameters = parameters.wrapping_key_spec(WrappingKeySpec::Rsa2048);
    assert_eq!(code(parameters.clone().key_id(&ours).send().await), "UnsupportedOperationException");
    assert_eq!(code(parameters.key_id("alias/x").send().await), "NotFoundException");

    fake.set_clock(DAY + 60);
    assert_eq!(code(import(&sdk, &arn, &mine, good.clone()).await), "ExpiredImportTokenException");
    fake.set_clock(0);
    import(&fake.client(), &arn, &mine, good).await.unwrap();
}

#[tokio::test]
async fn wrapping_key_and_token_belong_together() {
    let sdk = FakeKms::new().client();
    let arn = create(&sdk, KeySpec::EccSecgP256K1, OriginType::External).await;
    for (algorithm, wrap) in [
        (AlgorithmSpec::RsaesOaepSha256, oaep as fn(&GetParametersForImportOutput, &[u8]) -> Vec<u8>),
        (AlgorithmSpec::RsaAesKeyWrapSha256, oaep_aes),
    ] {
        let first = parameters(&sdk, &arn, algorithm.clone(), WrappingKeySpec::Rsa2048).await;
        let second = parameters(&sdk, &arn, algorithm, WrappingKeySpec::Rsa2048).await;
        assert_ne!(first.public_key(), second.public_key());
        let wrapped = wrap(&first, &secp256k1(7));
        assert_eq!(code(import(&sdk, &arn, &second, wrapped.clone()).await), "InvalidCiphertextException");
        // Older parameters are still good.
        import(&sdk, &arn, &first, wrapped).await.unwrap();
        import(&sdk, &arn, &second, wrap(&second, &secp256k1(7))).await.unwrap();
    }
}

#[tokio::test]
async fn deleted_material_comes_back_and_no_other_does() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let arn = create(&sdk, KeySpec::EccSecgP256K1, OriginType::External).await;
    let parameters = parameters(&sdk, &arn, AlgorithmSpec::RsaesOaepSha256, WrappingKeySpec::Rsa2048).await;
    import(&sdk, &arn, &parameters, oaep(&parameters, &secp256k1(7))).await.unwrap();
    let public = sdk.get_public_key().key_id(&arn).send().await.unwrap().public_key.unwrap();

    let deleted = sdk.delete_imported_key_material().key_id(&arn).send().await.unwrap();
    assert_eq!(deleted.key_id(), Some(arn.as_str()));
    assert_eq!(describe(&sdk, &arn).await.key_state(), Some(&KeyState::PendingImport));
    assert_eq!(code(sdk.get_public_key().key_id(&arn).send().await), "KMSInvalidStateException");
    let other = oaep(&parameters, &secp256k1(8));
    assert_eq!(code(import(&sdk, &arn, &parameters, other).await), "IncorrectKeyMaterialException");
    import(&sdk, &arn, &parameters, oaep(&parameters, &secp256k1(7))).await.unwrap();
    assert_eq!(sdk.get_public_key().key_id(&arn).send().await.unwrap().public_key, Some(public));

    // A deletion that is called off leaves a key without material where it was.
    sdk.delete_imported_key_material().key_id(&arn).send().await.unwrap();
    sdk.schedule_key_deletion().key_id(&arn).send().await.unwrap();
    let again = oaep(&parameters, &secp256k1(7));
    assert_eq!(code(import(&sdk, &arn, &parameters, again).await), "KMSInvalidStateException");
    sdk.cancel_key_deletion().key_id(&arn).send().await.unwrap();
    assert_eq!(describe(&sdk, &arn).await.key_state(), Some(&KeyState::PendingImport));
}

#[tokio::test]
async fn material_may_expire() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let arn = create(&sdk, KeySpec::EccSecgP256K1, OriginType::External).await;
    let parameters = parameters(&sdk, &arn, AlgorithmSpec::RsaesOaepSha256, WrappingKeySpec::Rsa2048).await;
    let now = describe(&sdk, &arn).await.creation_date().unwrap().secs();
    let import = sdk
        .import_key_material()
        .key_id(&arn)
        .import_token(parameters.import_token().unwrap().clone())
        .encrypted_key_material(Blob::new(oaep(&parameters, &secp256k1(7))));
    for wrong in [None, Some(now - 1), Some(now + 366 * DAY)] {
        let import = import.clone().set_valid_to(wrong.map(DateTime::from_secs));
        assert_eq!(code(import.send().await), "ValidationException", "{wrong:?}");
    }
    let both = import.clone().valid_to(DateTime::from_secs(now + 60));
    let both = both.expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire);
    assert_eq!(code(both.send().await), "ValidationException");

    import.valid_to(DateTime::from_secs(now + 100)).send().await.unwrap();
    let metadata = describe(&sdk, &arn).await;
    assert_eq!(metadata.expiration_model(), Some(&ExpirationModelType::KeyMaterialExpires));
    assert_eq!(metadata.valid_to(), Some(&DateTime::from_secs(now + 100)));
    sdk.get_public_key().key_id(&arn).send().await.unwrap();
    fake.set_clock(200);
    assert_eq!(describe(&sdk, &arn).await.key_state(), Some(&KeyState::PendingImport));
    assert_eq!(code(sdk.get_public_key().key_id(&arn).send().await), "KMSInvalidStateException");
}

#[tokio::test]
async fn p256_and_ed25519_keys_can_be_imported_too() {
    use k256::pkcs8::EncodePrivateKey;
    let fake = FakeKms::new();
    let sdk = fake.client();
    let pair = Ed25519KeyPair::generate().unwrap();
    let p256 = p256::SecretKey::from_slice(&[7; 32]).unwrap().to_pkcs8_der().unwrap().as_bytes().to_vec();
    for (spec, plain) in [
        (KeySpec::EccNistP256, p256),
        (KeySpec::EccNistEdwards25519, pair.to_pkcs8().unwrap().as_ref().to_vec()),
        (KeySpec::EccNistEdwards25519, pair.to_pkcs8v1().unwrap().as_ref().to_vec()),
    ] {
        let arn = create(&sdk, spec.clone(), OriginType::External).await;
        let parameters = parameters(&sdk, &arn, AlgorithmSpec::RsaesOaepSha256, WrappingKeySpec::Rsa2048).await;
        import(&sdk, &arn, &parameters, oaep(&parameters, &plain)).await.unwrap();
        let public = sdk.get_public_key().key_id(&arn).send().await.unwrap();
        assert_eq!(public.key_spec(), Some(&spec));
        if spec == KeySpec::EccNistEdwards25519 {
            assert!(public.public_key().unwrap().as_ref().ends_with(pair.public_key().as_ref()));
        }
    }
}

#[tokio::test]
async fn ed25519_signs_whole_messages() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let arn = create(&sdk, KeySpec::EccNistEdwards25519, OriginType::AwsKms).await;
    let public = sdk.get_public_key().key_id(&arn).send().await.unwrap();
    assert!(public.signing_algorithms().contains(&SigningAlgorithmSpec::Ed25519Sha512));
    let spki = public.public_key().unwrap().as_ref();
    assert_eq!(spki[..12], [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0], "RFC 8410");

    let sign = sdk.sign().key_id(&arn).signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512);
    let sign = sign.message(Blob::new(b"attack at dawn"));
    let answer = sign.clone().message_type(MessageType::Raw).send().await.unwrap();
    let signature = answer.signature().unwrap().as_ref();
    assert_eq!(signature.len(), 64);
    UnparsedPublicKey::new(&ED25519, &spki[12..]).verify(b"attack at dawn", signature).unwrap();
    assert_eq!(code(sign.clone().message_type(MessageType::Digest).send().await), "ValidationException");
    let ecdsa = sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    assert_eq!(code(ecdsa.send().await), "InvalidKeyUsageException");
}
