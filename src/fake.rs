//! FakeKms: an in-process KMS for tests, demos and first steps.
//!
//! It answers the KMS API's own protocol (AWS JSON 1.1) below the real `aws-sdk-kms` client, so that the real client is
//! what is tested. Keys live in memory and are gone with the last clone. **Not for production: its keys are protected
//! by nothing.**
//!
//! ```
//! use kms_signer::{
//!     alloy_primitives::B256,
//!     aws_sdk_kms::{primitives::Blob, types::{MessageType, SigningAlgorithmSpec}},
//!     fake::FakeKms,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let kms = FakeKms::new();
//! let key = kms.create_key()?;
//! kms.alias("alias/relayer", &key)?;
//!
//! let answer = kms
//!     .client()
//!     .sign()
//!     .key_id("alias/relayer")
//!     .message_type(MessageType::Digest)
//!     .message(Blob::new(B256::repeat_byte(7).as_slice()))
//!     .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
//!     .send()
//!     .await?;
//! assert_eq!(answer.key_id(), Some(key.to_string().as_str()));
//! assert_eq!(kms.requests().len(), 1);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it has
//!
//! `CreateKey` (`ECC_SECG_P256K1`, `ECC_NIST_P256`, `SYMMETRIC_DEFAULT`, single- and multi-Region), `GetPublicKey`,
//! `Sign`, `DescribeKey`, `CreateAlias`, `UpdateAlias`, `EnableKey`, `DisableKey`, `ScheduleKeyDeletion` and
//! `CancelKeyDeletion`, in account [`FakeKms::ACCOUNT`] and Region [`FakeKms::REGION`] or another. Signatures are as KMS makes
//! them: random nonce, high S about half the time, r and s of any length.
//!
//! # What it does not do
//!
//! It checks no credentials, request signatures, policies or grant tokens, has no quotas, encrypts nothing, and shows
//! new keys and aliases at once. [`Fault`]s stand in for what goes wrong in practice.

mod access;
mod answer;
mod clock;
mod context;
mod ecdsa;
mod eddsa;
mod exchange;
mod fault;
mod grant;
mod group;
mod input;
mod key;
mod operation;
mod page;
mod policy;
mod random;
mod refusal;
mod request;
mod store;
#[cfg(test)]
mod tests;
mod transport;
mod wrapping;

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;

use self::{
    clock::Clock,
    fault::Faults,
    group::Group,
    key::{Key, Material, Spec, Usage},
    policy::Policy,
    refusal::Refusal,
    request::Log,
    store::{Lookup, Store},
};
pub use self::{fault::Fault, request::Request};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyArn,
};

/// An in-process KMS. Clones share keys, faults, request log and clock.
///
/// See the [module documentation](self) for what it has and what it does not do.
#[derive(Clone)]
pub struct FakeKms(Arc<Shared>, Arc<Group>);

struct Shared {
    store: Store,
    faults: Faults,
    log: Log,
    clock: Clock,
    /// In microseconds.
    latency: AtomicU64,
}

impl FakeKms {
    /// The account that all its keys are in.
    pub const ACCOUNT: &str = "111122223333";
    /// The Region that it is in unless made for another.
    pub const REGION: &str = "us-east-1";

    /// An empty KMS: no keys, no aliases, no faults, the machine's clock.
    pub fn new() -> Self {
        Self::in_region(Self::REGION)
    }

