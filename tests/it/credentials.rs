//! Sources of credentials that are slow, silent or broken.

use std::time::Duration;

use alloy_signer::Signer;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner,
    aws_sdk_kms::{Client, config::Credentials},
    fake::FakeKms,
};

use crate::ours;

/// Answers after a while, with credentials or without.
#[derive(Clone, Debug)]
struct Source {
    after: Duration,
    broken: bool,
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let Self { after, broken } = self.clone();
        future::ProvideCredentials::new(async move {
            tokio::time::sleep(after).await;
            match broken {
                false => Ok(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test")),
                true => Err(CredentialsError::provider_error("the credential process ended with status 1")),
            }
        })
    }
}

/// A signer for a known key, so that its first request is a `Sign`, with 100 ms for an attempt.
async fn signer_with(source: Source, operation_timeout: Duration) -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let public_key = KmsSigner::new(fake.client(), &key, None).await.unwrap().public_key().clone();
    let sdk = Client::from_conf(fake.client().config().to_builder().credentials_provider(source).build());
    let client =
        KmsClient::from(sdk).with_attempt_timeout(Duration::from_millis(100)).with_operation_timeout(operation_timeout);
    (fake, KmsSigner::builder(client, key).public_key(public_key).connect().await.unwrap())
}

#[tokio::test]
async fn slow_ones_do_not_use_up_the_attempt() {
    let source = Source { after: Duration::from_millis(400), broken: false };
    let (fake, signer) = signer_with(source, Duration::from_secs(5)).await;
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(fake.requests().last().unwrap().operation(), "Sign");
    assert_eq!(fake.requests().len(), 2, "one GetPublicKey to prepare, one Sign");
}

#[tokio::test]
async fn silent_ones_end_at_the_deadline_and_are_named() {
    let source = Source { after: Duration::from_secs(60), broken: false };
    let (fake, signer) = signer_with(source, Duration::from_millis(300)).await;
    let error = signer.sign_message(b"x").await.unwrap_err();
    let error = ours(&error);
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert!(error.is_retryable() && !error.may_have_signed(), "{error}");
    assert!(error.to_string().contains("no credentials within 300"), "{error}");
    assert_eq!(fake.requests().len(), 1, "nothing was sent");
}

#[tokio::test]
async fn broken_ones_are_asked_once_and_quoted() {
    let source = Source { after: Duration::ZERO, broken: true };
    let (_fake, signer) = signer_with(source, Duration::from_secs(5)).await;
    let error = signer.sign_message(b"x").await.unwrap_err();
    let error = ours(&error);
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert!(!error.is_retryable() && !error.may_have_signed(), "{error}");
    let text = error.to_string();
    assert!(text.contains("status 1") && !text.contains("attempts"), "{text}");
}
