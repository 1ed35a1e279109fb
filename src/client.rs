//! `KmsClient`: an SDK client with a deadline on every call and one owner of retries.
//!
//! A call is a loop over attempts; an attempt is one attempt of the SDK, whose own retries are off for our calls. The
//! whole loop lies within the operation timeout.

mod attempt;
mod classify;
#[cfg(feature = "connect")]
mod connect;
mod gate;
mod limit;
#[cfg(feature = "connect")]
mod transport;

use core::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    time::Duration,
};
use std::sync::Arc;

use alloy_primitives::B256;
use aws_sdk_kms::{
    config,
    config::AsyncSleep,
    error::{ProvideErrorMetadata, SdkError},
    operation::{get_public_key::GetPublicKeyOutput, sign::SignOutput},
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use futures_util::future::{Either, select};
use tokio::time::Instant;

#[cfg(feature = "connect")]
pub use self::connect::KmsClientBuilder;
use self::{
    attempt::{Timer, Transmission},
    classify::{Attempt, Retry, SdkResult},
    gate::Gate,
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
/// | attempt timeout | 5 s | one request, from its transmission on |
/// | max attempts | 4 | the first one included |
///
/// Loading credentials counts towards the operation timeout only: a role or a credential process may take longer than
/// KMS takes to answer. (The SDK bounds it, too: on a client of your own, with retries off as here, by 6.2 s, unless you set its
/// identity cache's `load_timeout`. The clients built here wait as long as the operation timeout.) For calls made through this client the three settings replace the SDK client's own operation timeout, attempt timeout and retry
/// configuration. Its connect and read timeouts stay in force. Between attempts it pauses for up to 50 ms, doubling
/// each time to at most 1 s, at random (full jitter), and it never pauses past the deadline.
///
/// # Runtimes
///
/// Deadlines use the SDK client's sleep implementation, or tokio's where it has none. A tokio runtime with its
/// timer enabled must then be running where the call is made; if it is not, the call is an [`ErrorKind::Config`] error.
///
/// Current-thread and multi-thread runtimes serve alike, and one client may be used from several, also from blocking callers
/// with a `block_on` per call. A pooled connection belongs to the runtime that opened it and ends with it; a call that
/// meets such a connection is retried on a new one. Where a current-thread runtime stays alive and is not driven, nobody serves the
/// connections it opened, and a call from another runtime that meets one waits for its attempt timeout first: give
/// such a runtime a client of its own.
///
/// A call that is dropped half-way leaves nothing behind. KMS may have made a signature by then; nobody gets it.
/// To end a client in order, [`drain`](Self::drain) it.
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
    timer: Timer,
    policy: Policy,
    gate: Gate,
}

/// How long a call may take and how often it may try.
#[derive(Clone, Copy, Debug)]
struct Policy {
    operation_timeout: Duration,
    attempt_timeout: Duration,
    max_attempts: u32,
}

impl Policy {
    /// An attempt with less time than this would end as a timeout and hide what the one before was told.
    fn shortest_attempt(&self) -> Duration {
        (self.operation_timeout / 20).min(Duration::from_millis(100))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { operation_timeout: Duration::from_secs(10), attempt_timeout: Duration::from_secs(5), max_attempts: 4 }
    }
}

/// What an error says about the call.
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

    /// Bounds one attempt from its transmission on, within what is left of the operation timeout. The default is 5 s.
    #[must_use]
    pub fn with_attempt_timeout(self, timeout: Duration) -> Self {
        self.with_policy(|policy| policy.attempt_timeout = timeout)
    }

    /// Bounds the number of attempts, the first one included. The default is 4; 0 is taken as 1.
    #[must_use]
    pub fn with_max_attempts(self, attempts: u32) -> Self {
        self.with_policy(|policy| policy.max_attempts = attempts.max(1))
    }

    /// Ends the client: no call is let in any more, here or on a clone, and those under way get until the deadline.
    ///
    /// For an orderly shutdown: stop taking work, drain, exit. Calls that come later fail with [`ErrorKind::Other`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if calls were still under way at the deadline; they go on to their own.
    /// [`ErrorKind::Config`] if no timer runs here; the client then goes on, too.
    ///
    /// Calls made through [`sdk`](Self::sdk) are neither counted nor stopped.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use core::time::Duration;
    /// # use kms_signer::{ErrorKind, KmsSigner, fake::FakeKms};
    /// # let fake = FakeKms::new();
    /// # let signer = KmsSigner::new(fake.client(), fake.create_key()?, None).await?;
    /// signer.client().drain(Duration::from_secs(5)).await?;
    /// assert_eq!(signer.preflight().await.unwrap_err().kind(), ErrorKind::Other);
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    pub async fn drain(&self, deadline: Duration) -> Result<()> {
        let Shared { timer, gate, .. } = &*self.0;
        let sleep = timer.sleep().map_err(|error| error.with_operation(Operation::Drain))?;
        gate.close();
        match select(pin!(gate.empty()), sleep.sleep(deadline)).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => {
                let message = format!("after {deadline:.1?} calls were still under way: {}", gate.inside());
                Err(Error::new(ErrorKind::Timeout, Operation::Drain, message))
            }
        }
    }

    fn with_policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut Arc::make_mut(&mut self.0).policy);
        self
    }

    /// `GetPublicKey` of a key, by any of its references.
    pub(crate) async fn get_public_key(&self, key: &str, grant_tokens: &[String]) -> Result<GetPublicKeyOutput> {
        let call = Call { operation: Operation::GetPublicKey, key, signs: false };
        let request = self.0.sdk.get_public_key().key_id(key).set_grant_tokens(non_empty(grant_tokens));
        self.call(call, |settings| Box::pin(request.clone().customize().config_override(settings).send())).await
    }

    /// `Sign` of a 32-byte digest with `ECDSA_SHA_256`. KMS signs the digest as it is, whatever hash made it.
    pub(crate) async fn sign_digest(&self, key: &str, digest: &B256, grant_tokens: &[String]) -> Result<SignOutput> {
        let call = Call { operation: Operation::Sign, key, signs: true };
        self.sign(call, digest, grant_tokens, false).await
    }

    /// `Sign` with `DryRun`: whether this caller could sign, without a signature.
    ///
    /// KMS answers a dry run that would have succeeded with `DryRunOperationException`. Emulators that ignore the
    /// parameter answer with a signature of 32 zero bytes, which says the same and is worth nothing: anybody can make a
    /// signature of zero for any key.
    pub(crate) async fn sign_dry_run(&self, key: &str, grant_tokens: &[String]) -> Result<()> {
        let call = Call { operation: Operation::Sign, key, signs: false };
        match self.sign(call, &B256::ZERO, grant_tokens, true).await {
            Err(error) if error.code() != Some(classify::DRY_RUN_SUCCEEDED) => Err(error),
            _ => Ok(()),
        }
    }

    async fn sign(&self, call: Call<'_>, digest: &B256, grant_tokens: &[String], dry_run: bool) -> Result<SignOutput> {
        let request = self
            .0
            .sdk
            .sign()
            .key_id(call.key)
            .message(Blob::new(digest.as_slice()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .set_grant_tokens(non_empty(grant_tokens))
            .set_dry_run(dry_run.then_some(true));
        self.call(call, |settings| Box::pin(request.clone().customize().config_override(settings).send())).await
    }

    /// Whether deadlines can be kept where this is called.
    pub(crate) fn check_sleep(&self) -> Result<()> {
        self.0.timer.sleep().map(drop)
    }

    /// The one loop: every attempt of every call passes here.
    async fn call<O, E>(&self, call: Call<'_>, send: impl Fn(config::Builder) -> Sending<O, E>) -> Result<O>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Shared { timer, policy, gate, .. } = &*self.0;
        let _pass = gate.enter().ok_or_else(|| drained(call))?;
        let sleep = timer.sleep().map_err(|error| error.with_operation(call.operation).with_key(call.key))?;
        let started = Instant::now();
        let left = || policy.operation_timeout.saturating_sub(started.elapsed());
        let mut may_have_signed = false;
        let mut clock_corrected = false;
        let mut number = 1;
        loop {
            let transmission = Transmission::default();
            let limit = left().min(policy.attempt_timeout);
            let sending = send(attempt::settings(left(), sleep.clone(), transmission.clone()));
            let lasting = pin!(transmission.lasts(policy.attempt_timeout, sleep));
            let result = match select(sending, lasting).await {
                Either::Left((result, _)) => result,
                Either::Right(((), _)) => Err(SdkError::timeout_error("the attempt timeout ended")),
            };
            let failure = match result {
                Ok(output) => return Ok(output),
                Err(failure) => failure,
            };
            let attempt = Attempt { limit, transmitted: transmission.has_begun(), clock_corrected };
            let (error, retry) = classify::classify(failure, call, attempt, policy);
            may_have_signed |= error.may_have_signed();
            let error = error.with_attempts(number).with_may_have_signed(may_have_signed);

            let pause = match retry {
                Retry::No => return Err(error),
                Retry::ClockCorrected => {
                    clock_corrected = true;
                    Duration::ZERO
                }
                Retry::AfterPause => attempt::pause_after(number),
            };
            if number >= policy.max_attempts || left() < pause + policy.shortest_attempt() {
                return Err(error);
            }
            if !pause.is_zero() {
                sleep.sleep(pause).await;
            }
            number += 1;
        }
    }
}

fn drained(call: Call<'_>) -> Error {
    Error::new(ErrorKind::Other, call.operation, "this client was drained and takes no more calls")
        .with_key(call.key)
        .with_remedy("build another client")
}

fn non_empty(tokens: &[String]) -> Option<Vec<String>> {
    (!tokens.is_empty()).then(|| tokens.to_vec())
}

impl From<aws_sdk_kms::Client> for KmsClient {
    fn from(sdk: aws_sdk_kms::Client) -> Self {
        let timer = Timer::of(&sdk);
        Self(Arc::new(Shared { sdk, timer, policy: Policy::default(), gate: Gate::default() }))
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
