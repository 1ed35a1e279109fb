//! Roles: what STS is asked for and with whose credentials, which credentials reach KMS, and when they are renewed.

mod clock;
mod redaction;
mod refusals;
mod servers;
mod sources;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use alloy_signer::Signer;
use futures_util::future::join_all;
use kms_signer::{
    AssumeRole, CredentialsEvent, ErrorKind, Event, KeyArn, KmsClient, KmsClientBuilder, KmsSigner, Observer, Outcome,
};

use self::servers::{Instead, Kms, Sts};
use crate::{assert_kind, ours};

const ROLE: &str = "arn:aws:iam::210987654321:role/services/signer";

/// Keeps what the observer is told of credentials.
#[derive(Clone, Default)]
struct Loads(Arc<Mutex<Vec<CredentialsEvent>>>);

impl Loads {
    fn outcomes(&self) -> Vec<Outcome> {
        self.0.lock().unwrap().iter().map(CredentialsEvent::outcome).collect()
    }

    fn ends(&self) -> Vec<Option<SystemTime>> {
        self.0.lock().unwrap().iter().map(CredentialsEvent::expires).collect()
    }
}

impl Observer for Loads {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Credentials(event) = event {
            self.0.lock().unwrap().push(*event);
        }
    }
}

/// A builder for a key of this KMS, with a user's credentials.
fn user_of(kms: &Kms, key: &KeyArn) -> KmsClientBuilder {
    KmsClient::builder().for_key(key).endpoint_url(kms.url()).static_credentials("AKIAUSER", "UserSecret", None)
}

/// A signer with a new key of this KMS, by this role.
async fn signer(kms: &Kms, role: AssumeRole) -> KmsSigner {
    let key = kms.fake.create_key().unwrap();
    let client = user_of(kms, &key).assume_role(role).build().await.unwrap();
    KmsSigner::new(client, key, None).await.unwrap()
}

async fn signs(signer: &KmsSigner) {
    let signature = signer.sign_message(b"x").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap(), signer.address());
}

#[tokio::test]
async fn the_role_is_asked_for_as_it_was_described() {
    let (kms, sts) = (Kms::new(), Sts::new());
    let role = sts.role().external_id("customer:17/+=,.@-_").session_name("relayer@eu");
    signs(&signer(&kms, role.duration(Duration::from_secs(43_200))).await).await;
    signs(&signer(&kms, sts.role().duration(Duration::from_secs(900))).await).await;
    signs(&signer(&kms, sts.role()).await).await;

    let asked = sts.asked();
    assert_eq!(asked.len(), 3, "once for each client, not for each request");
    for asked in &asked {
        assert_eq!((asked.access_key.as_str(), &asked.token, asked.field("RoleArn")), ("AKIAUSER", &None, Some(ROLE)));
    }
    let settings =
        |index: usize| ["ExternalId", "RoleSessionName", "DurationSeconds"].map(|name| asked[index].field(name));
    assert_eq!(settings(0), [Some("customer:17/+=,.@-_"), Some("relayer@eu"), Some("43200")]);
    assert_eq!(settings(1), [None, Some("kms-signer"), Some("900")]);
    assert_eq!(settings(2), [None, Some("kms-signer"), Some("3600")]);
    // KMS's endpoint was asked for keys only, and only with what STS gave.
    assert_eq!(kms.access_keys(), ["ASIA0", "ASIA1", "ASIA2"]);
    assert!(kms.seen().iter().all(|seen| seen.token.as_deref() == Some(servers::SESSION_TOKEN)));
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends_and_the_observer_is_told() {
    // The SDK renews five to ten seconds before the end.
    let (kms, sts, loads) = (Kms::new(), Sts::new().lasting(11), Loads::default());
    let key = kms.fake.create_key().unwrap();
    let builder = user_of(&kms, &key).assume_role(sts.role()).observer(loads.clone());
    let signer = KmsSigner::new(builder.build().await.unwrap(), key, None).await.unwrap();
    let started = Instant::now();
    while kms.access_keys().len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(10), "the session was not renewed");
        signs(&signer).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signs(&signer).await;

    assert_eq!(kms.access_keys(), ["ASIA0", "ASIA1"]);
    assert_eq!(sts.asked().len(), 2);
    assert!(sts.asked().iter().all(|asked| asked.access_key == "AKIAUSER"), "not with the session that ends");
    for seen in kms.seen() {
        assert!(seen.at < sts.end_of(&seen.access_key), "{seen:?} after its end");
    }
    assert_eq!(loads.outcomes(), [Outcome::Success; 2]);
    assert_eq!(loads.ends(), ["ASIA0", "ASIA1"].map(|key| Some(sts.end_of(key))));
}

#[tokio::test]
async fn a_renewal_that_is_refused_is_an_error_and_the_next_may_succeed() {
    let (kms, sts, loads) = (Kms::new(), Sts::new().lasting(11), Loads::default());
    let key = kms.fake.create_key().unwrap();
    let builder = user_of(&kms, &key).assume_role(sts.role()).observer(loads.clone());
    let signer = KmsSigner::new(builder.build().await.unwrap(), key, None).await.unwrap();
    sts.answer(Some(Instead::Refusal(403, "AccessDenied", "not any more")));
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < Duration::from_secs(10), "the session was not renewed");
        match signer.sign_message(b"x").await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => break error,
        }
    };
    assert_kind(&error, ErrorKind::AccessDenied);
    assert!(!ours(&error).may_have_signed() && error.to_string().contains("not any more"), "{error}");
    sts.answer(None);
    signs(&signer).await;
    assert_eq!(kms.access_keys(), ["ASIA0", "ASIA1"]);
    assert_eq!(loads.outcomes(), [Outcome::Success, Outcome::Failure(ErrorKind::AccessDenied), Outcome::Success]);
}

