//! FakeKms through the real SDK client, and through plain HTTP.

mod faults;
mod keys;
mod signing;
mod wire;

use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::sign::{SignError, SignOutput},
    primitives::Blob,
    types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec},
};

use super::FakeKms;
use crate::{key_ref::KeyArn, public_key::PublicKey};

/// Says what KMS refused with: code and message.
fn refusal<T>(result: Result<T, impl ProvideErrorMetadata>) -> (String, String) {
    let error = result.err().expect("it was answered");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

fn code<T>(result: Result<T, impl ProvideErrorMetadata>) -> String {
    refusal(result).0
}

/// A client that tries once.
fn client(kms: &FakeKms) -> Client {
    let retry = aws_sdk_kms::config::retry::RetryConfig::disabled();
    Client::from_conf(kms.client().config().to_builder().retry_config(retry).build())
}

async fn sign_digest(kms: &FakeKms, key: &str, digest: [u8; 32]) -> Result<SignOutput, SdkError<SignError>> {
    client(kms)
        .sign()
        .key_id(key)
        .message(Blob::new(digest))
        .message_type(MessageType::Digest)
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
        .send()
        .await
}

async fn public_key(kms: &FakeKms, key: &KeyArn) -> PublicKey {
    let answer = client(kms).get_public_key().key_id(key.to_string()).send().await.unwrap();
    PublicKey::from_spki_der(answer.public_key().unwrap().as_ref()).unwrap()
}

/// Creates a key through the API and gives its ARN.
async fn create(kms: &FakeKms, spec: KeySpec, usage: Option<KeyUsageType>) -> String {
    let answer = client(kms).create_key().key_spec(spec).set_key_usage(usage).send().await.unwrap();
    answer.key_metadata().unwrap().arn().unwrap().to_owned()
}
