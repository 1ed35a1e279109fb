//! The connection test.

use kms_signer::{
    ErrorKind, Operation,
    fake::Fault,
    iam::IamPolicy,
    keys::Keys,
    seal::{EncryptionContext, SymmetricKey},
};
use serde_json::json;

use super::{ALIAS, another, context, fake_and_key, operations};
use crate::assert_kind;

const SERVICE: &str = "arn:aws:iam::111122223333:role/service";

#[tokio::test]
async fn it_asks_for_kind_state_and_both_rights_and_encrypts_nothing() {
    let (fake, key) = fake_and_key().await;
    let before = fake.requests().len();
    key.validate(&context()).await.unwrap();
    let asked = fake.requests().split_off(before);
    assert_eq!(operations(&fake)[before..], ["DescribeKey", "Encrypt", "Decrypt"]);
    assert_eq!(asked.iter().map(|request| request.dry_run()).collect::<Vec<_>>(), [false, true, true]);

    let alias = SymmetricKey::new(fake.client(), ALIAS).unwrap();
    alias.validate(&EncryptionContext::new()).await.unwrap();
    assert_eq!(alias.key(), key.key());
}

#[tokio::test]
async fn the_policy_of_an_encryptor_is_enough_and_all_of_it_is_needed() {
    let (fake, key) = fake_and_key().await;
    let arn = key.key().as_arn().unwrap();
    let as_service = || SymmetricKey::new(fake.client_as(SERVICE), key.key()).unwrap();
    for action in ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"] {
        let error = as_service().validate(&context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
        assert_eq!(format!("kms:{}", error.operation()), action);
        let statement = json!({ "Effect": "Allow", "Action": action, "Resource": arn.to_string() });
        fake.attach_policy(SERVICE, &json!({ "Statement": statement }).to_string()).unwrap();
    }
    as_service().validate(&context()).await.unwrap();

    let encryptor = "arn:aws:iam::111122223333:role/encryptor";
    fake.attach_policy(encryptor, &IamPolicy::encryptor([arn.clone()]).unwrap().to_json()).unwrap();
    let encryptor = SymmetricKey::new(fake.client_as(encryptor), arn).unwrap();
    encryptor.validate(&context()).await.unwrap();
    let error = encryptor.seal("x", &context()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::AccessDenied, Operation::GenerateDataKey));

    let sealer = "arn:aws:iam::111122223333:role/sealer";
    fake.attach_policy(sealer, &IamPolicy::sealer([arn.clone()]).unwrap().to_json()).unwrap();
    let sealer = SymmetricKey::new(fake.client_as(sealer), arn).unwrap();
    sealer.validate(&context()).await.unwrap();
    sealer.unseal(sealer.seal("x", &context()).await.unwrap(), &context()).await.unwrap();
}

#[tokio::test]
async fn a_key_that_will_not_do_is_named() {
    let (fake, key) = fake_and_key().await;
    let validate =
        async |name: &str| SymmetricKey::new(fake.client(), name).unwrap().validate(&context()).await.unwrap_err();
    let error = validate(fake.create_key().unwrap().as_ref()).await;
    assert_kind(&error, ErrorKind::KeyUnsuitable);
    assert!(error.to_string().contains("ECC_SECG_P256K1 for SIGN_VERIFY"), "{error}");
    assert_kind(&validate("alias/nobody").await, ErrorKind::KeyNotFound);

    let keys = Keys::new(fake.client());
    keys.disable(ALIAS).await.unwrap();
    let error = key.validate(&context()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::KeyUnusable, Operation::DescribeKey));
    keys.schedule_deletion(ALIAS, 7).await.unwrap();
    let error = key.validate(&context()).await.unwrap_err();
    assert!(error.to_string().contains("PendingDeletion"), "{error}");
}

/// Emulators that know no dry run encrypt, and refuse to decrypt nothing.
#[tokio::test]
async fn a_kms_that_knows_no_dry_run_is_asked_to_decrypt_what_it_encrypted() {
    let (fake, key) = fake_and_key().await;
    let ciphertext = key.encrypt([0], &context()).await.unwrap();
    let body = |fields: serde_json::Value| Fault::response(200, "application/x-amz-json-1.1", fields.to_string());
    use base64::{Engine, engine::general_purpose::STANDARD};
    let blob = STANDARD.encode(&ciphertext);
    fake.inject(body(json!({ "KeyId": key.key().as_ref(), "CiphertextBlob": blob })).on("Encrypt"));
    fake.inject(body(json!({ "KeyId": key.key().as_ref(), "Plaintext": "AA==" })).on("Decrypt"));
    key.validate(&context()).await.unwrap();
    let asked = fake.requests().pop().unwrap();
    assert!(asked.body().contains(&blob) && !asked.body().contains("IGNORE_CIPHERTEXT"), "{asked:?}");

    let other = another(&fake).await;
    for (encrypted_by, decrypted_by, operation) in
        [(&other, &key, Operation::Encrypt), (&key, &other, Operation::Decrypt)]
    {
        fake.inject(body(json!({ "KeyId": encrypted_by.key().as_ref(), "CiphertextBlob": blob })).on("Encrypt"));
        fake.inject(body(json!({ "KeyId": decrypted_by.key().as_ref(), "Plaintext": "AA==" })).on("Decrypt"));
        let error = key.validate(&context()).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::KeyChanged, operation), "{error}");
        fake.clear_faults();
    }
}
