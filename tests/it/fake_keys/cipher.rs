//! Symmetric keys: encrypt, decrypt, data keys, and how FakeKms refuses.

use std::collections::HashMap;

use kms_signer::{
    aws_sdk_kms::{
        Client,
        error::SdkError,
        operation::{
            decrypt::{DecryptError, DecryptOutput},
            encrypt::{EncryptError, EncryptOutput},
        },
        primitives::Blob,
        types::{
            AlgorithmSpec, DataKeySpec, DryRunModifierType, EncryptionAlgorithmSpec, GrantConstraints, GrantOperation,
            KeySpec, KeyUsageType, OriginType, WrappingKeySpec,
        },
    },
    fake::FakeKms,
};
use serde_json::json;

use super::{
    access::{ALICE, policy},
    code,
    import::{import, oaep, parameters},
};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn context(pairs: Pairs<'_>) -> Option<HashMap<String, String>> {
    Some(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
}

async fn symmetric(sdk: &Client, multi_region: bool) -> String {
    let created = sdk.create_key().multi_region(multi_region).send().await.unwrap();
    created.key_metadata.unwrap().arn.unwrap()
}

async fn encrypt(
    sdk: &Client,
    key: &str,
    bytes: &[u8],
    pairs: Pairs<'_>,
) -> Result<EncryptOutput, SdkError<EncryptError>> {
    sdk.encrypt().key_id(key).plaintext(Blob::new(bytes)).set_encryption_context(context(pairs)).send().await
}

async fn decrypt(
    sdk: &Client,
    key: Option<&str>,
    bytes: &[u8],
    pairs: Pairs<'_>,
) -> Result<DecryptOutput, SdkError<DecryptError>> {
    let request = sdk.decrypt().set_key_id(key.map(str::to_owned)).ciphertext_blob(Blob::new(bytes));
    request.set_encryption_context(context(pairs)).send().await
}

async fn ciphertext(sdk: &Client, key: &str, pairs: Pairs<'_>) -> Vec<u8> {
    encrypt(sdk, key, b"secret", pairs).await.unwrap().ciphertext_blob.unwrap().into_inner()
}

#[tokio::test]
async fn encrypts_and_decrypts_by_every_reference() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let key = symmetric(&sdk, false).await;
    fake.alias("alias/secrets", &key.parse().unwrap()).unwrap();
    let id = key.rsplit('/').next().unwrap();
    let pairs: Pairs<'_> = &[("a", "1"), ("b", "2")];
    for name in [key.as_str(), id, "alias/secrets", "arn:aws:kms:us-east-1:111122223333:alias/secrets"] {
        let answer = encrypt(&sdk, name, b"secret", pairs).await.unwrap();
        assert_eq!(answer.key_id(), Some(key.as_str()));
        assert_eq!(answer.encryption_algorithm(), Some(&EncryptionAlgorithmSpec::SymmetricDefault));
        let blob = answer.ciphertext_blob.unwrap().into_inner();
        assert!(!blob.windows(6).any(|window| window == b"secret"));
        for decryptor in [Some(name), None] {
            let answer = decrypt(&sdk, decryptor, &blob, &[("b", "2"), ("a", "1")]).await.unwrap();
            assert_eq!((answer.key_id(), answer.plaintext().unwrap().as_ref()), (Some(key.as_str()), &b"secret"[..]));
        }
    }
    let [first, second] = [ciphertext(&sdk, &key, &[]).await, ciphertext(&sdk, &key, &[]).await];
    assert_ne!(first, second);
    let longest = encrypt(&sdk, &key, &[7; 4096], &[]).await.unwrap().ciphertext_blob.unwrap().into_inner();
    assert!(longest.len() <= 6144);
    assert_eq!(decrypt(&sdk, None, &longest, &[]).await.unwrap().plaintext.unwrap().into_inner(), [7; 4096]);
}

