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
//! Keys, in account [`FakeKms::ACCOUNT`] and Region [`FakeKms::REGION`] or [another](FakeKms::in_region):
//!
//! - specs `ECC_SECG_P256K1`, `ECC_NIST_P256`, `ECC_NIST_EDWARDS25519` and `SYMMETRIC_DEFAULT`; single- and
//!   multi-Region;
//! - `CreateKey`, `DescribeKey`, `UpdateKeyDescription`, `EnableKey`, `DisableKey`, `ScheduleKeyDeletion` and
//!   `CancelKeyDeletion`;
//! - `GetPublicKey` and `Sign`. ECDSA signatures are as KMS makes them: random nonce, high S about half the time, r and
//!   s of any length. Ed25519 signs whole messages (`ED25519_SHA_512`, `RAW`);
//! - `Encrypt`, `Decrypt`, `GenerateDataKey` and `GenerateDataKeyWithoutPlaintext` with symmetric keys and an encryption
//!   context. Multi-Region keys decrypt what their replicas encrypted;
//! - `CreateAlias`, `UpdateAlias`, `DeleteAlias`; `TagResource`, `UntagResource`;
//! - `ListKeys`, `ListAliases`, `ListResourceTags` and `ListGrants`, in pages, by id or name; quick with 10,000 keys;
//! - `GetParametersForImport`, `ImportKeyMaterial` and `DeleteImportedKeyMaterial`, for keys of origin `EXTERNAL`, with
//!   `RSA_AES_KEY_WRAP_SHA_256` and `RSAES_OAEP_SHA_256`. A token is good for what is wrapped under the key that came
//!   with it. All keys of a process share two RSA keys of each size, which take turns;
//! - `ReplicateKey`, between Regions that are [joined](FakeKms::join);
//! - `GetKeyPolicy`, `PutKeyPolicy`, `CreateGrant`, `RevokeGrant` and `RetireGrant`;
//! - on request, [a key of AWS's own](FakeKms::create_aws_managed_key), and an alias of AWS's own that leads to none.
//!
//! # Who may do what
//!
//! [`FakeKms::client`] is that of an administrator, whom no policy of the account or its keys refuses; so is every
//! access key that FakeKms has not given out. [`FakeKms::client_as`] makes the client of an IAM principal, whose
//! requests are judged.
//!
//! ```
//! use kms_signer::fake::FakeKms;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let kms = FakeKms::new();
//! let key = kms.create_key()?;
//! let relayer = "arn:aws:iam::111122223333:role/relayer";
//! let client = kms.client_as(relayer);
//! let refused = client.get_public_key().key_id(key.as_ref()).send().await.unwrap_err();
//! assert!(format!("{refused:?}").contains("no identity-based policy allows the kms:GetPublicKey action"));
//!
//! kms.attach_policy(
//!     relayer,
//!     r#"{"Statement": {"Effect": "Allow", "Action": ["kms:GetPublicKey", "kms:Sign"], "Resource": "*"}}"#,
//! )?;
//! client.get_public_key().key_id(key.as_ref()).send().await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! - An explicit denial wins. Then the key policy, a grant, or an IAM policy of an account that the key policy names is
//!   enough; principals of another account need the key policy or a grant, and an IAM policy. A key made without a
//!   policy has KMS's default one, which names the account.
//! - `CreateKey`, `ListKeys` and `ListAliases` need an IAM policy, as does an alias beside its keys. Tags for a new key
//!   need `kms:TagResource`; `ReplicateKey` needs `kms:CreateKey`, too.
//! - Conditions: `String…`, `Arn…` (each of the six parts of an ARN by itself), `Bool` and `Null`, with `IfExists`,
//!   `ForAnyValue:` and `ForAllValues:`, on `kms:` keys of the request, the key and the caller, `aws:RequestTag`,
//!   `aws:ResourceTag`, `aws:TagKeys`, `aws:PrincipalArn`, `aws:PrincipalAccount` and `aws:RequestedRegion`. Another
//!   operator, key or a `${variable}` counts as not met in an Allow and as met in a Deny.
//! - A key policy that would not let the caller change it again is malformed, unless the request says
//!   `BypassPolicyLockoutSafetyCheck`. For an administrator that is one that leaves the account out.
//! - A grant's encryption context constraints count for the operations that take a context.
//! - A grant is good at once for a request that has its grant token, and without it 5 minutes later by the FakeKms's
//!   clock. A token that is no grant's is refused, but not to an administrator. Who may give grants by a grant alone
//!   gives none of more operations or of wider constraints.
//! - Keys of AWS's own can be looked at, and neither used nor managed, not even by an administrator.
//!
//! # What it does not do
//!
//! It checks no request signatures, has no quotas, makes no `ED25519_PH_SHA_512` signatures, rotates no keys, and has
//! no service control policies, permission boundaries, session policies or `NotPrincipal`. It knows no principals but
//! takes every ARN that could be one's. What is made is there at once, and a changed policy holds at once.
//!
//! [`Fault`]s stand in for what goes wrong in practice: [`Fault::late_visibility`] for keys and aliases that are not
//! known everywhere yet, [`Fault::late_creation`] for a replica that is not ready yet, [`Fault::short_page`] for lists.

