//! `KmsSigner`: an alloy signer over one KMS key.

#[cfg(feature = "network")]
mod network;

use core::fmt;
use std::sync::{Arc, OnceLock};

use alloy_primitives::{Address, B256, ChainId, Signature};
use alloy_signer::Signer;
use async_trait::async_trait;
use aws_sdk_kms::{
    operation::{RequestId, get_public_key::GetPublicKeyOutput, sign::SignOutput},
    types::{KeySpec, KeyUsageType, SigningAlgorithmSpec},
};
use futures_util::{Stream, StreamExt, stream};

use crate::{
    client::KmsClient,
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
    public_key::PublicKey,
    signature,
};

/// How many requests [`KmsSigner::sign_hashes`] keeps under way.
const STREAM_CONCURRENCY: usize = 32;

/// An alloy [`Signer`] whose private key lives in AWS KMS and never leaves it.
///
/// Connecting makes one `GetPublicKey` request; each signature is one `Sign` request. The caller needs
/// `kms:GetPublicKey` and `kms:Sign` on the key, and nothing else. Every signature is verified against the key that was
/// found at connect before it is returned, and is low-S (EIP-2) with its y-parity.
///
/// Clones are cheap and share the connection.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use alloy_signer::Signer;
/// use kms_signer::{KmsSigner, fake::FakeKms};
///
/// let fake = FakeKms::new();
/// let key = fake.create_key()?;
///
/// let signer = KmsSigner::new(fake.client(), key, Some(1)).await?;
/// let signature = signer.sign_message(b"hello").await?;
/// assert_eq!(signature.recover_address_from_msg("hello")?, signer.address());
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
///
/// # Which key signs
///
/// An alias is resolved once, at connect. From then on the key ARN is sent, so that an alias that is pointed
/// elsewhere later does not change what a running signer signs with. Where a policy condition on
/// `kms:RequestAlias` needs the alias sent, use [`as_given`](KmsSignerBuilder::as_given): if the alias then leads to another key,
/// signing fails with [`ErrorKind::KeyChanged`].
///
/// # Chain id
///
/// It concerns transactions only: one without a chain id gets it, one with another is refused. It does not change hashes,
/// messages or typed data. A legacy transaction without a chain id, signed by a signer without one, can be replayed on
/// every chain, as with alloy's other signers.
///
/// # What it does not do
///
/// `sign_hash` signs the 32 bytes as they are: no hashing, no prefix. Nonces and gas are the provider's business.
#[derive(Clone)]
pub struct KmsSigner {
    shared: Arc<Shared>,
    chain_id: Option<ChainId>,
}

struct Shared {
    client: KmsClient,
    given: KeyRef,
    as_given: bool,
    grant_tokens: Vec<String>,
    public_key: PublicKey,
    address: Address,
    /// The key that answered first, verified: what every later answer must come from.
    kept: OnceLock<KeyRef>,
}

impl KmsSigner {
    /// Connects to a key. For more settings see [`builder`](Self::builder).
    ///
    /// `client` is an [`aws_sdk_kms::Client`] or a [`KmsClient`]; `key` is a key id, key ARN, alias name or alias ARN.
    /// Needs `kms:GetPublicKey` on the key.
    ///
    /// # Errors
    ///
    /// As [`KmsSignerBuilder::connect`].
    pub async fn new(client: impl Into<KmsClient>, key: impl AsRef<str>, chain_id: Option<ChainId>) -> Result<Self> {
        let mut signer = Self::builder(client, key).connect().await?;
        signer.chain_id = chain_id;
        Ok(signer)
    }

    /// Connects to a key with the default chain's credentials. The Region is the ARN's where the key is an ARN, else
    /// the environment's. See [`KmsClient::from_env`].
    ///
    /// # Errors
    ///
    /// As [`KmsClient::from_env`] and [`KmsSignerBuilder::connect`].
    #[cfg(feature = "connect")]
    pub async fn from_env(key: impl AsRef<str>) -> Result<Self> {
        let client = KmsClient::builder().for_key(&key).build().await?;
        Self::builder(client, key).connect().await
    }