#[tokio::test]
async fn refuses_what_is_not_as_it_was() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let (key, other) = (symmetric(&sdk, false).await, symmetric(&sdk, false).await);
    let blob = ciphertext(&sdk, &key, &[("a", "1")]).await;
    for wrong in [&[][..], &[("a", "2")], &[("A", "1")], &[("a", "1"), ("b", "")]] {
        assert_eq!(code(decrypt(&sdk, Some(&key), &blob, wrong).await), "InvalidCiphertextException", "{wrong:?}");
    }
    for index in [0, 45, blob.len() - 1] {
        let mut altered = blob.clone();
        altered[index] ^= 1;
        assert_eq!(
            code(decrypt(&sdk, Some(&key), &altered, &[("a", "1")]).await),
            "InvalidCiphertextException",
            "{index}"
        );
    }
    assert_eq!(code(decrypt(&sdk, Some(&other), &blob, &[("a", "1")]).await), "IncorrectKeyException");
    assert_eq!(code(decrypt(&sdk, None, b"garbage", &[]).await), "InvalidCiphertextException");
    assert_eq!(code(decrypt(&sdk, Some(&key), &[1; 6145], &[]).await), "ValidationException");
    for length in [0, 4097] {
        assert_eq!(code(encrypt(&sdk, &key, &vec![0; length], &[]).await), "ValidationException", "{length}");
    }
    // A ciphertext of a KMS that is not here.
    let elsewhere = FakeKms::new().client();
    let foreign = ciphertext(&elsewhere, &symmetric(&elsewhere, false).await, &[]).await;
    assert_eq!(code(decrypt(&sdk, None, &foreign, &[]).await), "AccessDeniedException");

    let signing = fake.create_key().unwrap().to_string();
    assert_eq!(code(encrypt(&sdk, &signing, b"x", &[]).await), "InvalidKeyUsageException");
    assert_eq!(code(decrypt(&sdk, Some(&signing), &blob, &[]).await), "InvalidKeyUsageException");
    let rsa = sdk.encrypt().key_id(&key).plaintext(Blob::new("x"));
    let rsa = rsa.encryption_algorithm(EncryptionAlgorithmSpec::RsaesOaepSha256).send().await;
    assert_eq!(code(rsa), "InvalidKeyUsageException");

    sdk.disable_key().key_id(&key).send().await.unwrap();
    assert_eq!(code(encrypt(&sdk, &key, b"x", &[]).await), "DisabledException");
    assert_eq!(code(decrypt(&sdk, None, &blob, &[("a", "1")]).await), "DisabledException");
    sdk.schedule_key_deletion().key_id(&key).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(code(decrypt(&sdk, None, &blob, &[("a", "1")]).await), "KMSInvalidStateException");
}

#[tokio::test]
async fn makes_data_keys() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let key = symmetric(&sdk, false).await;
    let request = || sdk.generate_data_key().key_id(&key).encryption_context("a", "1");
    for (request, length) in [
        (request().key_spec(DataKeySpec::Aes256), 32),
        (request().key_spec(DataKeySpec::Aes128), 16),
        (request().number_of_bytes(1), 1),
        (request().number_of_bytes(1024), 1024),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!((answer.key_id(), answer.plaintext().unwrap().as_ref().len()), (Some(key.as_str()), length));
        let opened =
            decrypt(&sdk, Some(&key), answer.ciphertext_blob().unwrap().as_ref(), &[("a", "1")]).await.unwrap();
        assert_eq!(opened.plaintext(), answer.plaintext());
    }
    for request in [
        request(),
        request().number_of_bytes(0),
        request().number_of_bytes(1025),
        request().number_of_bytes(32).key_spec(DataKeySpec::Aes256),
    ] {
        assert_eq!(code(request.send().await), "ValidationException");
    }
    let without = sdk.generate_data_key_without_plaintext().key_id(&key).key_spec(DataKeySpec::Aes256);
    let blob = without.clone().send().await.unwrap().ciphertext_blob.unwrap().into_inner();
    assert_eq!(decrypt(&sdk, None, &blob, &[]).await.unwrap().plaintext.unwrap().as_ref().len(), 32);
    assert_eq!(code(without.dry_run(true).send().await), "DryRunOperationException");
}

#[tokio::test]
async fn a_dry_run_says_whether_it_would_have_succeeded() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let key = symmetric(&sdk, false).await;
    let blob = ciphertext(&sdk, &key, &[]).await;
    let encrypt = sdk.encrypt().key_id(&key).plaintext(Blob::new("x")).dry_run(true);
    assert_eq!(code(encrypt.send().await), "DryRunOperationException");
    let decrypt = || sdk.decrypt().key_id(&key).dry_run(true);
    let whole = decrypt().ciphertext_blob(Blob::new(blob.clone()));
    assert_eq!(code(whole.clone().send().await), "DryRunOperationException");
    assert_eq!(code(whole.encryption_context("a", "1").send().await), "InvalidCiphertextException");
    assert_eq!(code(decrypt().send().await), "ValidationException");
    let ignoring = decrypt().dry_run_modifiers(DryRunModifierType::IgnoreCiphertext);
    assert_eq!(code(ignoring.clone().send().await), "DryRunOperationException");
    assert_eq!(code(ignoring.dry_run(false).send().await), "ValidationException");
}

