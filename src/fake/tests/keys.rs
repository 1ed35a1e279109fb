//! Keys, their states, aliases, and the forms of a key id.

use alloy_primitives::{B256, address};
use aws_sdk_kms::types::{
    KeyAgreementAlgorithmSpec, KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType, MultiRegionKeyType,
    OriginType, SigningAlgorithmSpec, Tag,
};

use super::{client, code, create, public_key, refusal, sign_digest};
use crate::{
    error::{ErrorKind, Operation},
    fake::FakeKms,
};

const DAY: i64 = 24 * 60 * 60;

async fn describe(kms: &FakeKms, key: &str) -> KeyMetadata {
    client(kms).describe_key().key_id(key).send().await.unwrap().key_metadata.unwrap()
}

#[tokio::test]
async fn creates_every_kind_of_key() {
    let kms = FakeKms::new();
    for (spec, usage, spki_length) in [
        (KeySpec::EccSecgP256K1, Some(KeyUsageType::SignVerify), Some(88)),
        (KeySpec::EccNistP256, Some(KeyUsageType::SignVerify), Some(91)),
        (KeySpec::EccNistP256, Some(KeyUsageType::KeyAgreement), Some(91)),
        (KeySpec::SymmetricDefault, None, None),
    ] {
        let arn = create(&kms, spec.clone(), usage.clone()).await;
        let metadata = describe(&kms, &arn).await;
        assert_eq!(metadata.key_spec(), Some(&spec));
        assert_eq!(metadata.key_usage(), Some(&usage.clone().unwrap_or(KeyUsageType::EncryptDecrypt)));

        let answer = client(&kms).get_public_key().key_id(&arn).send().await;
        let Some(length) = spki_length else {
            assert_eq!(code(answer), "UnsupportedOperationException");
            continue;
        };
        let answer = answer.unwrap();
        assert_eq!(answer.key_id(), Some(arn.as_str()));
        assert_eq!(answer.key_spec(), Some(&spec));
        assert_eq!(answer.key_usage(), usage.as_ref());
        assert_eq!(answer.public_key().unwrap().as_ref().len(), length);
        if usage == Some(KeyUsageType::SignVerify) {
            assert_eq!(answer.signing_algorithms(), [SigningAlgorithmSpec::EcdsaSha256]);
        } else {
            assert_eq!(answer.signing_algorithms(), []);
            assert_eq!(answer.key_agreement_algorithms(), [KeyAgreementAlgorithmSpec::Ecdh]);
        }
    }
}

#[tokio::test]
async fn describes_a_key_in_full() {
    let kms = FakeKms::new();
    let tag = Tag::builder().tag_key("team").tag_value("treasury").build().unwrap();
    let created = client(&kms)
        .create_key()
        .key_spec(KeySpec::EccSecgP256K1)
        .key_usage(KeyUsageType::SignVerify)
        .multi_region(true)
        .description("relayer")
        .policy(r#"{"Version":"2012-10-17","Statement":[]}"#)
        .bypass_policy_lockout_safety_check(true)
        .tags(tag)
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    let metadata = describe(&kms, created.key_id()).await;
    assert_eq!(metadata, created);
    assert!(metadata.key_id().starts_with("mrk-") && metadata.key_id().len() == 36);
    assert_eq!(metadata.aws_account_id(), Some(FakeKms::ACCOUNT));
    assert_eq!(metadata.description(), Some("relayer"));
    assert_eq!(metadata.key_state(), Some(&KeyState::Enabled));
    assert_eq!(metadata.key_manager(), Some(&KeyManagerType::Customer));
    assert_eq!(metadata.origin(), Some(&OriginType::AwsKms));
    assert_eq!(metadata.signing_algorithms(), [SigningAlgorithmSpec::EcdsaSha256]);
    assert_eq!(metadata.multi_region(), Some(true));
    assert!(metadata.enabled() && metadata.creation_date().is_some() && metadata.deletion_date().is_none());
    let multi_region = metadata.multi_region_configuration().unwrap();
    assert_eq!(multi_region.multi_region_key_type(), Some(&MultiRegionKeyType::Primary));
    assert_eq!(multi_region.primary_key().unwrap().arn(), metadata.arn());
}

#[tokio::test]
async fn create_key_refuses_as_kms_does() {
    let kms = FakeKms::new();
    let create = || client(&kms).create_key();
    let sign_verify = || create().key_usage(KeyUsageType::SignVerify);
    let secp256k1 = || sign_verify().key_spec(KeySpec::EccSecgP256K1);
    for (builder, expected) in [
        (create().key_spec(KeySpec::EccSecgP256K1), "ValidationException"),
        (create().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::EncryptDecrypt), "ValidationException"),
        (create().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::KeyAgreement), "ValidationException"),
        (sign_verify(), "ValidationException"),
        (sign_verify().key_spec(KeySpec::Rsa2048), "UnsupportedOperationException"),
        (sign_verify().key_spec("ECC_NIST_P255".into()), "ValidationException"),
        (secp256k1().origin(OriginType::AwsCloudhsm), "UnsupportedOperationException"),
        (create().origin(OriginType::ExternalKeyStore), "UnsupportedOperationException"),
        (secp256k1().policy("no JSON"), "MalformedPolicyDocumentException"),
        (secp256k1().description("d".repeat(8193)), "ValidationException"),
    ] {
        assert_eq!(code(builder.send().await), expected);
    }
    assert_eq!(kms.0.store.key_count(), 0);
}

