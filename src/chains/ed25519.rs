//! Ed25519 keys in KMS, as Solana and Stellar use them.
//!
//! KMS has them since November 2025 (`ECC_NIST_EDWARDS25519`). It signs messages as they are (`ED25519_SHA_512`, RFC 8032's PureEdDSA), of 4096
//! bytes at most: there is no digest to send in place of a longer one.

mod public_key;
mod signature;

use core::fmt;
use std::sync::Arc;

use aws_sdk_kms::types::{KeySpec, MessageType, SigningAlgorithmSpec};

pub use self::{public_key::PublicKey, signature::Signature};
use super::kms_key::{KmsKey, Settings, Wanted};
use crate::{
    client::{KmsClient, SignRequest},
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// The longest message that KMS takes, in bytes.
pub const MAX_MESSAGE: usize = 4096;

const WANTED: Wanted<'static> = Wanted {
    specs: &[KeySpec::EccNistEdwards25519],
    algorithm: &SigningAlgorithmSpec::Ed25519Sha512,
    remedy: "create a key with KeySpec ECC_NIST_EDWARDS25519 and KeyUsage SIGN_VERIFY",
};

/// A signer whose Ed25519 private key lives in AWS KMS.
///
/// Connecting makes one `GetPublicKey` request, each signature one `Sign` request; the caller needs `kms:GetPublicKey` and `kms:Sign` on the key. Every
/// signature is verified against the key before it is returned, strictly: with a canonical s and no point of small order.
///
/// Clones are cheap and share the connection.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kms_signer::{ed25519::Ed25519Signer, fake::FakeKms, keys::{Keys, NewKey}};
///
/// let fake = FakeKms::new();
/// let key = Keys::new(fake.client()).create(NewKey::ed25519()).await?;
/// let signer = Ed25519Signer::new(fake.client(), key.arn()).await?;
/// let signature = signer.sign(b"hello").await?;
/// signer.public_key().verify(b"hello", &signature)?;
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Ed25519Signer(Arc<Shared>);

struct Shared {
    key: KmsKey,
    public_key: PublicKey,
}

/// Settings for an [`Ed25519Signer`].
#[derive(Clone)]
#[must_use = "it does nothing until `connect` is called"]
pub struct Ed25519SignerBuilder {
    settings: Settings,
    public_key: Option<PublicKey>,
    expected_public_key: Option<PublicKey>,
}

impl Ed25519Signer {
    /// Connects to a key. For more settings see [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// As [`Ed25519SignerBuilder::connect`].
    pub async fn new(client: impl Into<KmsClient>, key: impl AsRef<str>) -> Result<Self> {
        Self::builder(client, key).connect().await
    }

    /// Settings for a signer; [`connect`](Ed25519SignerBuilder::connect) makes it. `key` is a key id, key ARN, alias name or alias ARN.
    pub fn builder(client: impl Into<KmsClient>, key: impl AsRef<str>) -> Ed25519SignerBuilder {
        Ed25519SignerBuilder {
            settings: Settings::new(client.into(), key.as_ref()),
            public_key: None,
            expected_public_key: None,
        }
    }

    /// The public key every signature is verified against.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The key as it is sent to KMS: the key ARN found at connect, or what was given, where nothing has been asked yet.
    pub fn key(&self) -> &KeyRef {
        self.0.key.reference()
    }

    /// The client requests go through.
    pub fn client(&self) -> &KmsClient {
        self.0.key.client()
    }

    /// Signs a message of at most 4096 bytes, as it is. Needs `kms:Sign`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a longer message, of which nothing is sent; and those of a request. What does not verify
    /// is [`ErrorKind::SignatureMismatch`].
    pub async fn sign(&self, message: &[u8]) -> Result<Signature> {
        self.check_length(message)?;
        let Shared { key, public_key } = &*self.0;
        let read = |bytes: &[u8]| {
            let signature = Signature::from_slice(bytes)?;
            public_key.verify(message, &signature)?;
            Ok(signature)
        };
        key.sign(&request(message), read).await
    }

    fn check_length(&self, message: &[u8]) -> Result<()> {
        if message.len() <= MAX_MESSAGE {
            return Ok(());
        }
        let text = format!("the message has {} bytes, and KMS signs {MAX_MESSAGE} at most with Ed25519", message.len());
        Err(Error::new(ErrorKind::Config, Operation::Sign, text).with_key(self.key().as_ref()).with_remedy(
            "Ed25519 signs messages as they are, so no digest can stand for a longer one: sign its hash if its reader expects that, or send less",
        ))
    }

    /// Checks that this signer can sign: `GetPublicKey`, and `Sign` with `DryRun`, which makes no signature. With several Regions it asks each.
    ///
    /// # Errors
    ///
    /// Those of signing, and [`ErrorKind::KeyChanged`] if the key is no longer the one that was connected to.
    pub async fn preflight(&self) -> Result<()> {
        let Shared { key, public_key } = &*self.0;
        key.preflight(WANTED, &request(b"preflight"), public_key, PublicKey::from_spki_der).await
    }
}

impl Ed25519SignerBuilder {
    /// The key's public key, if you have it: connecting then makes no request at all. Every signature is still verified against it.
    pub fn public_key(mut self, public_key: impl Into<PublicKey>) -> Self {
        self.public_key = Some(public_key.into());
        self
    }

    /// Refuses to start on another key. An address of Solana or Stellar will do.
    pub fn expected_public_key(mut self, public_key: impl Into<PublicKey>) -> Self {
        self.expected_public_key = Some(public_key.into());
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
    /// [`ErrorKind::AddressMismatch`] for another key than the expected one, and those of a request.
    pub async fn connect(self) -> Result<Ed25519Signer> {
        let given = self.settings.key.clone();
        let (key, public_key) = match self.public_key {
            Some(public_key) => (self.settings.known()?, public_key),
            None => self.settings.find(WANTED, PublicKey::from_spki_der).await?,
        };
        if let Some(expected) = self.expected_public_key.filter(|expected| *expected != public_key) {
            let message = format!("the key's public key is {public_key}, not the expected {expected}");
            return Err(Error::new(ErrorKind::AddressMismatch, Operation::Connect, message).with_key(given));
        }
        Ok(Ed25519Signer(Arc::new(Shared { key, public_key })))
    }
}

fn request(message: &[u8]) -> SignRequest<'_> {
    SignRequest { message, message_type: &MessageType::Raw, algorithm: WANTED.algorithm }
}

/// The public key and the key; never a credential or a grant token.
impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Signer")
            .field("public_key", self.public_key())
            .field("key", self.key())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ed25519SignerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519SignerBuilder")
            .field("public_key", &self.public_key)
            .field("expected_public_key", &self.expected_public_key)
            .finish_non_exhaustive()
    }
}
