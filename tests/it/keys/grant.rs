//! Letting another principal sign, judged by FakeKms as that principal.

use alloy_signer::Signer;
use kms_signer::{ErrorKind, KmsSigner, keys::NewKey};

use super::{count, fake_and_keys};
use crate::assert_kind;

const RELAYER: &str = "arn:aws:iam::111122223333:role/relayer";

#[tokio::test]
async fn a_grant_works_at_once_with_its_token_and_ends_when_it_is_revoked() {
    let (fake, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    let relayer = fake.client_as(RELAYER);
    let connect = async |token: Option<&str>| {
        let builder = KmsSigner::builder(&relayer, key.arn());
        match token {
            Some(token) => builder.grant_token(token).connect().await,
            None => builder.connect().await,
        }
    };
    assert_kind(&connect(None).await.unwrap_err(), ErrorKind::AccessDenied);

    let grant = keys.grant_signing("alias/a", RELAYER).await.unwrap();
    assert_eq!(grant.key().as_ref(), key.arn().as_ref());
    assert!(!format!("{grant:?}").contains(grant.token()));
    // It has not spread yet.
    assert_kind(&connect(None).await.unwrap_err(), ErrorKind::AccessDenied);
    let signer = connect(Some(grant.token())).await.unwrap();
    assert_eq!(Some(signer.address()), key.address());
    signer.preflight().await.unwrap();
    signer.sign_message(b"x").await.unwrap();
    assert_kind(&connect(Some("junk")).await.unwrap_err(), ErrorKind::Config);
    // Nothing else was granted.
    let theirs = kms_signer::keys::Keys::new(&relayer);
    assert_kind(&theirs.describe(key.arn()).await.unwrap_err(), ErrorKind::AccessDenied);
    assert_kind(&theirs.disable(key.arn()).await.unwrap_err(), ErrorKind::AccessDenied);
    assert_kind(&theirs.grant_signing(key.arn(), RELAYER).await.unwrap_err(), ErrorKind::AccessDenied);

    keys.revoke(key.arn(), grant.id()).await.unwrap();
    let error = signer.sign_message(b"y").await.unwrap_err();
    let kind = crate::ours(&error).kind();
    assert!(matches!(kind, ErrorKind::AccessDenied | ErrorKind::Config), "{error}");
    assert_kind(&keys.revoke(key.arn(), grant.id()).await.unwrap_err(), ErrorKind::KeyNotFound);
}

#[tokio::test]
async fn granted_twice_it_is_one_grant() {
    let (fake, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing()).await.unwrap();
    let first = keys.grant_signing(key.arn(), RELAYER).await.unwrap();
    let second = keys.grant_signing(key.arn(), RELAYER).await.unwrap();
    let other = keys.grant_signing(key.arn(), "arn:aws:iam::111122223333:role/other").await.unwrap();
    assert_eq!(first.id(), second.id());
    assert_ne!(first.id(), other.id());
    assert_eq!(count(&fake, "CreateGrant"), 3);
}