#[tokio::test]
async fn imports_a_known_key() {
    let kms = FakeKms::new();
    let secret: B256 = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80".parse().unwrap();
    let key = kms.import_key(secret).unwrap();
    let expected = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert_eq!(public_key(&kms, &key).await.address(), expected);
    assert_eq!(describe(&kms, key.as_ref()).await.origin(), Some(&OriginType::External));

    let again = kms.import_key(secret).unwrap();
    assert_ne!(again, key);
    assert_eq!(public_key(&kms, &again).await.address(), expected);

    for secret in [B256::ZERO, B256::repeat_byte(0xff)] {
        let error = kms.import_key(secret).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Operation::Fake));
        assert!(!format!("{error}{error:?}").contains("ffff"), "{error:?}");
    }
}

#[tokio::test]
async fn accepts_the_five_forms_of_a_key_id() {
    let kms = FakeKms::new();
    let single = kms.create_key().unwrap();
    kms.alias("alias/relayer", &single).unwrap();
    let multi = client(&kms)
        .create_key()
        .key_spec(KeySpec::EccSecgP256K1)
        .key_usage(KeyUsageType::SignVerify)
        .multi_region(true)
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    let single = single.to_string();
    let multi_arn = multi.arn().unwrap().to_owned();
    for (form, arn) in [
        (single.rsplit('/').next().unwrap(), &single),
        (multi.key_id(), &multi_arn),
        (&single, &single),
        ("alias/relayer", &single),
        ("arn:aws:kms:us-east-1:111122223333:alias/relayer", &single),
    ] {
        assert_eq!(sign_digest(&kms, form, [1; 32]).await.unwrap().key_id(), Some(arn.as_str()), "{form}");
        let answer = client(&kms).get_public_key().key_id(form).send().await.unwrap();
        assert_eq!(answer.key_id(), Some(arn.as_str()), "{form}");
        assert_eq!(describe(&kms, form).await.arn(), Some(arn.as_str()), "{form}");
        let disabled = client(&kms).disable_key().key_id(form).send().await;
        let enabled = client(&kms).enable_key().key_id(form).send().await;
        assert_eq!(disabled.is_ok() && enabled.is_ok(), !form.contains("alias/"), "{form}");
    }
}

