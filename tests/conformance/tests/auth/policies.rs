//! What the policies of `kms_signer::iam` let through, action by action.

use futures_util::StreamExt;
use kms_signer::{
    KeyArn,
    aws_sdk_kms::{
        Client,
        error::ProvideErrorMetadata,
        primitives::Blob,
        types::{
            AlgorithmSpec, DataKeyPairSpec, DataKeySpec, GrantOperation, MacAlgorithmSpec, MessageType,
            SigningAlgorithmSpec, Tag, WrappingKeySpec,
        },
    },
    iam::IamPolicy,
    keys::{Filter, Keys, NewKey, Secret},
};

use crate::{
    account::{Account, client, connect, policy},
    signs,
};

/// What a request of the SDK ends with: the error's code, if it fails.
macro_rules! codes {
    ($sdk:expr; $($operation:ident $(.$field:ident($value:expr))*;)*) => {
        [$((
            stringify!($operation),
            $sdk.$operation()$(.$field($value))*.send().await.err().map(|error| error.code().unwrap_or_default().to_owned()),
        )),*]
    };
}

/// Every operation of KMS that is about keys, but for those that a signer makes.
async fn everything_else(sdk: &Client, key: &KeyArn, other: &KeyArn) -> Vec<(&'static str, Option<String>)> {
    let (key, other) = (key.as_ref(), other.as_ref());
    let blob = || Blob::new([0; 32]);
    let tag = Tag::builder().tag_key("a").tag_value("b").build().unwrap();
    let user = "arn:aws:iam::123456789012:user/somebody";
    let codes = codes! { sdk;
        // What `keys` does.
        create_key;
        describe_key.key_id(key);
        create_alias.alias_name("alias/mine").target_key_id(key);
        update_alias.alias_name("alias/mine").target_key_id(key);
        list_keys;
        list_aliases;
        list_aliases.key_id(key);
        list_resource_tags.key_id(key);
        tag_resource.key_id(key).tags(tag);
        untag_resource.key_id(key).tag_keys("a");
        enable_key.key_id(key);
        disable_key.key_id(key);
        schedule_key_deletion.key_id(key).pending_window_in_days(7);
        cancel_key_deletion.key_id(key);
        create_grant.key_id(key).grantee_principal(user).operations(GrantOperation::Sign);
        revoke_grant.key_id(key).grant_id("a");
        replicate_key.key_id(key).replica_region("us-west-2");
        get_parameters_for_import.key_id(key).wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256).wrapping_key_spec(WrappingKeySpec::Rsa4096);
        import_key_material.key_id(key).import_token(blob()).encrypted_key_material(blob());
        // What nothing here does.
        delete_alias.alias_name("alias/mine");
        delete_imported_key_material.key_id(key);
        get_key_policy.key_id(key).policy_name("default");
        put_key_policy.key_id(key).policy_name("default").policy("{}");
        list_key_policies.key_id(key);
        list_grants.key_id(key);
        retire_grant.key_id(key).grant_id("a");
        list_retirable_grants.retiring_principal(user);
        update_key_description.key_id(key).description("mine");
        update_primary_region.key_id(key).primary_region("us-west-2");
        enable_key_rotation.key_id(key);
        disable_key_rotation.key_id(key);
        get_key_rotation_status.key_id(key);
        rotate_key_on_demand.key_id(key);
        list_key_rotations.key_id(key);
        verify.key_id(key).message(blob()).signature(blob()).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).message_type(MessageType::Digest);
        encrypt.key_id(key).plaintext(blob());
        decrypt.key_id(key).ciphertext_blob(blob());
        re_encrypt.source_key_id(key).destination_key_id(key).ciphertext_blob(blob());
        generate_data_key.key_id(key).key_spec(DataKeySpec::Aes256);
        generate_data_key_without_plaintext.key_id(key).key_spec(DataKeySpec::Aes256);
        generate_data_key_pair.key_id(key).key_pair_spec(DataKeyPairSpec::EccSecgP256K1);
        generate_data_key_pair_without_plaintext.key_id(key).key_pair_spec(DataKeyPairSpec::EccSecgP256K1);
        generate_mac.key_id(key).message(blob()).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        verify_mac.key_id(key).message(blob()).mac(blob()).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        generate_random.number_of_bytes(32);
        derive_shared_secret.key_id(key).public_key(blob());
        // A signer's own, on a key that its policy does not name, or with something else than a digest.
        get_public_key.key_id(other);
        sign.key_id(other).message(blob()).message_type(MessageType::Digest).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        sign.key_id(key).message(blob()).message_type(MessageType::Raw).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        sign.key_id(key).message(blob()).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        sign.key_id(key).message(blob()).message_type(MessageType::Digest).signing_algorithm(SigningAlgorithmSpec::EcdsaSha384);
    };
    codes.into()
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn with_the_policy_of_a_signer_one_can_connect_and_sign_and_nothing_else() {
    let account = Account::ours();
    let (key, other) = (account.key(None).await, account.key(None).await);
    let printed = IamPolicy::signer([key.clone()]).unwrap().to_string();
    let user = account.user(Some(printed)).await;
    let signer = connect(client(&account.url, &user.access), &key).await.unwrap();
    signer.preflight().await.unwrap();
    signs(&signer).await;

    let codes = everything_else(signer.client().sdk(), &key, &other).await;
    for (operation, code) in &codes {
        assert_eq!(code.as_deref(), Some("AccessDeniedException"), "{operation}");
    }
    println!("\na signer is denied {} other requests", codes.len());

    // The emulator refuses these for want of permission only: the owner gets through, or fails for another reason.
    let owner = account.owner().await;
    for (operation, code) in everything_else(owner.sdk(), &account.key(None).await, &other).await {
        assert_ne!(code.as_deref(), Some("AccessDeniedException"), "{operation}");
    }
    signs(&signer).await;
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn an_administrator_manages_keys_from_code() {
    let account = Account::ours();
    let user = account.user(Some(policy(&["kms:*"], "*"))).await;
    let keys = Keys::new(client(&account.url, &user.access).build().await.unwrap());
    let prefix = format!("alias/{}/", user.name);
    let alias = |name: &str| format!("{prefix}{name}");

    let created = keys.create(NewKey::signing().alias(alias("created")).tag("team", "treasury")).await.unwrap();
    let ensured = keys.ensure(alias("ensured"), NewKey::signing()).await.unwrap();
    assert_eq!(keys.ensure(alias("ensured"), NewKey::signing()).await.unwrap().arn(), ensured.arn());
    let secret = Secret::from_bytes(&[7; 32]).unwrap();
    let address = secret.address();
    let imported = keys.import(NewKey::signing().alias(alias("imported")), secret).await.unwrap();
    assert_eq!(imported.address(), Some(address));

    let filter = || Filter::new().alias_prefix(&prefix);
    let listed: Vec<_> = keys.list(filter()).collect().await;
    assert_eq!(listed.len(), 3, "{listed:?}");
    let signers = keys.load_signers(filter()).await.unwrap();
    assert!(signers.skipped().is_empty(), "{:?}", signers.skipped());
    for key in [&created, &ensured, &imported] {
        signs(signers.get(key.address().unwrap()).unwrap()).await;
    }

    let grant = keys.grant_signing(created.arn(), &user.arn).await.unwrap();
    keys.revoke(created.arn(), grant.id()).await.unwrap();
    keys.schedule_deletion(created.arn(), 7).await.unwrap();
    keys.cancel_deletion(created.arn()).await.unwrap();
    keys.enable(created.arn()).await.unwrap();
    signs(signers.get(created.address().unwrap()).unwrap()).await;
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn with_the_policy_of_a_lister_one_can_list_and_not_sign() {
    let account = Account::ours();
    let key = account.key(None).await;
    let user = account.user(Some(IamPolicy::lister(&(&key).into()).to_json())).await;
    let keys = Keys::new(client(&account.url, &user.access).build().await.unwrap());
    let listed: Vec<_> = keys.list(Filter::new()).collect().await;
    assert!(
        listed.iter().any(|listed| matches!(listed, Ok(kms_signer::keys::Listed::Key(info)) if info.arn() == &key))
    );
    let signer = connect(client(&account.url, &user.access), &key).await.unwrap();
    crate::account::assert_denied(&signer.preflight().await.unwrap_err());
}
