//! Solana: Ed25519 keys in KMS as Solana's accounts.
//!
//! An account's address is the public key in Base58. What is signed is the serialized message of a transaction, as it is; a transaction has 1,232 bytes at
//! most, which is within what KMS takes.

use core::fmt;

use super::ed25519::{Ed25519Signer, PublicKey, Signature};
use crate::{
    client::KmsClient,
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// A Solana account whose private key lives in AWS KMS.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kms_signer::{fake::FakeKms, keys::{Keys, NewKey}, solana::SolanaSigner};
///
/// let fake = FakeKms::new();
/// let key = Keys::new(fake.client()).create(NewKey::ed25519()).await?;
/// let signer = SolanaSigner::new(fake.client(), key.arn()).await?;
/// println!("{}", signer.address());
/// # let transaction_message = [1, 2, 3];
/// let signature = signer.sign_message(&transaction_message).await?;
/// println!("{}", kms_signer::solana::to_base58(&signature));
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SolanaSigner {
    signer: Ed25519Signer,
    address: Address,
}

/// An account's address: its public key, 32 bytes, written in Base58.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(PublicKey);

impl SolanaSigner {
    /// Connects to a key.
    ///
    /// # Errors
    ///
    /// As [`Ed25519SignerBuilder::connect`](crate::ed25519::Ed25519SignerBuilder::connect).
    pub async fn new(client: impl Into<KmsClient>, key: impl AsRef<str>) -> Result<Self> {
        Ok(Ed25519Signer::new(client, key).await?.into())
    }

    /// The account's address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs the serialized message of a transaction, or any other of at most 4096 bytes, as it is. Needs `kms:Sign`.
    ///
    /// # Errors
    ///
    /// As [`Ed25519Signer::sign`].
    pub async fn sign_message(&self, message: &[u8]) -> Result<Signature> {
        self.signer.sign(message).await
    }

    /// The key as it is sent to KMS.
    pub fn key(&self) -> &KeyRef {
        self.signer.key()
    }

    /// The signer underneath.
    pub fn signer(&self) -> &Ed25519Signer {
        &self.signer
    }
}

/// From a signer with settings of its own.
impl From<Ed25519Signer> for SolanaSigner {
    fn from(signer: Ed25519Signer) -> Self {
        let address = Address(*signer.public_key());
        Self { signer, address }
    }
}

impl Address {
    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl From<PublicKey> for Address {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

/// Base58, 32 to 44 characters.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.as_bytes()).into_string())
    }
}

/// From Base58. Only addresses that are public keys: those that programs derive are points of no curve, and sign nothing.
impl core::str::FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let message = "this is no address of a Solana account: 32 bytes in Base58";
            Error::new(ErrorKind::InvalidPublicKey, Operation::ParsePublicKey, message)
        };
        let mut bytes = [0; 32];
        match bs58::decode(text).onto(&mut bytes) {
            Ok(32) => PublicKey::from_bytes(&bytes).map(Self),
            _ => Err(invalid()),
        }
    }
}

/// A signature as Solana's explorers and RPC nodes write it: 64 bytes in Base58. The first signature of a transaction is its id.
pub fn to_base58(signature: &Signature) -> String {
    bs58::encode(signature.as_bytes()).into_string()
}