    /// Settings for a signer; [`connect`](KmsSignerBuilder::connect) makes it.
    pub fn builder(client: impl Into<KmsClient>, key: impl AsRef<str>) -> KmsSignerBuilder {
        KmsSignerBuilder {
            client: client.into(),
            key: key.as_ref().to_owned(),
            chain_id: None,
            expected_address: None,
            public_key: None,
            as_given: false,
            grant_tokens: Vec::new(),
        }
    }

    /// The signer's Ethereum address.
    pub fn address(&self) -> Address {
        self.shared.address
    }

    /// The public key every signature is verified against.
    pub fn public_key(&self) -> &PublicKey {
        &self.shared.public_key
    }

    /// The key as it is sent to KMS: the key ARN found at connect, or what was given, with
    /// [`as_given`](KmsSignerBuilder::as_given) or where nothing has been asked yet.
    pub fn key(&self) -> &KeyRef {
        match self.shared.kept.get() {
            Some(kept) if !self.shared.as_given => kept,
            _ => &self.shared.given,
        }
    }

    /// The client requests go through.
    pub fn client(&self) -> &KmsClient {
        &self.shared.client
    }

    /// The chain id that is applied to transactions.
    pub fn chain_id(&self) -> Option<ChainId> {
        self.chain_id
    }

    /// Checks that this signer can sign: `GetPublicKey`, and `Sign` with `DryRun`, which makes no signature.
    ///
    /// Needs `kms:GetPublicKey` and `kms:Sign`. An emulator that ignores `DryRun` signs 32 zero bytes, and the signature is
    /// dropped.
    ///
    /// # Errors
    ///
    /// Those of signing, and [`ErrorKind::KeyChanged`] if the key is no longer the one that was connected to.
    pub async fn preflight(&self) -> Result<()> {
        let shared = &*self.shared;
        let answer = shared.client.get_public_key(self.key().as_ref(), &shared.grant_tokens).await?;
        let found = FoundKey::read(&answer, self.key())?;
        if found.public_key != shared.public_key {
            let message = "the key's public key is not the one this signer was connected with";
            return Err(Error::new(ErrorKind::KeyChanged, Operation::GetPublicKey, message)
                .with_key(self.key().as_ref())
                .with_request_id(answer.request_id()));
        }
        shared.client.sign_dry_run(self.key().as_ref(), &shared.grant_tokens).await
    }

    /// Signs many digests, a bounded number of them at a time. The results come in the order of the digests, each its own.
    ///
    /// Each digest is 32 bytes, signed as it is.
    pub fn sign_hashes<I>(&self, digests: I) -> impl Stream<Item = Result<Signature>> + Send + use<I>
    where
        I: IntoIterator<Item = B256>,
        I::IntoIter: Send,
    {
        let signer = self.clone();
        stream::iter(digests)
            .map(move |digest| {
                let signer = signer.clone();
                async move { signer.sign_digest(&digest).await }
            })
            .buffered(STREAM_CONCURRENCY)
    }

    /// The sign flow: `Sign`, then the answer's key, then the signature.
    async fn sign_digest(&self, digest: &B256) -> Result<Signature> {
        let shared = &*self.shared;
        let key = self.key();
        let answer = shared.client.sign_digest(key.as_ref(), digest, &shared.grant_tokens).await?;
        shared.read_signature(&answer, digest).map_err(|error| {
            error
                .with_operation(Operation::Sign)
                .with_key(key.as_ref())
                .with_request_id(answer.request_id())
                .with_may_have_signed(true)
        })
    }
}

impl Shared {
    fn read_signature(&self, answer: &SignOutput, digest: &B256) -> Result<Signature> {
        let answered = answered_key(answer.key_id(), Operation::Sign)?;
        let expected = self.kept.get().unwrap_or(&self.given);
        if !leads_to(expected, &answered) {
            return Err(key_changed(expected, &answered, Operation::Sign));
        }
        let der = answer
            .signature()
            .ok_or_else(|| Error::new(ErrorKind::InvalidResponse, Operation::Sign, "the answer has no Signature"))?;
        let signature = signature::recover(der.as_ref(), digest, &self.public_key)?;
        // Only a verified answer says which key is ours. The first one stays.
        self.kept.get_or_init(|| answered);
        Ok(signature)
    }
}

