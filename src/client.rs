//! `KmsClient`: an SDK client with a deadline on every call and one owner of retries.
//!
//! A call is a loop over attempts; an attempt is one attempt of the SDK, whose own retries are off for our calls. The
//! whole loop lies within the operation timeout.

mod attempt;
mod classify;
#[cfg(feature = "connect")]
mod connect;
#[cfg(feature = "connect")]
mod transport;

use core::{fmt, future::Future, pin::Pin, time::Duration};
use std::sync::Arc;

use alloy_primitives::B256;
use aws_sdk_kms::{
    config,
    error::ProvideErrorMetadata,
    operation::{get_public_key::GetPublicKeyOutput, sign::SignOutput},
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use tokio::time::Instant;

#[cfg(feature = "connect")]
pub use self::connect::KmsClientBuilder;
use self::{
    attempt::{Transmissions, sleep_for},
    classify::{Retry, SdkResult},
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// A client of AWS KMS for signers: an SDK client, a deadline on every call, and retries that fit signing.
///
/// Clones share connections, credentials and settings.
///
/// # Where it comes from
///
/// - `KmsClient::from(sdk_client)`: your own [`aws_sdk_kms::Client`], used as it is and never rebuilt.
/// - `KmsClient::from_env()` and `KmsClient::builder()`: with the feature `connect`.
///
/// # Deadlines and retries
///
/// | setting | default | |
/// |---|---|---|
/// | operation timeout | 10 s | one call with all its attempts and pauses |
/// | attempt timeout | 5 s | one request, credentials included, within what is left of the operation |
/// | max attempts | 4 | the first one included |
///
/// For calls made through this client they replace the SDK client's own operation timeout, attempt timeout and retry
/// configuration. Its connect and read timeouts stay in force. Between attempts it pauses for up to 50 ms, doubling
/// each time to at most 1 s, at random (full jitter), and it never pauses past the deadline.
///
/// # Runtime
///
/// Deadlines use the SDK client's sleep implementation, or tokio's where it has none. A tokio runtime with its
/// timer enabled must then be running where the call is made; if it is not, the call is an [`ErrorKind::Config`] error.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use core::time::Duration;
/// use kms_signer::{KmsClient, KmsSigner, fake::FakeKms};
///
/// let fake = FakeKms::new();
/// let client = KmsClient::from(fake.client()).with_operation_timeout(Duration::from_secs(3));
/// let signer = KmsSigner::new(client, fake.create_key()?, None).await?;
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct KmsClient(Arc<Shared>);

#[derive(Clone)]
struct Shared {
    sdk: aws_sdk_kms::Client,
    policy: Policy,
}

/// How long a call may take and how often it may try.
#[derive(Clone, Copy, Debug)]
struct Policy {
    operation_timeout: Duration,
    attempt_timeout: Duration,
    max_attempts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { operation_timeout: Duration::from_secs(10), attempt_timeout: Duration::from_secs(5), max_attempts: 4 }
    }
}

/// A call as errors tell it.
#[derive(Clone, Copy)]
struct Call<'a> {
    operation: Operation,
    key: &'a str,
    /// Whether a request that was transmitted and not refused may have made a signature.
    signs: bool,
}

type Sending<O, E> = Pin<Box<dyn Future<Output = SdkResult<O, E>> + Send>>;

impl KmsClient {
    /// The SDK client underneath, for calls this crate does not make. They keep that client's own settings.
    pub fn sdk(&self) -> &aws_sdk_kms::Client {
        &self.0.sdk
    }

    /// The Region requests go to, if one is set.
    pub fn region(&self) -> Option<&str> {
        self.0.sdk.config().region().map(AsRef::as_ref)
    }

    /// Bounds a call with all its attempts and pauses. The default is 10 s.
    #[must_use]
    pub fn with_operation_timeout(self, timeout: Duration) -> Self {
        self.with_policy(|policy| policy.operation_timeout = timeout)
    }

    /// Bounds one attempt, within what is left of the operation timeout. The default is 5 s.
    #[must_use]
    pub fn with_attempt_timeout(self, timeout: Duration) -> Self {
        self.with_policy(|policy| policy.attempt_timeout = timeout)
    }

    /// Bounds the number of attempts, the first one included. The default is 4; 0 is taken as 1.
    #[must_use]
    pub fn with_max_attempts(self, attempts: u32) -> Self {
        self.with_policy(|policy| policy.max_attempts = attempts.max(1))
    }

