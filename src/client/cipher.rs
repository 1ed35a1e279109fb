//! The calls that use symmetric keys: `Encrypt`, `Decrypt` and `GenerateDataKey`.

use core::mem;
use std::collections::BTreeMap;

use aws_sdk_kms::{
    Client,
    config::{Builder, ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
    error::BoxError,
    operation::{
        decrypt::{DecryptError, DecryptOutput},
        describe_key::DescribeKeyOutput,
        encrypt::{EncryptError, EncryptOutput},
        generate_data_key::GenerateDataKeyOutput,
    },
    primitives::Blob,
    types::{DataKeySpec, DryRunModifierType, KeyMetadata},
};
use aws_smithy_types::body::SdkBody;

use super::{
    KmsClient, Where,
    call::{Effect, Exchange, Sending},
    classify, non_empty,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// What goes along with each of these calls.
#[derive(Clone, Copy)]
pub(crate) struct CipherOptions<'a> {
    pub(crate) context: &'a BTreeMap<String, String>,
    pub(crate) grant_tokens: &'a [String],
    pub(crate) place: Where,
}

impl KmsClient {
    /// `Encrypt` of 1 to 4096 bytes.
    pub(crate) async fn encrypt<T>(
        &self,
        key: &KeyRef,
        plaintext: &[u8],
        options: CipherOptions<'_>,
        read: impl Fn(EncryptOutput) -> Result<T>,
    ) -> Result<T> {
        let exchange = Exchange { send: encrypt(plaintext, options, false), read };
        self.call(Operation::Encrypt, Some(key), Effect::Repeatable, options.place, exchange).await
    }

    /// `Encrypt` of one byte with `DryRun`: whether this caller could encrypt. What emulators answer that know no dry run.
    pub(crate) async fn encrypt_dry_run(
        &self,
        key: &KeyRef,
        options: CipherOptions<'_>,
    ) -> Result<Option<EncryptOutput>> {
        let exchange = Exchange { send: encrypt(&[0], options, true), read: |answer| Ok(Some(answer)) };
        match self.call(Operation::Encrypt, Some(key), Effect::Repeatable, options.place, exchange).await {
            Err(error) if error.code() == Some(classify::DRY_RUN_SUCCEEDED) => Ok(None),
            result => result,
        }
    }

    /// `Decrypt` with this key and no other.
    pub(crate) async fn decrypt<T>(
        &self,
        key: &KeyRef,
        ciphertext: &[u8],
        options: CipherOptions<'_>,
        read: impl Fn(DecryptOutput) -> Result<T>,
    ) -> Result<T> {
        let exchange = Exchange { send: decrypt(Some(ciphertext), options, false), read };
        self.call(Operation::Decrypt, Some(key), Effect::Repeatable, options.place, exchange).await
    }

    /// `Decrypt` with `DryRun`: whether this caller could decrypt. Without a ciphertext KMS looks at the rights alone
    /// (`IGNORE_CIPHERTEXT`). `read` is for what emulators answer that know no dry run.
    pub(crate) async fn decrypt_dry_run(
        &self,
        key: &KeyRef,
        ciphertext: Option<&[u8]>,
        options: CipherOptions<'_>,
        read: impl Fn(DecryptOutput) -> Result<()>,
    ) -> Result<()> {
        let exchange = Exchange { send: decrypt(ciphertext, options, true), read };
        match self.call(Operation::Decrypt, Some(key), Effect::Repeatable, options.place, exchange).await {
            Err(error) if error.code() == Some(classify::DRY_RUN_SUCCEEDED) => Ok(()),
            result => result,
        }
    }

    /// `DescribeKey`, which has no encryption context.
    pub(crate) async fn describe_symmetric(&self, key: &KeyRef, options: CipherOptions<'_>) -> Result<KeyMetadata> {
        let send = |sdk: &Client, key: &str, settings: Builder| -> Sending<_, _> {
            let request = sdk.describe_key().key_id(key).set_grant_tokens(non_empty(options.grant_tokens));
            Box::pin(request.customize().config_override(settings).send())
        };
        let read = |answer: DescribeKeyOutput| {
            let missing =
                || Error::new(ErrorKind::InvalidResponse, Operation::DescribeKey, "the answer has no KeyMetadata");
            answer.key_metadata.ok_or_else(missing)
        };
        self.call(Operation::DescribeKey, Some(key), Effect::Repeatable, options.place, Exchange { send, read }).await
    }

    /// `GenerateDataKey` of 32 bytes.
    pub(crate) async fn generate_data_key<T>(
        &self,
        key: &KeyRef,
        options: CipherOptions<'_>,
        read: impl Fn(GenerateDataKeyOutput) -> Result<T>,
    ) -> Result<T> {
        let CipherOptions { context, grant_tokens, place } = options;
        let send = |sdk: &Client, key: &str, settings: Builder| -> Sending<_, _> {
            let request = sdk
                .generate_data_key()
                .key_id(key)
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(pairs(context))
                .set_grant_tokens(non_empty(grant_tokens));
            Box::pin(request.customize().config_override(settings).send())
        };
        self.call(Operation::GenerateDataKey, Some(key), Effect::Repeatable, place, Exchange { send, read }).await
    }
}

fn encrypt<'a>(
    plaintext: &'a [u8],
    options: CipherOptions<'a>,
    dry_run: bool,
) -> impl Fn(&Client, &str, Builder) -> Sending<EncryptOutput, EncryptError> + 'a {
    move |sdk, key, settings| {
        let request = sdk
            .encrypt()
            .key_id(key)
            .plaintext(Blob::new(plaintext))
            .set_encryption_context(pairs(options.context))
            .set_grant_tokens(non_empty(options.grant_tokens))
            .set_dry_run(dry_run.then_some(true));
        Box::pin(request.customize().config_override(settings.interceptor(OpaqueBody)).send())
    }
}

