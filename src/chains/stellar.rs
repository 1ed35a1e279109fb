//! Stellar: Ed25519 keys in KMS as Stellar's accounts.
//!
//! An account's address is its public key as a strkey (SEP-23), `G…`. What is signed is a transaction's hash, 32 bytes: the SHA-256 of the network's id,
//! the type of the envelope and the transaction in XDR. A signature goes into the envelope with a hint of whose it is.

use core::fmt;

use sha2::{Digest, Sha256};

use super::ed25519::{Ed25519Signer, PublicKey, Signature};
use crate::{
    client::KmsClient,
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// The passphrase of Stellar's public network.
pub const PUBLIC_NETWORK: &str = "Public Global Stellar Network ; September 2015";
/// The passphrase of Stellar's test network.
pub const TEST_NETWORK: &str = "Test SDF Network ; September 2015";

/// `ENVELOPE_TYPE_TX` and `ENVELOPE_TYPE_TX_FEE_BUMP` of Stellar's `EnvelopeType`.
const ENVELOPE_TYPE_TX: u32 = 2;
const ENVELOPE_TYPE_TX_FEE_BUMP: u32 = 5;

/// A Stellar account whose private key lives in AWS KMS.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kms_signer::{fake::FakeKms, keys::{Keys, NewKey}, stellar::{self, StellarSigner}};
///
/// let fake = FakeKms::new();
/// let key = Keys::new(fake.client()).create(NewKey::ed25519()).await?;
/// let signer = StellarSigner::new(fake.client(), key.arn()).await?;
/// println!("{}", signer.address());
///
/// # let transaction_xdr = [0; 40];
/// let hash = stellar::transaction_hash(stellar::TEST_NETWORK, &transaction_xdr);
/// let signature = signer.sign_hash(&hash).await?;
/// let xdr = signature.to_xdr(); // an element of the envelope's signatures
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct StellarSigner {
    signer: Ed25519Signer,
    address: Address,
}

/// An account's address: its public key as a strkey, `G…` (SEP-23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(PublicKey);

/// A signature with the last 4 bytes of the public key that made it, as a transaction's envelope has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecoratedSignature {
    hint: [u8; 4],
    signature: Signature,
}

impl StellarSigner {
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

    /// Signs a transaction's hash, 32 bytes, as it is. Needs `kms:Sign`.
    ///
    /// # Errors
    ///
    /// As [`Ed25519Signer::sign`].
    pub async fn sign_hash(&self, hash: &[u8; 32]) -> Result<DecoratedSignature> {
        let signature = self.signer.sign(hash).await?;
        Ok(DecoratedSignature { hint: self.address.hint(), signature })
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
impl From<Ed25519Signer> for StellarSigner {
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

    /// The last 4 bytes of the public key.
    pub fn hint(&self) -> [u8; 4] {
        self.0.as_bytes().last_chunk().copied().unwrap_or_default()
    }
}

impl From<PublicKey> for Address {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

/// 56 characters.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = stellar_strkey::ed25519::PublicKey(*self.0.as_bytes());
        f.write_str(key.to_string().as_str())
    }
}

/// From a strkey `G…`, with its checksum.
impl core::str::FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |_| {
            let message = "this is no address of a Stellar account: G and 55 characters, with a checksum";
            Error::new(ErrorKind::InvalidPublicKey, Operation::ParsePublicKey, message)
        };
        let key = stellar_strkey::ed25519::PublicKey::from_string(text).map_err(invalid)?;
        PublicKey::from_bytes(&key.0).map(Self)
    }
}

impl DecoratedSignature {
    /// The last 4 bytes of the public key.
    pub fn hint(&self) -> [u8; 4] {
        self.hint
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// As XDR has it, 72 bytes: the hint, the length of the signature, the signature.
    pub fn to_xdr(&self) -> [u8; 72] {
        let mut xdr = [0; 72];
        let parts = self.hint.iter().chain(&[0, 0, 0, 64]).chain(self.signature.as_bytes());
        for (byte, part) in xdr.iter_mut().zip(parts) {
            *byte = *part;
        }
        xdr
    }
}

/// The hash of a transaction, which is what its signers sign and its id: of the network with this passphrase, and of the transaction in XDR
/// (`Transaction`, without the envelope).
pub fn transaction_hash(network_passphrase: &str, transaction_xdr: &[u8]) -> [u8; 32] {
    hash(network_passphrase, ENVELOPE_TYPE_TX, transaction_xdr)
}

/// The hash of a transaction that pays another's fee (`FeeBumpTransaction`, CAP-15).
pub fn fee_bump_hash(network_passphrase: &str, transaction_xdr: &[u8]) -> [u8; 32] {
    hash(network_passphrase, ENVELOPE_TYPE_TX_FEE_BUMP, transaction_xdr)
}

fn hash(network_passphrase: &str, envelope_type: u32, transaction_xdr: &[u8]) -> [u8; 32] {
    let network_id = Sha256::digest(network_passphrase.as_bytes());
    Sha256::new()
        .chain_update(network_id)
        .chain_update(envelope_type.to_be_bytes())
        .chain_update(transaction_xdr)
        .finalize()
        .into()
}