#[tokio::test]
async fn refuses_other_key_ids_as_kms_does() {
    let kms = FakeKms::new();
    let id = kms.create_key().unwrap().key_id().to_string();
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (key_id, expected, message) in [
        ("relayer".to_owned(), "NotFoundException", "Invalid keyId 'relayer'".to_owned()),
        (
            unknown.to_owned(),
            "NotFoundException",
            format!("Key 'arn:aws:kms:us-east-1:111122223333:key/{unknown}' does not exist"),
        ),
        (
            "alias/nobody".to_owned(),
            "NotFoundException",
            "Alias arn:aws:kms:us-east-1:111122223333:alias/nobody is not found.".to_owned(),
        ),
        (
            format!("arn:aws:kms:us-west-2:111122223333:key/{id}"),
            "NotFoundException",
            "Invalid arn us-west-2".to_owned(),
        ),
        (
            format!("arn:aws:kms:us-east-1:444455556666:key/{id}"),
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::111122223333:user/fake is not authorized to perform: kms:Sign on resource: arn:aws:kms:us-east-1:444455556666:key/{id} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
            ),
        ),
    ] {
        let refused = refusal(sign_digest(&kms, &key_id, [1; 32]).await);
        assert_eq!(refused, (expected.to_owned(), message));
    }
    let malformed = "arn:aws:kms:us-east-1:111122223333:secret/relayer";
    assert_eq!(code(sign_digest(&kms, malformed, [1; 32]).await), "NotFoundException");
    assert_eq!(code(client(&kms).get_public_key().key_id(malformed).send().await), "InvalidArnException");
    let long = "k".repeat(2049);
    assert_eq!(code(sign_digest(&kms, &long, [1; 32]).await), "ValidationException");
}

#[tokio::test]
async fn a_disabled_key_is_described_and_nothing_else() {
    let kms = FakeKms::new();
    let arn = kms.create_key().unwrap().to_string();
    client(&kms).disable_key().key_id(&arn).send().await.unwrap();

    let metadata = describe(&kms, &arn).await;
    assert_eq!((metadata.enabled(), metadata.key_state()), (false, Some(&KeyState::Disabled)));
    let expected = ("DisabledException".to_owned(), format!("{arn} is disabled."));
    assert_eq!(refusal(sign_digest(&kms, &arn, [1; 32]).await), expected);
    assert_eq!(refusal(client(&kms).get_public_key().key_id(&arn).send().await), expected);

    client(&kms).enable_key().key_id(&arn).send().await.unwrap();
    sign_digest(&kms, &arn, [1; 32]).await.unwrap();
}

#[tokio::test]
async fn a_key_pending_deletion_can_be_saved_until_it_is_gone() {
    let kms = FakeKms::new();
    let key = kms.create_key().unwrap();
    kms.alias("alias/doomed", &key).unwrap();
    let arn = key.to_string();
    let sdk = client(&kms);
    let delete = |days| sdk.schedule_key_deletion().key_id(&arn).set_pending_window_in_days(days).send();

    for days in [6, 31] {
        assert_eq!(code(delete(Some(days)).await), "ValidationException");
    }
    let answer = delete(None).await.unwrap();
    assert_eq!(answer.pending_window_in_days(), Some(30));
    assert_eq!(answer.key_state(), Some(&KeyState::PendingDeletion));
    assert_eq!(describe(&kms, &arn).await.deletion_date(), answer.deletion_date());

    let expected = ("KMSInvalidStateException".to_owned(), format!("{arn} is pending deletion."));
    assert_eq!(refusal(sign_digest(&kms, &arn, [1; 32]).await), expected);
    assert_eq!(refusal(sdk.get_public_key().key_id(&arn).send().await), expected);
    assert_eq!(refusal(sdk.enable_key().key_id(&arn).send().await), expected);
    assert_eq!(refusal(sdk.disable_key().key_id(&arn).send().await), expected);
    assert_eq!(refusal(delete(Some(7)).await), expected);
    assert_eq!(
        refusal(sdk.create_alias().alias_name("alias/new").target_key_id(&arn).send().await),
        expected,
        "an alias for it"
    );
    assert_eq!(kms.alias("alias/new", &key).unwrap_err().kind(), ErrorKind::KeyUnusable);

    assert_eq!(sdk.cancel_key_deletion().key_id(&arn).send().await.unwrap().key_id(), Some(arn.as_str()));
    assert_eq!(describe(&kms, &arn).await.key_state(), Some(&KeyState::Disabled));
    assert_eq!(code(sdk.cancel_key_deletion().key_id(&arn).send().await), "KMSInvalidStateException");

    delete(Some(7)).await.unwrap();
    assert!(kms.0.store.key(&arn, crate::fake::store::Lookup::of("Sign"), kms.0.clock.now()).is_ok());
    for name in [arn.as_str(), "alias/doomed"] {
        let later = kms.0.clock.now() + 7 * DAY;
        let gone = kms.0.store.key(name, crate::fake::store::Lookup::of("Sign"), later);
        assert_eq!(gone.err().unwrap().code, "NotFoundException", "{name}");
    }
}

