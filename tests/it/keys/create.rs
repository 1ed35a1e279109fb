//! Making a key: what it is, and what becomes of it when its alias cannot be made.

use std::time::Duration;

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsSigner, Operation,
    fake::Fault,
    keys::{KeySpec, KeyUsage, Keys, NewKey, State},
};

use super::{count, fake_and_keys, keys_with};
use crate::assert_kind;

#[tokio::test]
async fn a_new_key_signs_under_its_alias_at_once() {
    let (fake, keys) = fake_and_keys();
    let new = NewKey::signing().alias("alias/wallets/1").description("hot").tag("team", "payments").multi_region(true);
    let key = keys.create(new).await.unwrap();

    assert_eq!(
        (key.spec(), key.usage(), key.state()),
        (&KeySpec::EccSecgP256K1, &KeyUsage::SignVerify, &State::Enabled)
    );
    assert!(key.arn().is_multi_region() && key.is_multi_region() && !key.is_imported());
    assert!(key.created().is_some());
    assert_eq!(key.description(), "hot");
    let signer = KmsSigner::new(fake.client(), "alias/wallets/1", None).await.unwrap();
    assert_eq!(Some(signer.address()), key.address());
    assert_eq!(signer.key().as_ref(), key.arn().as_ref());
    signer.sign_message(b"x").await.unwrap();

    let described = keys.describe("alias/wallets/1").await.unwrap();
    assert_eq!((described.arn(), described.address(), described.tags()), (key.arn(), key.address(), key.tags()));
    assert_eq!(described.tags().unwrap()["team"], "payments");
    assert_eq!(described.aliases().iter().map(|alias| alias.as_str()).collect::<Vec<_>>(), ["alias/wallets/1"]);
    assert_eq!(described.aliases(), key.aliases());
}

#[tokio::test]
async fn keys_of_every_kind() {
    let (_, keys) = fake_and_keys();
    for (new, spec, usage, spki) in [
        (NewKey::signing(), "ECC_SECG_P256K1", "SIGN_VERIFY", Some(88)),
        (NewKey::p256(), "ECC_NIST_P256", "SIGN_VERIFY", Some(91)),
        (NewKey::ed25519(), "ECC_NIST_EDWARDS25519", "SIGN_VERIFY", Some(44)),
        (NewKey::symmetric(), "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", None),
    ] {
        let key = keys.create(new).await.unwrap();
        assert_eq!((key.spec().as_str(), key.usage().as_str()), (spec, usage));
        assert_eq!(key.spki_der().map(<[u8]>::len), spki, "{spec}");
        assert_eq!(key.address().is_some(), spec == "ECC_SECG_P256K1");
        assert_eq!(key.record().is_some(), spec == "ECC_SECG_P256K1");
    }
}

#[tokio::test]
async fn a_taken_alias_makes_no_key() {
    let (fake, keys) = fake_and_keys();
    let first = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert_kind(&error, ErrorKind::AlreadyExists);
    assert_eq!(count(&fake, "CreateKey"), 1);
    assert_eq!(keys.describe("alias/a").await.unwrap().arn(), first.arn());
}

#[tokio::test]
async fn what_is_no_alias_is_refused_before_anything_is_asked() {
    let (fake, keys) = fake_and_keys();
    for alias in ["wallet", "alias/", "alias/ü", "arn:aws:kms:us-east-1:111122223333:alias/a", ""] {
        let error = keys.create(NewKey::signing().alias(alias)).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidKeyRef);
        let error = keys.ensure(alias, NewKey::signing()).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidKeyRef);
    }
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn a_key_whose_alias_fails_is_scheduled_for_deletion() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::error("AccessDeniedException", 400, "not you").on("CreateAlias").forever());
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert_kind(&error, ErrorKind::AccessDenied);
    assert_eq!(error.operation(), Operation::CreateAlias);
    assert!(error.to_string().contains("is scheduled for deletion in 7 days"), "{error}");
    let key = the_only_key(&keys).await;
    assert!(error.to_string().contains(key.arn().as_ref()), "{error}");
    assert_eq!(key.state(), &State::PendingDeletion);
}

