//! Sessions that expire under a signer that runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use alloy_signer::Signer;
use aws_credential_types::provider::{ProvideCredentials, future};
use kms_signer::{
    ErrorKind, KmsSigner,
    aws_sdk_kms::{Client, config::Credentials},
    fake::{FakeKms, Fault},
};

use crate::assert_kind;

/// Gives sessions that end at once, and counts them.
#[derive(Clone, Debug, Default)]
struct ShortSessions(Arc<AtomicUsize>);

impl ProvideCredentials for ShortSessions {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        let end = SystemTime::now() + Duration::from_secs(1);
        future::ProvideCredentials::ready(Ok(Credentials::new(
            "fake",
            "fake",
            Some(format!("session {number}")),
            Some(end),
            "ShortSessions",
        )))
    }
}

#[tokio::test]
async fn a_session_that_has_expired_is_reported_and_the_next_call_has_another() {
    let fake = FakeKms::new();
    let sessions = ShortSessions::default();
    let sdk = Client::from_conf(fake.client().config().to_builder().credentials_provider(sessions.clone()).build());
    let signer = KmsSigner::new(sdk, fake.create_key().unwrap(), None).await.unwrap();

    fake.inject(Fault::error("ExpiredTokenException", 400, "The security token included in the request is expired"));
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::Credentials);
    assert!(error.to_string().contains("renew the session"), "{error}");

    let before = sessions.0.load(Ordering::SeqCst);
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(sessions.0.load(Ordering::SeqCst), before + 1);
}