#[tokio::test]
async fn aliases_are_made_once_and_retargeted_by_name() {
    let kms = FakeKms::new();
    let (first, second) = (kms.create_key().unwrap().to_string(), kms.create_key().unwrap().to_string());
    let symmetric = create(&kms, KeySpec::SymmetricDefault, None).await;
    let sdk = client(&kms);
    let make = |name: &str, key: &str| sdk.create_alias().alias_name(name).target_key_id(key).send();
    let move_to = |name: &str, key: &str| sdk.update_alias().alias_name(name).target_key_id(key).send();

    make("alias/relayer", &first).await.unwrap();
    assert_eq!(describe(&kms, "alias/relayer").await.arn(), Some(first.as_str()));
    assert_eq!(
        refusal(make("alias/relayer", &second).await),
        (
            "AlreadyExistsException".to_owned(),
            "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/relayer already exists".to_owned()
        )
    );
    move_to("alias/relayer", &second).await.unwrap();
    assert_eq!(describe(&kms, "alias/relayer").await.arn(), Some(second.as_str()));

    assert_eq!(code(move_to("alias/nobody", &first).await), "NotFoundException");
    assert_eq!(code(move_to("alias/relayer", &symmetric).await), "ValidationException");
    assert_eq!(code(make("alias/x", "alias/relayer").await), "ValidationException");
    assert_eq!(code(make("alias/x", "1234abcd-12ab-34cd-56ef-1234567890ab").await), "NotFoundException");
    assert_eq!(code(make("alias/aws/kms", &first).await), "NotAuthorizedException");
    assert_eq!(code(make("relayer", &first).await), "ValidationException");
    assert_eq!(code(make("alias/a:b", &first).await), "InvalidAliasNameException");
}

#[test]
fn the_alias_method_makes_and_retargets() {
    let kms = FakeKms::new();
    let (first, second) = (kms.create_key().unwrap(), kms.create_key().unwrap());
    kms.alias("alias/relayer", &first).unwrap();
    kms.alias("alias/relayer", &second).unwrap();
    assert_eq!(kms.0.store.alias_count(), 1);

    let elsewhere = first.to_string().replace("us-east-1", "us-west-2").parse().unwrap();
    let stranger = first.to_string().replace(FakeKms::ACCOUNT, "444455556666").parse().unwrap();
    for (name, key, kind) in [
        ("relayer", &first, ErrorKind::InvalidKeyRef),
        ("alias/", &first, ErrorKind::InvalidKeyRef),
        ("alias/a b", &first, ErrorKind::InvalidKeyRef),
        ("alias/aws/kms", &first, ErrorKind::InvalidKeyRef),
        ("alias/relayer", &elsewhere, ErrorKind::KeyNotFound),
        ("alias/relayer", &stranger, ErrorKind::KeyNotFound),
        ("alias/relayer", &FakeKms::new().create_key().unwrap(), ErrorKind::KeyNotFound),
    ] {
        let error = kms.alias(name, key).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Operation::Fake), "{error}");
    }
}

#[test]
fn clones_share_everything_and_debug_shows_no_secret() {
    let kms = FakeKms::new();
    let clone = kms.clone();
    clone.import_key(B256::repeat_byte(0x42)).unwrap();
    let text = format!("{kms:?}");
    assert!(text.contains("keys: 1"), "{text}");
    assert!(!text.contains("4242") && !text.contains("66"), "{text}");
}