/// Settings for a [`KmsSigner`]. Made by [`KmsSigner::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until connect()"]
pub struct KmsSignerBuilder {
    client: KmsClient,
    key: String,
    chain_id: Option<ChainId>,
    expected_address: Option<Address>,
    public_key: Option<PublicKey>,
    as_given: bool,
    grant_tokens: Vec<String>,
}

impl KmsSignerBuilder {
    /// The chain id applied to transactions.
    pub fn chain_id(mut self, chain_id: ChainId) -> Self {
        self.chain_id = Some(chain_id);
        self
    }

    /// Refuses to start on a key with another address.
    pub fn expected_address(mut self, address: Address) -> Self {
        self.expected_address = Some(address);
        self
    }

    /// The public key, known beforehand: [`connect`](Self::connect) then makes no request at all, and
    /// `kms:GetPublicKey` is not needed. Every signature is still verified against it.
    pub fn public_key(mut self, public_key: PublicKey) -> Self {
        self.public_key = Some(public_key);
        self
    }

    /// Keeps sending the reference as it was given, for policies with a `kms:RequestAlias` condition. If the alias comes to lead to
    /// another key, signing fails with [`ErrorKind::KeyChanged`].
    pub fn as_given(mut self) -> Self {
        self.as_given = true;
        self
    }

    /// A grant token, sent with `GetPublicKey` and `Sign`, so that a grant can be used at once. May be called more than once.
    pub fn grant_token(mut self, token: impl Into<String>) -> Self {
        self.grant_tokens.push(token.into());
        self
    }