mod access;
mod answer;
mod aws_managed;
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
mod symmetric;
#[cfg(test)]
mod tests;
mod transport;
mod wrapping;

use core::{
    fmt,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
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
    /// How many times parameters for an import were given.
    imports: AtomicUsize,
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

    /// An empty KMS in another Region. It shares nothing with others until it is [joined](Self::join) to them, but what
    /// is [replicated](Self::replicate_key).
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
        let (faults, log, clock, latency, imports) = Default::default();
        let shared = Arc::new(Shared { store: Store::new(region), faults, log, clock, latency, imports });
        let group = Arc::new(Group::of(&shared));
        Self(shared, group)
    }

    /// The Region that all its keys are in.
    pub fn region(&self) -> &str {
        self.0.store.region()
    }

    /// A new SDK client of this KMS, with made-up credentials of an administrator
    /// ([who may do what](self#who-may-do-what)). It never uses the network or the environment.
    ///
    /// Its retries, timeouts and back-off are the SDK's defaults. Its sleep implementation is tokio's: use it within a
    /// tokio runtime that has time enabled. A client rebuilt from its configuration with another sleep implementation
    /// uses that one and needs no tokio.
    #[must_use]
    pub fn client(&self) -> aws_sdk_kms::Client {
        transport::client(self.clone(), "fake", "fake")
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
    /// [`ErrorKind::InvalidKeyRef`] if `alias` is not `alias/` and 1 to 250 letters, digits, `/`, `_` and `-`, or
    /// begins with `alias/aws/`, which AWS reserves; [`ErrorKind::KeyNotFound`] if there is no such key here;
    /// [`ErrorKind::KeyUnusable`] if it is pending deletion or being created.
    pub fn alias(&self, alias: &str, key: &KeyArn) -> Result<()> {
        let point = || {
            let name = store::check_alias_name(alias)?;
            let now = self.0.clock.now();
            let key = self.0.store.key(key.as_ref(), Lookup::of("CreateAlias").within(), now)?;
            key.check_manageable()?;
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
    /// A connection that [`Fault::refuse`] refused carried no request, and bodies of more than 256 KiB are not kept. What
    /// was to be encrypted is not kept either: `Plaintext` is left out of the body.
    pub fn requests(&self) -> Vec<Request> {
        self.0.log.requests()
    }

    /// Sets this KMS's clock to the machine's plus `offset` seconds; a negative one makes it late.
    ///
    /// It is what `Date` headers, creation dates and deletions go by. A request whose `X-Amz-Date` is more than 5
    /// minutes off is answered with `InvalidSignatureException`, as AWS does. An SDK client finds out about a clock
    /// once: take a new one when the clock is set again.
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
