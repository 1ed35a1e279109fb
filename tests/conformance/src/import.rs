//! Bringing a known private key into KMS, as the API's users do (GetParametersForImport, ImportKeyMaterial).

use alloy_primitives::{B256, hex};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use kms_signer::aws_sdk_kms::{
    primitives::Blob,
    types::{AlgorithmSpec, ExpirationModelType, KeySpec, KeyUsageType, OriginType, WrappingKeySpec},
};

use crate::target::Target;

/// The ARN of a new key with this secret as its material.
pub async fn import(target: &Target, secret: &B256) -> String {
    let sdk = target.sdk();
    let created = sdk
        .create_key()
        .key_spec(KeySpec::EccSecgP256K1)
        .key_usage(KeyUsageType::SignVerify)
        .origin(OriginType::External)
        .send()
        .await
        .unwrap();
    let arn = created.key_metadata().unwrap().arn().unwrap().to_owned();
    target.remember(&arn);

    let parameters = sdk
        .get_parameters_for_import()
        .key_id(&arn)
        .wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256)
        .wrapping_key_spec(WrappingKeySpec::Rsa4096)
        .send()
        .await
        .unwrap();
    let key = PublicEncryptingKey::from_der(parameters.public_key().unwrap().as_ref()).unwrap();
    let key = OaepPublicEncryptingKey::new(key).unwrap();
    let mut wrapped = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA256_MGF1SHA256, &pkcs8(secret), &mut wrapped, None).unwrap().len();
    wrapped.truncate(length);
    sdk.import_key_material()
        .key_id(&arn)
        .import_token(parameters.import_token().unwrap().clone())
        .encrypted_key_material(Blob::new(wrapped))
        .expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire)
        .send()
        .await
        .unwrap();
    arn
}

/// The DER of a PKCS#8 `PrivateKeyInfo` (RFC 5208) around an `ECPrivateKey` (RFC 5915) on secp256k1, without the public key.
fn pkcs8(secret: &B256) -> Vec<u8> {
    let mut der = hex!("303e020100301006072a8648ce3d020106052b8104000a042730250201010420").to_vec();
    der.extend_from_slice(secret.as_slice());
    der
}
