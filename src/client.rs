//! `KmsClient`: an SDK client with a deadline on every call, one owner of retries, limits, and other Regions to turn to.
//!
//! A call is a loop over attempts (`call`); an attempt is one attempt of the SDK, whose own retries are off for our calls. The
//! whole loop lies within the operation timeout.

mod answered;
mod attempt;
mod call;
#[cfg(feature = "seal")]
mod cipher;
mod classify;
#[cfg(feature = "connect")]
mod connect;
mod gate;
#[cfg(feature = "guard")]
pub(crate) mod heard;
mod limit;
#[cfg(feature = "keys")]
mod manage;
#[cfg(any(feature = "tezos", feature = "solana", feature = "stellar"))]
mod message;
mod regions;
mod settings;
#[cfg(feature = "connect")]
mod transport;

use core::{fmt, pin::pin, time::Duration};
use std::sync::Arc;

use alloy_primitives::B256;
use aws_sdk_kms::{
    Client,
    config::AsyncSleep,
    error::ProvideErrorMetadata,
    operation::{RequestId, get_public_key::GetPublicKeyOutput, sign::SignOutput},
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use futures_util::future::{Either, select};

pub(crate) use self::answered::{answered_key, key_changed};
#[cfg(feature = "seal")]
pub(crate) use self::cipher::CipherOptions;
#[cfg(feature = "connect")]
pub use self::connect::{AssumeRole, KmsClientBuilder};
#[cfg(any(feature = "tezos", feature = "solana", feature = "stellar"))]
pub(crate) use self::message::SignRequest;
use self::{
    attempt::Timer,
    call::{Call, Effect, Exchange, Run, Sending},
    gate::Gate,
    limit::Limits,
    regions::{Places, Regions},
    settings::Policy,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
    observe::Observer,
};

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
/// | max attempts | 4 | the first one included; throttled ones are not counted, except with 1, where nothing is tried again |
///
/// Loading credentials counts towards the operation timeout only: a role or a credential process may take longer than
/// KMS takes to answer. (The SDK bounds it, too: on a client of your own, with retries off as here, by 6.2 s, unless you set its
/// identity cache's `load_timeout`. The clients built here wait as long as the operation timeout.) For calls made through this client the three settings replace the SDK client's own operation timeout, attempt timeout and retry
/// configuration. Its connect and read timeouts stay in force. Between attempts it pauses for up to 50 ms, doubling
/// each time to at most 1 s, at random (full jitter), and it never pauses past the deadline.
///
/// # Limits
///
/// | setting | default | |
/// |---|---|---|
/// | max in flight | 64 | requests under way at a time; over HTTP/1.1 as many connections |
/// | max queued | 10,000 | calls that may wait for their turn |
/// | requests per second | none | |
///
/// They hold for all clones and all signers of a client, in each Region by itself, and for signing, for symmetric encryption and for everything else
/// by itself, as KMS's quotas do. Calls go strictly first in, first out; one that tries again goes before all that came after it. A call
/// that finds the queue full fails at once with [`ErrorKind::Throttled`], and so does one that cannot be let out before its deadline.
///
/// When KMS throttles, whatever the settings, the queue slows down to what KMS gives and then tries for more, slowly at first. A
/// throttled request was not carried out; it waits at the front of the queue, until the deadline.
///
/// # Regions
///
/// A client may have other Regions to turn to with [`with_failover_client`](Self::with_failover_client), for signers of multi-Region keys
/// (`mrk-…`). Calls go to the first Region. When it does not answer, or answers that it cannot serve, the next one is asked at once, and the failed
/// one is left for a second, then for twice as long each time, to at most 30 s; then one call tries it again. A Region that
/// throttles is not left, and neither is one that refuses. A refusal of the first Region is final: a key that was disabled there
/// signs in no other, unless the first cannot be asked or a hedge is faster.
/// With [`with_hedge_after`](Self::with_hedge_after) a second Region is asked when the first one is slow.
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
/// A call that is dropped half-way leaves nothing behind here. KMS may have made a signature by then; nobody gets it. (What a dropped
/// `Keys::create` leaves in KMS is said there.)
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
    regions: Regions,
    timer: Timer,
    policy: Policy,
    gate: Gate,
    observer: Option<Arc<dyn Observer>>,
}

/// Which of a client's Regions a call may go to.
#[derive(Clone, Copy)]
pub(crate) enum Where {
    /// Any, in order of preference.
    Any,
    /// The one at this place only.
    At(usize),
    /// The one at this place only, once.
    Once(usize),
}

impl Where {
    /// The first Region only.
    pub(crate) const FIRST: Self = Self::At(0);
}

impl KmsClient {
    /// The SDK client underneath, for calls this crate does not make. They keep that client's own settings.
    /// With several Regions it is the first one's.
    pub fn sdk(&self) -> &Client {
        &self.0.regions.first.sdk
    }

    /// The Region requests go to, if one is set. With several Regions it is the first one.
    pub fn region(&self) -> Option<&str> {
        self.0.regions.first.name()
    }

    /// The Regions requests go to, in order of preference. One without a name is left out.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.0.regions.all().filter_map(|region| region.name())
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

    /// How many calls at once keep the queue busy and are sure to be let out in time.
    pub(crate) fn useful_concurrency(&self) -> usize {
        let Limits { max_in_flight, requests_per_second, .. } = self.0.regions.first.limits();
        requests_per_second.map_or(max_in_flight, |rate| rate.min(max_in_flight)) as usize
    }