#[tokio::test]
async fn many_signatures_at_once_take_the_role_on_once() {
    let (kms, sts) = (Kms::new(), Sts::new());
    let key = kms.fake.create_key().unwrap();
    let known = KmsSigner::new(kms.fake.client(), &key, None).await.unwrap();
    let client = user_of(&kms, &key).assume_role(sts.role()).build().await.unwrap();
    let signer = KmsSigner::builder(client, &key).public_key(known.public_key().clone()).connect().await.unwrap();
    join_all((0..100).map(|_| signs(&signer))).await;
    // A client with other settings is the same client to AWS.
    let other = signer.client().clone().with_max_attempts(1);
    signs(&KmsSigner::new(other, key, None).await.unwrap()).await;
    assert_eq!((sts.asked().len(), kms.access_keys()), (1, vec!["ASIA0".to_owned()]));
}

#[tokio::test]
async fn two_clients_with_other_accounts_never_mix() {
    let environment = || std::env::vars_os().collect::<Vec<_>>();
    let before = environment();
    let (kms, sts) = (Kms::new(), Sts::new());
    let keys = [0; 4].map(|_| kms.fake.create_key().unwrap());
    let user = |number: usize| {
        let builder = KmsClient::builder().for_key(&keys[number]).endpoint_url(kms.url());
        builder.static_credentials(format!("AKIA{number}"), format!("secret {number}"), None)
    };
    // Two users, and two roles that are taken on by two others.
    let builders =
        [user(0), user(1), user(2).assume_role(sts.role().external_id("two")), user(3).assume_role(sts.role())];
    let mut signers = Vec::new();
    for (builder, key) in builders.into_iter().zip(&keys) {
        signers.push(KmsSigner::new(builder.build().await.unwrap(), key, None).await.unwrap());
    }
    join_all((0..200).map(|index| signs(&signers[index % 4]))).await;

    let callers = ["AKIA0", "AKIA1", "ASIA0", "ASIA1"];
    let seen = kms.seen();
    assert_eq!(seen.len(), 204);
    for seen in seen {
        let number = keys.iter().position(|key| key.as_ref() == seen.key).unwrap();
        assert_eq!(seen.access_key, callers[number], "{}", seen.key);
    }
    let asked: Vec<_> =
        sts.asked().iter().map(|asked| (asked.access_key.clone(), asked.fields.get("ExternalId").cloned())).collect();
    assert_eq!(asked, [("AKIA2".to_owned(), Some("two".to_owned())), ("AKIA3".to_owned(), None)]);
    assert_eq!(environment(), before, "nothing is written to the environment");
}

#[tokio::test]
async fn what_sts_would_not_take_is_refused_by_build() {
    let (kms, sts) = (Kms::new(), Sts::new());
    let key = kms.fake.create_key().unwrap();
    let long = "x".repeat(1225);
    let mut roles = Vec::new();
    for arn in [
        "",
        "signer",
        "role/signer",
        "arn:aws:iam::210987654321:user/signer",
        "arn:aws:iam::210987654321:role/",
        "arn:aws:iam::210987654321:role/sign er",
        "arn:aws:iam::210987654321:role/signer\n",
        "arn:aws:iam::21098765432:role/signer",
        "arn:aws:iam::2109876543210:role/signer",
        "arn:aws:iam:us-east-1:210987654321:role/signer",
        "arn:aws:sts::210987654321:assumed-role/signer/session",
        "arn:gcp:iam::210987654321:role/signer",
    ] {
        roles.push((AssumeRole::new(arn).endpoint_url(sts.url()), "role's ARN"));
    }
    for seconds in [0, 899, 43_201, u64::MAX] {
        roles.push((sts.role().duration(Duration::from_secs(seconds)), "900 s to 43,200 s"));
    }
    for name in ["", "x", "two words", "slash/ed", "é", &long[..65]] {
        roles.push((sts.role().session_name(name), "2 to 64"));
    }
    for id in ["", "x", "two words", "star*", &long] {
        roles.push((sts.role().external_id(id), "2 to 1,224"));
    }
    for url in ["", "localhost:4566", "ftp://sts.invalid"] {
        roles.push((sts.role().endpoint_url(url), "http://"));
    }
    for (role, text) in roles {
        let case = format!("{role:?}");
        let error = user_of(&kms, &key).assume_role(role).build().await.unwrap_err();
        assert_kind(&error, ErrorKind::Config);
        assert!(error.to_string().contains(text), "{case}: {error}");
    }
    for role in [
        AssumeRole::new("arn:aws-cn:iam::210987654321:role/signer"),
        AssumeRole::new("arn:aws-us-gov:iam::210987654321:role/a/path/signer").duration(Duration::from_secs(900)),
        sts.role().session_name(&long[..64]).external_id(&long[..1224]).duration(Duration::from_secs(43_200)),
    ] {
        user_of(&kms, &key).assume_role(role).build().await.unwrap();
    }
    assert!(sts.asked().is_empty() && kms.seen().is_empty(), "nothing was sent");
}