fn decrypt<'a>(
    ciphertext: Option<&'a [u8]>,
    options: CipherOptions<'a>,
    dry_run: bool,
) -> impl Fn(&Client, &str, Builder) -> Sending<DecryptOutput, DecryptError> + 'a {
    move |sdk, key, settings| {
        let request = sdk
            .decrypt()
            .key_id(key)
            .set_ciphertext_blob(ciphertext.map(Blob::new))
            .set_dry_run_modifiers(ciphertext.is_none().then(|| vec![DryRunModifierType::IgnoreCiphertext]))
            .set_encryption_context(pairs(options.context))
            .set_grant_tokens(non_empty(options.grant_tokens))
            .set_dry_run(dry_run.then_some(true));
        Box::pin(request.customize().config_override(settings).send())
    }
}

fn pairs(context: &BTreeMap<String, String>) -> Option<std::collections::HashMap<String, String>> {
    (!context.is_empty()).then(|| context.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Hands the request's body to the connection in a form that cannot be printed.
///
/// The SDK writes each request to its TRACE log just before it is sent. Some of its versions, and all with some settings, print a body that
/// is in memory byte for byte, and that of `Encrypt` holds the plaintext. (Answers with a plaintext it
/// leaves out by itself, unless `LOG_SENSITIVE_BODIES=true` is set, or the HTTP client gives it a body that is in memory already.)
#[derive(Debug)]
struct OpaqueBody;

impl Intercept for OpaqueBody {
    fn name(&self) -> &'static str {
        "kms_signer::OpaqueBody"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        *body = opaque(mem::replace(body, SdkBody::taken()));
        Ok(())
    }
}

/// Around what is there, so that the SDK goes on measuring what it measures.
fn opaque(body: SdkBody) -> SdkBody {
    body.map(SdkBody::from_body_1_x)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_body_is_sent_and_not_printed() {
        let text = r#"{"Plaintext":"c2VjcmV0"}"#;
        assert!(format!("{:?}", SdkBody::from(text)).contains("c2VjcmV0"));
        let body = opaque(SdkBody::from(text));
        assert!(!format!("{body:?}").contains("c2VjcmV0"), "{body:?}");
        let again = body.try_clone().expect("it can be sent again");
        for body in [body, again] {
            assert_eq!(body.collect().await.unwrap().to_bytes(), text);
        }
    }
}