#[tokio::test]
async fn where_deletion_is_refused_the_key_is_disabled() {
    let (fake, keys) = fake_and_keys();
    for operation in ["CreateAlias", "ScheduleKeyDeletion"] {
        fake.inject(Fault::error("AccessDeniedException", 400, "not you").on(operation).forever());
    }
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert!(error.to_string().contains("was disabled"), "{error}");
    assert_eq!(the_only_key(&keys).await.state(), &State::Disabled);

    fake.inject(Fault::error("AccessDeniedException", 400, "not you").on("DisableKey").forever());
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert!(error.to_string().contains("is left behind without an alias"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_waited_for() {
    let (fake, keys) = fake_and_keys();
    let unknown = || Fault::error("NotFoundException", 400, "does not exist");
    fake.inject(unknown().on("GetPublicKey").times(4));
    fake.inject(unknown().on("CreateAlias").times(2));
    keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    assert_eq!((count(&fake, "GetPublicKey"), count(&fake, "CreateAlias")), (5, 3));

    fake.inject(unknown().on("DescribeKey").times(3));
    keys.create(NewKey::symmetric()).await.unwrap();
}

/// As KMS does it: what was made is unknown to the first requests that name it, one after the other.
#[tokio::test(start_paused = true)]
async fn late_visibility_holds_nothing_up_for_good() {
    let (fake, keys) = fake_and_keys();
    for operation in ["CreateKey", "CreateAlias"] {
        fake.inject(Fault::late_visibility(5).on(operation));
    }
    let key = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    assert_eq!((count(&fake, "CreateKey"), count(&fake, "GetPublicKey")), (1, 6));
    let found = keys.ensure("alias/b", NewKey::signing()).await.unwrap();
    assert_ne!(found.arn(), key.arn());
}

#[tokio::test]
async fn a_key_that_never_appears_is_given_up() {
    let (fake, keys) = fake_and_keys();
    let keys = keys.with_visibility_timeout(Duration::from_millis(300));
    fake.inject(Fault::error("NotFoundException", 400, "does not exist").on("GetPublicKey").forever());
    let error = keys.create(NewKey::signing()).await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyNotFound);
    assert!(error.to_string().contains("is scheduled for deletion"), "{error}");
    assert!(count(&fake, "GetPublicKey") > 1);
}

/// Policies that ask for a tag deny until the tag has been seen.
#[tokio::test(start_paused = true)]
async fn a_denial_may_be_early_for_a_tagged_key_only() {
    let denied = || Fault::error("AccessDeniedException", 400, "not you").on("GetPublicKey").times(3);
    let (fake, keys) = fake_and_keys();
    fake.inject(denied());
    keys.create(NewKey::signing().tag("service", "wallets")).await.unwrap();

    let (fake, keys) = fake_and_keys();
    fake.inject(denied());
    assert_kind(&keys.create(NewKey::signing()).await.unwrap_err(), ErrorKind::AccessDenied);
}

#[tokio::test]
async fn a_key_that_may_have_been_made_is_not_made_again() {
    let internal = Fault::error("KMSInternalException", 500, "oops");
    for fault in [
        Fault::disconnect(),
        Fault::stall(),
        Fault::garbage_body(),
        Fault::status(502),
        Fault::missing_field("KeyMetadata"),
        internal,
    ] {
        let case = format!("{fault:?}");
        let (fake, keys) = keys_with(|client| client.with_attempt_timeout(Duration::from_millis(200)));
        fake.inject(fault.on("CreateKey"));
        let error = keys.create(NewKey::signing()).await.unwrap_err();
        assert_eq!(count(&fake, "CreateKey"), 1, "{case}");
        assert!(!error.is_retryable() && !error.may_have_signed(), "{case}");
        assert!(error.to_string().contains("it may have been created nevertheless"), "{case}: {error}");
    }
    // What was refused, or never sent, was not made.
    for fault in [Fault::refuse(), Fault::error("ThrottlingException", 400, "slow")] {
        let (fake, keys) = fake_and_keys();
        fake.inject(fault.on("CreateKey"));
        keys.create(NewKey::signing()).await.unwrap();
        assert!(count(&fake, "CreateKey") <= 2);
    }
}

/// Its ARN is known, so it need not be left behind.
#[tokio::test]
async fn a_key_that_is_described_badly_is_put_out_of_use() {
    let (fake, keys) = fake_and_keys();
    let key = fake.create_key().unwrap();
    let answer = format!(r#"{{"KeyMetadata":{{"KeyId":"{}","Arn":"{key}"}}}}"#, key.key_id());
    fake.inject(Fault::response(200, "application/x-amz-json-1.1", answer).on("CreateKey"));
    let error = keys.create(NewKey::signing()).await.unwrap_err();
    assert_kind(&error, ErrorKind::InvalidResponse);
    assert_eq!(error.operation(), Operation::CreateKey);
    assert!(error.to_string().contains("is scheduled for deletion"), "{error}");
    assert_eq!(the_only_key(&keys).await.state(), &State::PendingDeletion);
}

/// All answers are lost, and the alias was made: somebody may have found the key by it.
#[tokio::test(start_paused = true)]
async fn a_key_whose_alias_was_made_is_never_put_out_of_use() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::disconnect().on("CreateAlias").times(4));
    let key = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    assert_eq!(keys.describe("alias/a").await.unwrap().arn(), key.arn());
    assert_eq!(count(&fake, "ScheduleKeyDeletion"), 0);

    // Nor where KMS does not say whose it is.
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::error("NotFoundException", 400, "no such alias").on("DescribeKey"));
    fake.inject(Fault::disconnect().on("CreateAlias").times(4));
    fake.inject(Fault::error("AccessDeniedException", 400, "not you").on("DescribeKey").forever());
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert_kind(&error, ErrorKind::Transport);
    assert!(error.to_string().contains("was kept, since its alias may have been made"), "{error}");
    assert_eq!(count(&fake, "ScheduleKeyDeletion") + count(&fake, "DisableKey"), 0);
}

