//! Tezos: keys on P-256 (`tz3…`) and secp256k1 (`tz2…`) in KMS as Tezos's accounts and bakers.
//!
//! What is signed is the Blake2b-256 of bytes that begin with a watermark, which says what they are: a block, an attestation, an operation. On
//! secp256k1, s is made low, because octez verifies with libsecp256k1, which takes no other; on P-256 octez verifies with HACL*, which takes both, and
//! s is left as KMS gave it (as in gotez's `crypt/ecdsa.go`).
//!
//! What may be signed is decided before, from the bytes: [`Request`] reads what they are, [`Policy`] says which may be signed, [`HighWatermarks`] that no
//! two blocks or attestations are signed at one level and round. The signer itself asks none of them.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # use kms_signer::{alloy_primitives::hex, fake::FakeKms, keys::{Keys, NewKey}};
//! use kms_signer::tezos::{self, Advance, HighWatermarks, Policy, Request, TezosSigner};
//!
//! # let fake = FakeKms::new();
//! # let key = Keys::new(fake.client()).create(NewKey::p256()).await?;
//! # let (client, key) = (fake.client(), key.arn());
//! let signer = TezosSigner::new(client, key).await?;
//! let policy = Policy::default(); // blocks, preattestations and attestations
//! let mut marks = HighWatermarks::default();
//!
//! # let bytes = hex!("13ed9d217cfc81eee810737b04018acef4db74d056b79edc43e6be46cae7e4c217c22a82f01500120000518d0000000003e7ea1f67dbb0bb6cfa372cb092cd9cf786b4f1b5e5139da95b915fb95e698d");
//! let request = Request::parse(&bytes)?;
//! policy.check(&request)?;
//! if marks.advance(&signer.public_key_hash(), &request, tezos::digest(&bytes))? == Advance::Raised {
//!     // Write `marks` to a disk before going on.
//! }
//! println!("{}", signer.sign(&bytes).await?); // p2sig…
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! # What it does not do
//!
//! It makes no operations and talks to no node. It has no Ed25519 and no BLS keys (`tz1…`, `tz4…`): their public key hashes and Ed25519 public keys are
//! read, for callers that sign what they ask.

mod base58;
mod chain_id;
mod contents;
mod micheline;
mod operation;
mod policy;
mod public_key;
mod public_key_hash;
mod reader;
mod request;
mod signature;
mod watermark;

use core::fmt;
use std::sync::Arc;

use alloy_primitives::B256;
use aws_sdk_kms::types::{KeySpec, MessageType, SigningAlgorithmSpec};
use blake2::{Blake2b256, Digest};

pub use self::{
    chain_id::ChainId,
    operation::{Ballot, Operation, OperationKind},
    policy::Policy,
    public_key::{Curve, PublicKey},
    public_key_hash::PublicKeyHash,
    request::{MAX_REQUEST, Position, Request, RequestKind},
    signature::Signature,
    watermark::{Advance, HighWatermarks, Mark, MarkKind},
};
use super::kms_key::{KmsKey, Settings, Wanted};
use crate::{
    client::{KmsClient, SignRequest},
    error::{self, Error, ErrorKind, Result},
    key_ref::KeyRef,
};

const WANTED: Wanted<'static> = Wanted {
    specs: &[KeySpec::EccNistP256, KeySpec::EccSecgP256K1],
    algorithm: &SigningAlgorithmSpec::EcdsaSha256,
    remedy: "create a key with KeySpec ECC_NIST_P256 (tz3) or ECC_SECG_P256K1 (tz2) and KeyUsage SIGN_VERIFY",
};

/// Blake2b-256 of bytes, 32 bytes: what Tezos signs.
pub fn digest(bytes: &[u8]) -> B256 {
    let digest: [u8; 32] = Blake2b256::digest(bytes).into();
    digest.into()
}

/// A signer whose private key, on P-256 or secp256k1, lives in AWS KMS.
///
/// Connecting makes one `GetPublicKey` request, each signature one `Sign` request with `DIGEST` and `ECDSA_SHA_256`; the caller needs
/// `kms:GetPublicKey` and `kms:Sign` on the key. Every signature is verified against the key before it is returned.
///
/// Clones are cheap and share the connection.
#[derive(Clone)]
pub struct TezosSigner(Arc<Shared>);

struct Shared {
    key: KmsKey,
    public_key: PublicKey,
    hash: PublicKeyHash,
}

/// Settings for a [`TezosSigner`].
#[derive(Clone)]
#[must_use = "it does nothing until `connect` is called"]
pub struct TezosSignerBuilder {
    settings: Settings,
    public_key: Option<PublicKey>,
    expected: Option<PublicKeyHash>,
}

