//! `KmsSigner`: an alloy signer over one KMS key.

mod connect;
#[cfg(feature = "network")]
mod network;

use core::fmt;
use std::sync::{Arc, OnceLock};

use alloy_primitives::{Address, B256, ChainId, Signature};
use alloy_signer::Signer;
use async_trait::async_trait;
use aws_sdk_kms::{operation::sign::SignOutput, types::SigningAlgorithmSpec};
use futures_util::{Stream, StreamExt, future::join_all, stream};

use self::connect::FoundKey;
pub use self::connect::KmsSignerBuilder;
use crate::{
    client::{KmsClient, Where, answered_key, key_changed},
    error::{Error, ErrorKind, Operation, Result, one_line},
    key_ref::KeyRef,
    public_key::PublicKey,
    signature,
};

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
/// # Several Regions
///
/// With a client that has [other Regions to turn to](KmsClient::with_failover_client), the key must be a multi-Region key. At connect every Region that
/// can be reached must give the same public key. One that cannot be reached is no error; the client's
/// [observer](KmsClient::with_observer) is told. What it signs later is verified like everything else.
///
/// An alias is resolved in the first Region only, unless `expected_address` says whose key it must be: in another Region
/// the same alias may lead elsewhere.
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
        KmsSignerBuilder::new(client.into(), key.as_ref().to_owned())
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

    /// Checks that this signer can sign: `GetPublicKey`, and `Sign` with `DryRun`, which makes no signature. With several Regions it
    /// asks each, so that a right that is missing in the second is found before the first fails.
    ///
    /// Needs `kms:GetPublicKey` and `kms:Sign`. An emulator that ignores `DryRun` signs 32 zero bytes, and the signature is
    /// dropped.
    ///
    /// # Errors
    ///
    /// Those of signing, and [`ErrorKind::KeyChanged`] if the key is no longer the one that was connected to. A Region that
    /// cannot be reached is no error while another can.
    pub async fn preflight(&self) -> Result<()> {
        let places = self.shared.client.region_count();
        if places == 1 {
            return self.preflight_in(Where::Any).await;
        }
        let mut passed = false;
        let mut unreachable = Ok(());
        for result in join_all((0..places).map(|place| self.preflight_in(Where::Once(place)))).await {
            match result {
                Ok(()) => passed = true,
                Err(error) if error.is_retryable() => unreachable = Err(error),
                Err(error) => return Err(error),
            }
        }
        if passed { Ok(()) } else { unreachable }
    }

    async fn preflight_in(&self, place: Where) -> Result<()> {
        let Shared { client, grant_tokens, public_key, .. } = &*self.shared;
        let key = self.key();
        let read = |answer| match FoundKey::read(&answer, key)? {
            found if found.public_key == *public_key => Ok(()),
            _ => Err(Error::new(
                ErrorKind::KeyChanged,
                Operation::GetPublicKey,
                "the key's public key is not the one this signer was connected with",
            )),
        };
        client.get_public_key(key, grant_tokens, place, read).await?;
        client.sign_dry_run(key, grant_tokens, place).await
    }

    /// Signs many digests, as many at a time as the client's `max_in_flight` (64 unless set). The results come in the order of the
    /// digests, each its own. Digests are taken as results are: any number of them needs no more memory.
    ///
    /// A stream works only while it is polled, and what it has under way counts for all signers of the client: where the
    /// results are slow to use, take them out on a task of their own.
    ///
    /// Each digest is 32 bytes, signed as it is.
    pub fn sign_hashes<I>(&self, digests: I) -> impl Stream<Item = Result<Signature>> + Send + use<I>
    where
        I: IntoIterator<Item = B256>,
        I::IntoIter: Send,
    {
        let signer = self.clone();
        let at_once = self.shared.client.useful_concurrency();
        stream::iter(digests)
            .map(move |digest| {
                let signer = signer.clone();
                async move { signer.sign_digest(&digest).await }
            })
            .buffered(at_once)
    }

    /// The sign flow: `Sign`, then the answer's key, then the signature.
    async fn sign_digest(&self, digest: &B256) -> Result<Signature> {
        let shared = &*self.shared;
        let read = |answer: SignOutput| shared.read_signature(&answer, digest);
        shared.client.sign_digest(self.key(), digest, &shared.grant_tokens, read).await
    }
}

impl Shared {
    fn read_signature(&self, answer: &SignOutput, digest: &B256) -> Result<Signature> {
        let answered = answered_key(answer.key_id(), Operation::Sign)?;
        let expected = self.kept.get().unwrap_or(&self.given);
        if !expected.can_lead_to(&answered) {
            return Err(key_changed(expected, &answered, Operation::Sign));
        }
        let invalid = |message| Error::new(ErrorKind::InvalidResponse, Operation::Sign, message);
        // Some emulators leave it out.
        if let Some(algorithm) = answer.signing_algorithm().filter(|&used| *used != SigningAlgorithmSpec::EcdsaSha256) {
            return Err(invalid(format!(
                "the answer is signed with {}, not ECDSA_SHA_256",
                one_line(algorithm.as_str())
            )));
        }
        let der = answer.signature().ok_or_else(|| invalid("the answer has no Signature".to_owned()))?;
        let signature = signature::recover(der.as_ref(), digest, &self.public_key)?;
        // Only a verified answer says which key is ours. The first one stays.
        if self.kept.get().is_none() {
            self.client.check_replicable(&answered)?;
            self.kept.get_or_init(|| self.given.clone().narrowed_by(answered));
        }
        Ok(signature)
    }
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