/// The alias was made by a request whose answer was lost, and is not visible yet to the one that looks.
#[tokio::test(start_paused = true)]
async fn an_alias_that_is_not_visible_yet_is_waited_for() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::disconnect().on("CreateAlias"));
    fake.inject(Fault::error("NotFoundException", 400, "no such alias").on("DescribeKey").times(6));
    keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    assert_eq!((count(&fake, "DescribeKey"), count(&fake, "ScheduleKeyDeletion")), (7, 0));
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_was_not_made_costs_the_key() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::status(503).on("CreateAlias").times(4));
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert_kind(&error, ErrorKind::Unavailable);
    assert!(error.to_string().contains("is scheduled for deletion"), "{error}");
}

#[tokio::test]
async fn a_lost_answer_to_the_clean_up_is_recognised() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::error("AccessDeniedException", 400, "not you").on("CreateAlias"));
    fake.inject(Fault::disconnect().on("ScheduleKeyDeletion"));
    let error = keys.create(NewKey::signing().alias("alias/a")).await.unwrap_err();
    assert!(error.to_string().contains("is scheduled for deletion"), "{error}");
}

#[tokio::test]
async fn an_answer_of_another_curve_is_refused() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::set_field("KeySpec", "ECC_NIST_P256").on("GetPublicKey"));
    assert_kind(&keys.create(NewKey::signing()).await.unwrap_err(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn an_alias_whose_answer_was_lost_is_recognised() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::disconnect().on("CreateAlias"));
    let key = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    assert_eq!(count(&fake, "CreateAlias"), 2);
    assert_eq!(keys.describe("alias/a").await.unwrap().arn(), key.arn());
}

#[tokio::test]
async fn what_kms_does_not_take_is_a_configuration_error() {
    let (_, keys) = fake_and_keys();
    assert_kind(&keys.create(NewKey::signing().policy("not JSON")).await.unwrap_err(), ErrorKind::Config);
    assert_kind(&keys.create(NewKey::signing().tag("aws:x", "y")).await.unwrap_err(), ErrorKind::Config);
}

async fn the_only_key(keys: &Keys) -> kms_signer::keys::KeyInfo {
    use futures_util::TryStreamExt;
    use kms_signer::keys::{Filter, Listed};

    let mut found: Vec<Listed> = keys.list(Filter::new()).try_collect().await.unwrap();
    assert_eq!(found.len(), 1);
    match found.remove(0) {
        Listed::Key(key) => *key,
        other => panic!("{other:?}"),
    }
}