    fn with_policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut Arc::make_mut(&mut self.0).policy);
        self
    }

    /// `GetPublicKey` of a key, by any of its references.
    pub(crate) async fn get_public_key(&self, key: &str, grant_tokens: &[String]) -> Result<GetPublicKeyOutput> {
        let call = Call { operation: Operation::GetPublicKey, key, signs: false };
        let request = self.0.sdk.get_public_key().key_id(key).set_grant_tokens(non_empty(grant_tokens));
        self.call(call, |settings| {
            let request = request.clone().customize().config_override(settings);
            Box::pin(request.send())
        })
        .await
    }

    /// `Sign` of a 32-byte digest with `ECDSA_SHA_256`. KMS signs the digest as it is, whatever hash made it.
    pub(crate) async fn sign_digest(&self, key: &str, digest: &B256, grant_tokens: &[String]) -> Result<SignOutput> {
        let call = Call { operation: Operation::Sign, key, signs: true };
        let request = self.sign_request(key, digest, grant_tokens);
        self.call(call, |settings| Box::pin(request.clone().customize().config_override(settings).send())).await
    }

    /// `Sign` with `DryRun`: whether this caller could sign, without a signature.
    ///
    /// KMS answers a dry run that would have succeeded with `DryRunOperationException`. Emulators that ignore the
    /// parameter answer with a signature, which says the same.
    pub(crate) async fn sign_dry_run(&self, key: &str, grant_tokens: &[String]) -> Result<()> {
        let call = Call { operation: Operation::Sign, key, signs: false };
        let request = self.sign_request(key, &B256::ZERO, grant_tokens).dry_run(true);
        let answer =
            self.call(call, |settings| Box::pin(request.clone().customize().config_override(settings).send())).await;
        match answer {
            Err(error) if error.code() != Some(classify::DRY_RUN_SUCCEEDED) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether deadlines can be kept where this is called.
    pub(crate) fn check_sleep(&self) -> Result<()> {
        sleep_for(&self.0.sdk).map(drop)
    }

    fn sign_request(
        &self,
        key: &str,
        digest: &B256,
        grant_tokens: &[String],
    ) -> aws_sdk_kms::operation::sign::builders::SignFluentBuilder {
        self.0
            .sdk
            .sign()
            .key_id(key)
            .message(Blob::new(digest.as_slice()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .set_grant_tokens(non_empty(grant_tokens))
    }

    /// The one loop: every attempt of every call passes here.
    async fn call<O, E>(&self, call: Call<'_>, send: impl Fn(config::Builder) -> Sending<O, E>) -> Result<O>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let policy = self.0.policy;
        let started = Instant::now();
        let sleep = sleep_for(&self.0.sdk).map_err(|error| error.with_operation(call.operation).with_key(call.key))?;
        let transmissions = Transmissions::default();
        let mut may_have_signed = false;
        let mut clock_corrected = false;
        let mut attempt = 1;
        loop {
            let left = policy.operation_timeout.saturating_sub(started.elapsed());
            let limit = left.min(policy.attempt_timeout);
            let transmitted_before = transmissions.count();
            let settings = attempt::settings(limit, sleep.clone(), transmissions.clone());
            let failure = match send(settings).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let transmitted = transmissions.count() > transmitted_before;
            let (error, retry) = classify::classify(failure, call, limit, transmitted);
            may_have_signed |= error.may_have_signed();
            let error = error.with_attempts(attempt).with_may_have_signed(may_have_signed);

            let pause = match retry {
                Retry::No => return Err(error),
                Retry::ClockCorrected if clock_corrected => return Err(error),
                Retry::ClockCorrected => {
                    clock_corrected = true;
                    Duration::ZERO
                }
                Retry::AfterPause => attempt::pause_after(attempt),
            };
            let left = policy.operation_timeout.saturating_sub(started.elapsed());
            if attempt >= policy.max_attempts || pause >= left {
                return Err(error);
            }
            if !pause.is_zero() {
                config::AsyncSleep::sleep(&sleep, pause).await;
            }
            attempt += 1;
        }
    }
}

fn non_empty(tokens: &[String]) -> Option<Vec<String>> {
    (!tokens.is_empty()).then(|| tokens.to_vec())
}

impl From<aws_sdk_kms::Client> for KmsClient {
    fn from(sdk: aws_sdk_kms::Client) -> Self {
        Self(Arc::new(Shared { sdk, policy: Policy::default() }))
    }
}

impl From<&aws_sdk_kms::Client> for KmsClient {
    fn from(sdk: &aws_sdk_kms::Client) -> Self {
        sdk.clone().into()
    }
}

impl From<&Self> for KmsClient {
    fn from(client: &Self) -> Self {
        client.clone()
    }
}

/// Region and settings; never the SDK's configuration, which holds a credentials provider.
impl fmt::Debug for KmsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsClient")
            .field("region", &self.region())
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

/// A set-up that no call can succeed with.
fn misconfigured(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, Operation::Connect, message)
}