    /// An empty KMS in another Region. It shares nothing with others until it is [joined](Self::join) to them, but what is
    /// [replicated](Self::replicate_key).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use alloy_signer::Signer;
    /// use kms_signer::{KmsClient, KmsSigner, fake::{FakeKms, Fault}};
    ///
    /// let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    /// let key = east.create_multi_region_key()?;
    /// east.replicate_key(&key, &west)?;
    ///
    /// let client = KmsClient::from(east.client()).with_failover_client(west.client());
    /// let signer = KmsSigner::new(client, key, None).await?;
    /// east.inject(Fault::disconnect().forever());
    /// signer.sign_message(b"hello").await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn in_region(region: &str) -> Self {
        let (faults, log, clock, latency) = Default::default();
        let shared = Arc::new(Shared { store: Store::new(region), faults, log, clock, latency });
        let group = Arc::new(Group::of(&shared));
        Self(shared, group)
    }

    /// The Region that all its keys are in.
    pub fn region(&self) -> &str {
        self.0.store.region()
    }

    /// A new SDK client of this KMS, with made-up credentials of an administrator, who may do everything. It never uses the network or the environment.
    ///
    /// Its retries, timeouts and back-off are the SDK's defaults. Its sleep implementation is tokio's: use it within a
    /// tokio runtime that has time enabled. A client rebuilt from its configuration with another sleep implementation
    /// uses that one and needs no tokio.
    #[must_use]
    pub fn client(&self) -> aws_sdk_kms::Client {
        transport::client(self.clone(), "fake", "fake")
    }

    /// As [`client`](Self::client), but what it asks is judged as asked by an IAM principal: a user, a role, a session of
    /// a role, or the root of an account. See [who may do what](self#who-may-do-what).
    ///
    /// A text that is not the ARN of a principal is that of somebody whom no policy can allow anything.
    #[must_use]
    pub fn client_as(&self, principal: &str) -> aws_sdk_kms::Client {
        let (id, secret) = self.access_key_for(principal);
        transport::client(self.clone(), &id, &secret)
    }

    /// The access key of a principal, id and secret, for a caller who comes over HTTP. It is always the same one.
    ///
    /// Signatures are not checked: the id in the `Authorization` header is what tells who calls.
    pub fn access_key_for(&self, principal: &str) -> (String, String) {
        self.1.with(|members| members.access.key_for(principal))
    }

    /// Attaches an IAM policy (JSON) to a principal, beside those it has. A session of a role has the policies of its role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not a policy, or has something in it that FakeKms does not know, such as
    /// `NotPrincipal`.
    pub fn attach_policy(&self, principal: &str, json: &str) -> Result<()> {
        let policy =
            Policy::of_identity(json).map_err(|wrong| Error::new(ErrorKind::Config, Operation::Fake, wrong))?;
        self.1.with(|members| members.access.attach(principal, policy));
        Ok(())
    }

    /// Makes a secp256k1 signing key (`ECC_SECG_P256K1`, `SIGN_VERIFY`) with random key material.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if the operating system gives no random numbers.
    pub fn create_key(&self) -> Result<KeyArn> {
        self.create(false)
    }

    /// As [`create_key`](Self::create_key), but a multi-Region key (`mrk-…`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if the operating system gives no random numbers.
    pub fn create_multi_region_key(&self) -> Result<KeyArn> {
        self.create(true)
    }

    /// Makes the KMS of two Regions, and all that either was joined to before, one account.
    ///
    /// `ReplicateKey` finds the others, and a request that is signed for the Region of another (in the credential scope of
    /// its `Authorization` header) is answered by that one, whichever it is sent to.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use kms_signer::fake::FakeKms;
    ///
    /// let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    /// east.join(&west)?;
    /// let key = east.create_multi_region_key()?;
    /// east.client().replicate_key().key_id(key.as_ref()).replica_region("us-west-2").send().await?;
    /// west.client().get_public_key().key_id(key.key_id().as_str()).send().await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if both have one of the same Region. Joining what is joined already does nothing.
    pub fn join(&self, other: &Self) -> Result<()> {
        Group::join(&self.1, &other.1).map_err(|region| {
            let message = format!("there are two FakeKms of Region {region}");
            Error::new(ErrorKind::Config, Operation::Fake, message)
        })
    }

    /// Makes a replica of a multi-Region key in the KMS of another Region, as `ReplicateKey` does: same id, same key
    /// material. They need not be [joined](Self::join).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyNotFound`] if there is no such key here; [`ErrorKind::KeyUnsuitable`] if it is no multi-Region
    /// primary key, or the other KMS is in the same Region or has a replica.
    pub fn replicate_key(&self, key: &KeyArn, to: &Self) -> Result<KeyArn> {
        let found = self
            .0
            .store
            .key(key.as_ref(), Lookup::of("ReplicateKey").within(), self.0.clock.now())
            .map_err(|refusal| refusal.into_error().with_key(key.as_ref()))?;
        let unsuitable =
            |message| Error::new(ErrorKind::KeyUnsuitable, Operation::Fake, message).with_key(key.as_ref());
        if !found.is_primary() || to.region() == self.region() {
            return Err(unsuitable("only a multi-Region primary key can have a replica, and only in another Region"));
        }
        let now = to.0.clock.now();
        let replica = to.0.store.insert_replica(found.replica(to.region(), now), now);
        replica.map_err(|_| unsuitable("it has a replica there"))?.arn.parse()
    }

    /// Makes a secp256k1 signing key of this secret, for instance one whose address a test node has funded.
    ///
    /// The same secret may be imported more than once; each import is a key of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the secret is zero or not below the order of the curve. The secret is not repeated.
    /// [`ErrorKind::Other`] if the operating system gives no random numbers.
    pub fn import_key(&self, secret: B256) -> Result<KeyArn> {
        let secret = k256::SecretKey::from_slice(secret.as_slice()).map_err(|_| {
            Error::new(ErrorKind::Config, Operation::Fake, "the secret is not between 1 and the order of secp256k1")
        })?;
        let add = || {
            let id = random::key_id(false)?;
            let mut key =
                Key::pending_import(id, self.region(), Spec::Secp256k1, Usage::SignVerify, self.0.clock.now());
            key.import(Material::Secp256k1(secret), None)?;
            Ok(self.add(key))
        };
        add().map_err(Refusal::into_error)?
    }

    /// Points an alias at a key: makes the alias, or retargets it if it exists.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] if `alias` is not `alias/` and 1 to 250 letters, digits, `/`, `_` and `-`, or begins
    /// with `alias/aws/`, which AWS reserves; [`ErrorKind::KeyNotFound`] if there is no such key here;
    /// [`ErrorKind::KeyUnusable`] if it is pending deletion.
    pub fn alias(&self, alias: &str, key: &KeyArn) -> Result<()> {
        let point = || {
            let name = store::check_alias_name(alias)?;
            let now = self.0.clock.now();
            let key = self.0.store.key(key.as_ref(), Lookup::of("CreateAlias").within(), now)?;
            key.check_not_pending_deletion()?;
            self.0.store.point_alias(name, &key, now);
            Ok(())
        };
        point().map_err(|refusal: Refusal| refusal.into_error().with_key(alias))
    }

    /// Queues a fault behind those already queued. A request takes the first that matches it.
    pub fn inject(&self, fault: Fault) {
        self.0.faults.push(fault);
    }

    /// Drops all queued faults. Requests that already took one still suffer it.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// The last 10,000 requests that arrived, oldest first, refused ones and those that met a fault included.
    ///
    /// A connection that [`Fault::refuse`] refused carried no request, and bodies of more than 256 KiB are not kept.
    pub fn requests(&self) -> Vec<Request> {
        self.0.log.requests()
    }

    /// Sets this KMS's clock to the machine's plus `offset` seconds; a negative one makes it late.
    ///
    /// It is what `Date` headers, creation dates and deletions go by. A request whose `X-Amz-Date` is more than 5
    /// minutes off is answered with `InvalidSignatureException`, as AWS does.
    pub fn set_clock(&self, offset: i64) {
        self.0.clock.set(offset);
    }

    /// Lets every answer take this long from now on, beside what a [`Fault`] adds. Requests do not wait for each other.
    pub fn set_latency(&self, latency: Duration) {
        self.0.latency.store(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Answers one HTTP request. Any HTTP server can host it: hand over every request, whole.
    ///
    /// The KMS protocol is `POST /` with `X-Amz-Target: TrentService.<operation>` and `Content-Type:
    /// application/x-amz-json-1.1`. Bodies of more than 256 KiB are answered with HTTP 413.
    ///
    /// [Connection faults](Fault#connection-faults) are not responses: they stay queued until a request comes through
    /// [`client`](Self::client). [`Fault::latency`] needs a tokio runtime with time enabled; where there is none it
    /// blocks the thread.
    pub async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let kms = self.addressed_by(&request);
        let spoilt = kms.0.faults.take_for_response(exchange::operation(&request));
        let reply = exchange::respond(&kms, &request, spoilt);
        transport::sleep(reply.latency).await;
        reply.response
    }

    /// The joined one of a Region.
    fn joined(&self, region: &str) -> Option<Self> {
        let shared = self.1.with(|members| members.regions.get(region).cloned())?;
        Some(Self(shared, Arc::clone(&self.1)))
    }

    /// The one whose Region a request is signed for, or this one if none is.
    fn addressed_by(&self, request: &http::Request<Bytes>) -> Self {
        let elsewhere = exchange::scope(request).filter(|(_, region)| *region != self.region());
        elsewhere.and_then(|(_, region)| self.joined(region)).unwrap_or_else(|| self.clone())
    }

    fn create(&self, multi_region: bool) -> Result<KeyArn> {
        let create = || {
            let id = random::key_id(multi_region)?;
            let material = Spec::Secp256k1.generate()?;
            Ok(self.add(Key::new(id, self.region(), material, Usage::SignVerify, self.0.clock.now())))
        };
        create().map_err(Refusal::into_error)?
    }

    fn add(&self, key: Key) -> Result<KeyArn> {
        let arn = key.arn.parse()?;
        self.0.store.insert(key);
        Ok(arn)
    }
}

impl Default for FakeKms {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts only: keys are secrets.
impl fmt::Debug for FakeKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeKms")
            .field("keys", &self.0.store.key_count())
            .field("aliases", &self.0.store.alias_count())
            .field("faults", &self.0.faults.len())
            .field("requests", &self.0.log.len())
            .finish()
    }
}