#[tokio::test]
async fn policies_and_grants_may_depend_on_the_context() {
    let fake = FakeKms::new();
    let (admin, alice) = (fake.client(), fake.client_as(ALICE));
    let key = symmetric(&admin, false).await;
    assert_eq!(code(encrypt(&alice, &key, b"x", &[]).await), "AccessDeniedException");
    let statement = json!({
        "Effect": "Allow",
        "Action": ["kms:Encrypt", "kms:Decrypt"],
        "Resource": key,
        "Condition": {
            "StringEquals": { "kms:EncryptionContext:tenant": "17", "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT" },
            "ForAllValues:StringEquals": { "kms:EncryptionContextKeys": ["tenant", "purpose"] },
        },
    });
    fake.attach_policy(ALICE, &policy(statement)).unwrap();
    let blob = ciphertext(&alice, &key, &[("tenant", "17")]).await;
    decrypt(&alice, None, &blob, &[("tenant", "17")]).await.unwrap();
    for other in [&[][..], &[("tenant", "18")], &[("tenant", "17"), ("more", "1")]] {
        assert_eq!(code(encrypt(&alice, &key, b"x", other).await), "AccessDeniedException", "{other:?}");
    }

    let bob = "arn:aws:iam::111122223333:user/bob";
    let grant = |constraints| {
        let request = admin.create_grant().key_id(&key).grantee_principal(bob).operations(GrantOperation::Encrypt);
        request.constraints(constraints).send()
    };
    let subset = GrantConstraints::builder().encryption_context_subset("Tenant", "1").build();
    let equals = GrantConstraints::builder().encryption_context_equals("only", "2").build();
    let tokens = [grant(subset).await.unwrap(), grant(equals).await.unwrap()].map(|answer| answer.grant_token.unwrap());
    let try_as_bob = async |pairs: Pairs<'_>| {
        let request = fake.client_as(bob).encrypt().key_id(&key).plaintext(Blob::new("x"));
        request.set_encryption_context(context(pairs)).set_grant_tokens(Some(tokens.to_vec())).send().await
    };
    for good in [&[("tenant", "1")][..], &[("tenant", "1"), ("x", "y")], &[("only", "2")]] {
        try_as_bob(good).await.unwrap();
    }
    for bad in [&[][..], &[("tenant", "2")], &[("only", "2"), ("x", "y")]] {
        assert_eq!(code(try_as_bob(bad).await), "AccessDeniedException", "{bad:?}");
    }
}

#[tokio::test]
async fn another_account_needs_both_policies_and_the_arn() {
    let stranger = "arn:aws:iam::444455556666:role/partner";
    let fake = FakeKms::new();
    let key = symmetric(&fake.client(), false).await;
    let sdk = fake.client_as(stranger);
    fake.attach_policy(stranger, &policy(json!({ "Effect": "Allow", "Action": "kms:*", "Resource": key }))).unwrap();
    assert_eq!(code(encrypt(&sdk, &key, b"x", &[]).await), "AccessDeniedException");
    let allow = |principal: &str, action: &str| json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": action, "Resource": "*" });
    let statements = json!([allow("arn:aws:iam::111122223333:root", "kms:*"), allow(stranger, "kms:*crypt")]);
    fake.client().put_key_policy().key_id(&key).policy(policy(statements)).send().await.unwrap();
    let blob = ciphertext(&sdk, &key, &[]).await;
    decrypt(&sdk, None, &blob, &[]).await.unwrap();
    let id = key.rsplit('/').next().unwrap();
    assert_eq!(code(encrypt(&sdk, id, b"x", &[]).await), "NotFoundException");
}

#[tokio::test]
async fn replicas_decrypt_each_others_ciphertexts() {
    let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    let key = symmetric(&east.client(), true).await;
    let replica = east.replicate_key(&key.parse().unwrap(), &west).unwrap().to_string();
    let blob = ciphertext(&east.client(), &key, &[("a", "1")]).await;
    let answer = decrypt(&west.client(), Some(&replica), &blob, &[("a", "1")]).await.unwrap();
    assert_eq!((answer.key_id(), answer.plaintext().unwrap().as_ref()), (Some(replica.as_str()), &b"secret"[..]));
    let back = ciphertext(&west.client(), &replica, &[]).await;
    decrypt(&east.client(), None, &back, &[]).await.unwrap();
}

#[tokio::test]
async fn imported_material_is_the_same_after_it_was_deleted() {
    let fake = FakeKms::new();
    let sdk = fake.client();
    let created = sdk.create_key().key_spec(KeySpec::SymmetricDefault).key_usage(KeyUsageType::EncryptDecrypt);
    let key = created.origin(OriginType::External).send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    assert_eq!(code(encrypt(&sdk, &key, b"x", &[]).await), "KMSInvalidStateException");
    let give = async |material: &[u8]| {
        let parameters = parameters(&sdk, &key, AlgorithmSpec::RsaesOaepSha256, WrappingKeySpec::Rsa2048).await;
        let wrapped = oaep(&parameters, material);
        import(&sdk, &key, &parameters, wrapped).await
    };
    assert_eq!(code(give(&[7; 31]).await), "IncorrectKeyMaterialException");
    give(&[7; 32]).await.unwrap();
    let blob = ciphertext(&sdk, &key, &[]).await;
    sdk.delete_imported_key_material().key_id(&key).send().await.unwrap();
    assert_eq!(code(decrypt(&sdk, None, &blob, &[]).await), "KMSInvalidStateException");
    assert_eq!(code(give(&[8; 32]).await), "IncorrectKeyMaterialException");
    give(&[7; 32]).await.unwrap();
    decrypt(&sdk, None, &blob, &[]).await.unwrap();
}

#[tokio::test]
async fn the_log_of_requests_keeps_no_plaintext() {
    let fake = FakeKms::new();
    let key = symmetric(&fake.client(), false).await;
    ciphertext(&fake.client(), &key, &[("a", "1")]).await;
    let request = fake.requests().pop().unwrap();
    assert_eq!((request.operation(), request.key_id()), ("Encrypt", Some(key.as_str())));
    // "secret" in base64.
    assert!(request.body().contains("EncryptionContext") && !format!("{request:?}").contains("c2VjcmV0"));
}
