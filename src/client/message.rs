//! `Sign` of what other curves than secp256k1 sign.

use aws_sdk_kms::{
    Client,
    config::Builder,
    operation::sign::SignOutput,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};

use super::{
    KmsClient, Where,
    call::{Effect, Exchange, Sending},
    classify, non_empty,
};
use crate::{
    error::{Operation, Result},
    key_ref::KeyRef,
};

/// What is to be signed, and how.
#[derive(Clone, Copy)]
pub(crate) struct SignRequest<'a> {
    /// A digest, or a message of at most 4096 bytes, as `message_type` says.
    pub(crate) message: &'a [u8],
    pub(crate) message_type: &'a MessageType,
    pub(crate) algorithm: &'a SigningAlgorithmSpec,
}

impl KmsClient {
    /// `Sign` of a message or digest.
    pub(crate) async fn sign_message<T>(
        &self,
        key: &KeyRef,
        request: &SignRequest<'_>,
        grant_tokens: &[String],
        read: impl Fn(SignOutput) -> Result<T>,
    ) -> Result<T> {
        let exchange = Exchange { send: send(request, grant_tokens, false), read };
        self.call(Operation::Sign, Some(key), Effect::Signature, Where::Any, exchange).await
    }

    /// The same with `DryRun`: see [`sign_dry_run`](Self::sign_dry_run).
    pub(crate) async fn sign_message_dry_run(
        &self,
        key: &KeyRef,
        request: &SignRequest<'_>,
        grant_tokens: &[String],
        place: Where,
    ) -> Result<()> {
        let exchange = Exchange { send: send(request, grant_tokens, true), read: |_| Ok(()) };
        match self.call(Operation::Sign, Some(key), Effect::Repeatable, place, exchange).await {
            Err(error) if error.code() != Some(classify::DRY_RUN_SUCCEEDED) => Err(error),
            _ => Ok(()),
        }
    }
}

fn send<'a>(
    request: &'a SignRequest<'a>,
    grant_tokens: &'a [String],
    dry_run: bool,
) -> impl Fn(&Client, &str, Builder) -> Sending<SignOutput, aws_sdk_kms::operation::sign::SignError> + 'a {
    move |sdk, key, settings| {
        let request = sdk
            .sign()
            .key_id(key)
            .message(Blob::new(request.message))
            .message_type(request.message_type.clone())
            .signing_algorithm(request.algorithm.clone())
            .set_grant_tokens(non_empty(grant_tokens))
            .set_dry_run(dry_run.then_some(true));
        Box::pin(request.customize().config_override(settings).send())
    }
}