impl TezosSigner {
    /// Connects to a key. For more settings see [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// As [`TezosSignerBuilder::connect`].
    pub async fn new(client: impl Into<KmsClient>, key: impl AsRef<str>) -> Result<Self> {
        Self::builder(client, key).connect().await
    }

    /// Settings for a signer; [`connect`](TezosSignerBuilder::connect) makes it. `key` is a key id, key ARN, alias name or alias ARN.
    pub fn builder(client: impl Into<KmsClient>, key: impl AsRef<str>) -> TezosSignerBuilder {
        TezosSignerBuilder { settings: Settings::new(client.into(), key.as_ref()), public_key: None, expected: None }
    }

    /// The public key every signature is verified against.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The public key hash: the account's address.
    pub fn public_key_hash(&self) -> PublicKeyHash {
        self.0.hash
    }

    /// The key as it is sent to KMS: the key ARN found at connect, or what was given, where nothing has been asked yet.
    pub fn key(&self) -> &KeyRef {
        self.0.key.reference()
    }

    /// The client requests go through.
    pub fn client(&self) -> &KmsClient {
        self.0.key.client()
    }

    /// Signs the Blake2b-256 of bytes, which are given with their watermark and may be of any length. Needs `kms:Sign`.
    ///
    /// # Errors
    ///
    /// Those of a request. What does not verify is [`ErrorKind::SignatureMismatch`].
    pub async fn sign(&self, bytes: &[u8]) -> Result<Signature> {
        let Shared { key, public_key, .. } = &*self.0;
        let digest = digest(bytes);
        key.sign(&request(&digest), |der| public_key.read_der(der, &digest)).await
    }

    /// Checks that this signer can sign: `GetPublicKey`, and `Sign` with `DryRun`, which makes no signature.
    ///
    /// # Errors
    ///
    /// Those of signing, and [`ErrorKind::KeyChanged`] if the key is no longer the one that was connected to.
    pub async fn preflight(&self) -> Result<()> {
        let Shared { key, public_key, .. } = &*self.0;
        key.preflight(WANTED, &request(&digest(b"preflight")), public_key, PublicKey::from_spki_der).await
    }
}

impl TezosSignerBuilder {
    /// The key's public key, if you have it: connecting then makes no request at all. Every signature is still verified against it.
    pub fn public_key(mut self, public_key: PublicKey) -> Self {
        self.public_key = Some(public_key);
        self
    }

    /// Refuses to start on a key with another public key hash.
    pub fn expected(mut self, hash: PublicKeyHash) -> Self {
        self.expected = Some(hash);
        self
    }

    /// Keeps sending the reference as it was given, for policy conditions on `kms:RequestAlias`.
    pub fn as_given(mut self) -> Self {
        self.settings.as_given = true;
        self
    }

    /// Sent with every request. May be called more than once.
    pub fn grant_token(mut self, token: impl Into<String>) -> Self {
        self.settings.grant_tokens.push(token.into());
        self
    }

    /// Connects. Needs `kms:GetPublicKey`, unless the public key is known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] for what is no key reference, [`ErrorKind::KeyUnsuitable`] for a key of another kind,
    /// [`ErrorKind::AddressMismatch`] for another public key hash than the expected one, and those of a request.
    pub async fn connect(self) -> Result<TezosSigner> {
        let given = self.settings.key.clone();
        let failed = |kind, message| Error::new(kind, error::Operation::Connect, message).with_key(given.clone());
        let (key, public_key) = match self.public_key {
            Some(public_key) if public_key.curve() == Curve::Ed25519 => {
                return Err(failed(ErrorKind::KeyUnsuitable, format!("{public_key} is an Ed25519 key"))
                    .with_remedy(WANTED.remedy));
            }
            Some(public_key) => (self.settings.known()?, public_key),
            None => self.settings.find(WANTED, PublicKey::from_spki_der).await?,
        };
        let hash = public_key.hash();
        if let Some(expected) = self.expected.filter(|expected| *expected != hash) {
            let message = format!("the key's public key hash is {hash}, not the expected {expected}");
            return Err(failed(ErrorKind::AddressMismatch, message));
        }
        Ok(TezosSigner(Arc::new(Shared { key, public_key, hash })))
    }
}

fn request(digest: &B256) -> SignRequest<'_> {
    SignRequest { message: digest.as_slice(), message_type: &MessageType::Digest, algorithm: WANTED.algorithm }
}

/// The public key hash and the key; never a credential or a grant token.
impl fmt::Debug for TezosSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TezosSigner")
            .field("public_key_hash", &self.public_key_hash())
            .field("key", self.key())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TezosSignerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TezosSignerBuilder")
            .field("public_key", &self.public_key)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}