    pub(crate) fn region_count(&self) -> usize {
        self.0.regions.len()
    }

    pub(crate) fn region_at(&self, place: usize) -> Option<&str> {
        self.0.regions.at(place).name()
    }

    /// `GetPublicKey` of a key, by any of its references.
    pub(crate) async fn get_public_key<T>(
        &self,
        key: &KeyRef,
        grant_tokens: &[String],
        place: Where,
        read: impl Fn(GetPublicKeyOutput) -> Result<T>,
    ) -> Result<T> {
        let send = |sdk: &Client, key: &str, settings| -> Sending<_, _> {
            let request = sdk.get_public_key().key_id(key).set_grant_tokens(non_empty(grant_tokens));
            Box::pin(request.customize().config_override(settings).send())
        };
        self.call(Operation::GetPublicKey, Some(key), Effect::Repeatable, place, Exchange { send, read }).await
    }

    /// `Sign` of a 32-byte digest with `ECDSA_SHA_256`. KMS signs the digest as it is, whatever hash made it.
    pub(crate) async fn sign_digest<T>(
        &self,
        key: &KeyRef,
        digest: &B256,
        grant_tokens: &[String],
        read: impl Fn(SignOutput) -> Result<T>,
    ) -> Result<T> {
        let exchange = Exchange { send: sign(digest, grant_tokens, false), read };
        self.call(Operation::Sign, Some(key), Effect::Signature, Where::Any, exchange).await
    }

    /// `Sign` with `DryRun`: whether this caller could sign, without a signature.
    ///
    /// KMS answers a dry run that would have succeeded with `DryRunOperationException`. Emulators that ignore the
    /// parameter answer with a signature of 32 zero bytes, which says the same and is worth nothing: anybody can make a
    /// signature of zero for any key.
    pub(crate) async fn sign_dry_run(&self, key: &KeyRef, grant_tokens: &[String], place: Where) -> Result<()> {
        let exchange = Exchange { send: sign(&B256::ZERO, grant_tokens, true), read: |_| Ok(()) };
        match self.call(Operation::Sign, Some(key), Effect::Repeatable, place, exchange).await {
            Err(error) if error.code() != Some(classify::DRY_RUN_SUCCEEDED) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether deadlines can be kept where this is called.
    pub(crate) fn check_sleep(&self) -> Result<()> {
        self.0.timer.sleep().map(drop)
    }

    async fn call<O, E, T, S, R>(
        &self,
        operation: Operation,
        key: Option<&KeyRef>,
        effect: Effect,
        place: Where,
        exchange: Exchange<S, R>,
    ) -> Result<T>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        S: Fn(&Client, &str, aws_sdk_kms::config::Builder) -> Sending<O, E>,
        R: Fn(O) -> Result<T>,
    {
        let Shared { timer, policy, gate, .. } = &*self.0;
        let about_key = |error: Error| match key {
            Some(key) => error.with_key(key.as_ref()),
            None => error,
        };
        let pass = gate.enter().ok_or_else(|| about_key(drained(operation)))?;
        let sleep = timer.sleep().map_err(|error| about_key(error.with_operation(operation)))?;
        let (without, max_attempts) = match place {
            Where::Any => (Places::default(), policy.max_attempts),
            Where::At(place) => (Places::all_but(place), policy.max_attempts),
            Where::Once(place) => (Places::all_but(place), 1),
        };
        let call = Call { operation, key, effect, without, max_attempts };
        Run::new(&self.0, call, sleep, pass.number).finish(exchange).await
    }
}

fn sign<'a>(
    digest: &'a B256,
    grant_tokens: &'a [String],
    dry_run: bool,
) -> impl Fn(&Client, &str, aws_sdk_kms::config::Builder) -> Sending<SignOutput, aws_sdk_kms::operation::sign::SignError> + 'a
{
    move |sdk, key, settings| {
        let request = sdk
            .sign()
            .key_id(key)
            .message(Blob::new(digest.as_slice()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .set_grant_tokens(non_empty(grant_tokens))
            .set_dry_run(dry_run.then_some(true));
        Box::pin(request.customize().config_override(settings).send())
    }
}

fn drained(operation: Operation) -> Error {
    Error::new(ErrorKind::Other, operation, "this client was drained and takes no more calls")
        .with_remedy("build another client")
}

fn non_empty(tokens: &[String]) -> Option<Vec<String>> {
    (!tokens.is_empty()).then(|| tokens.to_vec())
}

impl From<aws_sdk_kms::Client> for KmsClient {
    fn from(sdk: aws_sdk_kms::Client) -> Self {
        let timer = Timer::of(&sdk);
        let regions = Regions::one(sdk, Limits::default());
        Self(Arc::new(Shared { regions, timer, policy: Policy::default(), gate: Gate::default(), observer: None }))
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

/// Regions and settings; never the SDK's configuration, which holds a credentials provider.
impl fmt::Debug for KmsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsClient")
            .field("regions", &self.regions().collect::<Vec<_>>())
            .field("policy", &self.0.policy)
            .field("limits", &self.0.regions.first.limits())
            .finish_non_exhaustive()
    }
}

/// A set-up that no call can succeed with.
fn misconfigured(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, Operation::Connect, message)
}