    /// Makes the signer: one `GetPublicKey` request, or none with a known [`public_key`](Self::public_key).
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidKeyRef`]: the key is no key id, key ARN, alias name or alias ARN.
    /// - [`ErrorKind::Config`]: the client has no Region or another one than the ARN, or no timer runs here.
    /// - [`ErrorKind::KeyUnsuitable`]: the key is not on secp256k1, or not for signing.
    /// - [`ErrorKind::AddressMismatch`]: it has another address than expected.
    /// - [`ErrorKind::KeyChanged`], [`ErrorKind::InvalidResponse`], [`ErrorKind::InvalidPublicKey`]: the answer is another key's, or not KMS's.
    /// - [`ErrorKind::KeyNotFound`], [`ErrorKind::KeyUnusable`], [`ErrorKind::AccessDenied`] and the other kinds that a request ends with.
    pub async fn connect(self) -> Result<KmsSigner> {
        let given: KeyRef = self.key.parse().map_err(|error: Error| error.with_operation(Operation::Connect))?;
        self.check_region(&given)?;
        self.client.check_sleep()?;
        let kept = OnceLock::new();
        let public_key = match &self.public_key {
            Some(public_key) => public_key.clone(),
            None => {
                let answer = self.client.get_public_key(given.as_ref(), &self.grant_tokens).await?;
                let found = FoundKey::read(&answer, &given)?;
                kept.get_or_init(|| found.key);
                found.public_key
            }
        };
        let address = public_key.address();
        if let Some(expected) = self.expected_address.filter(|expected| *expected != address) {
            let message = format!("the key's address is {address}, not the expected {expected}");
            return Err(Error::new(ErrorKind::AddressMismatch, Operation::Connect, message).with_key(given.as_ref()));
        }
        let Self { client, chain_id, as_given, grant_tokens, .. } = self;
        let shared = Shared { client, given, as_given, grant_tokens, public_key, address, kept };
        Ok(KmsSigner { shared: Arc::new(shared), chain_id })
    }

    fn check_region(&self, given: &KeyRef) -> Result<()> {
        let message = match (self.client.region(), given.region()) {
            (None, _) => "the client has no Region; set one when building it".to_owned(),
            (Some(client), Some(key)) if client != key => {
                format!("the key is in {key}, but the client is for {client}; build the client for the key's Region")
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Config, Operation::Connect, message).with_key(given.as_ref()))
    }
}

/// What `GetPublicKey` says of a key, checked.
struct FoundKey {
    key: KeyRef,
    public_key: PublicKey,
}

impl FoundKey {
    fn read(answer: &GetPublicKeyOutput, asked: &KeyRef) -> Result<Self> {
        Self::check(answer, asked).map_err(|error| {
            error.with_operation(Operation::GetPublicKey).with_key(asked.as_ref()).with_request_id(answer.request_id())
        })
    }

    fn check(answer: &GetPublicKeyOutput, asked: &KeyRef) -> Result<Self> {
        let unsuitable = |message| Err(Error::new(ErrorKind::KeyUnsuitable, Operation::GetPublicKey, message));
        let missing = |field: &str| {
            Error::new(ErrorKind::InvalidResponse, Operation::GetPublicKey, format!("the answer has no {field}"))
        };
        let key = answered_key(answer.key_id(), Operation::GetPublicKey)?;
        if !leads_to(asked, &key) {
            return Err(key_changed(asked, &key, Operation::GetPublicKey));
        }
        let spec = answer.key_spec().ok_or_else(|| missing("KeySpec"))?;
        if *spec != KeySpec::EccSecgP256K1 {
            return unsuitable(format!("the key's spec is {}, not ECC_SECG_P256K1", spec.as_str()));
        }
        let usage = answer.key_usage().ok_or_else(|| missing("KeyUsage"))?;
        if *usage != KeyUsageType::SignVerify {
            return unsuitable(format!("the key's usage is {}, not SIGN_VERIFY", usage.as_str()));
        }
        if !answer.signing_algorithms().contains(&SigningAlgorithmSpec::EcdsaSha256) {
            return unsuitable("the key does not sign with ECDSA_SHA_256".to_owned());
        }
        let spki = answer.public_key().ok_or_else(|| missing("PublicKey"))?;
        Ok(Self { key, public_key: PublicKey::from_spki_der(spki.as_ref())? })
    }
}

/// The key that KMS says it used.
fn answered_key(key_id: Option<&str>, operation: Operation) -> Result<KeyRef> {
    let invalid = |message| Error::new(ErrorKind::InvalidResponse, operation, message);
    let text = key_id.ok_or_else(|| invalid("the answer has no KeyId"))?;
    match text.parse() {
        Ok(key @ (KeyRef::Arn(_) | KeyRef::Id(_))) => Ok(key),
        _ => Err(invalid("the answer's KeyId is neither a key ARN nor a key id")),
    }
}

/// Whether a key that answered can be the one that was meant. An alias may lead to any key.
fn leads_to(meant: &KeyRef, answered: &KeyRef) -> bool {
    match meant {
        KeyRef::Alias(_) | KeyRef::AliasArn(_) => true,
        _ => meant.is_same_key(answered),
    }
}

fn key_changed(expected: &KeyRef, answered: &KeyRef, operation: Operation) -> Error {
    Error::new(ErrorKind::KeyChanged, operation, format!("the key {answered} answered, not {expected}"))
}

#[async_trait]
impl Signer for KmsSigner {
    async fn sign_hash(&self, hash: &B256) -> alloy_signer::Result<Signature> {
        Ok(self.sign_digest(hash).await?)
    }

    fn address(&self) -> Address {
        self.address()
    }

    fn chain_id(&self) -> Option<ChainId> {
        self.chain_id
    }

    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.chain_id = chain_id;
    }
}

/// Address, key and chain id; never a credential, a grant token or a digest.
impl fmt::Debug for KmsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSigner")
            .field("address", &self.address())
            .field("key", self.key())
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

/// As [`KmsSigner`]'s, without what only a request tells.
impl fmt::Debug for KmsSignerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSignerBuilder")
            .field("chain_id", &self.chain_id)
            .field("expected_address", &self.expected_address)
            .field("public_key", &self.public_key)
            .field("as_given", &self.as_given)
            .finish_non_exhaustive()
    }
}
