//! `SealedSigner`: a local key that lies sealed, and is opened into memory.

#[cfg(feature = "network")]
mod network;

use core::fmt;
use std::sync::Arc;

use alloy_primitives::{Address, B256, ChainId, Signature};
use alloy_signer::{Signer, SignerSync};
use alloy_signer_local::PrivateKeySigner;
use async_trait::async_trait;

use super::{SealedKey, SymmetricKey};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    keys::Secret,
};

/// A local secp256k1 key that is sealed by a symmetric key in KMS, opened into the memory of this process: for services that need more
/// signatures a second than KMS gives, or cannot wait for the network.
///
/// KMS is asked once, at start. From then on **the key is in this process's memory**, and who can read that has the key; a
/// [`KmsSigner`](crate::KmsSigner)'s never is. What is at rest, a [`SealedKey`], is worth nothing without `kms:Decrypt`.
///
/// The key is never written plain: not to a file, not to a log, not by `Debug`. It is erased when the last clone is dropped. (What the SDK,
/// TLS and the kernel buffered on the way is not; [the module](super) says more.) Nor does it keep the key from being swapped to disk
/// or dumped with the process: that is set in the operating system.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use alloy_signer::Signer;
/// use kms_signer::{
///     fake::FakeKms,
///     keys::{Keys, NewKey},
///     seal::{SealedKey, SealedSigner, SymmetricKey},
/// };
///
/// let keys = Keys::new(FakeKms::new().client());
/// let key = SymmetricKey::ensure(&keys, "alias/hot-wallets", NewKey::symmetric()).await?;
///
/// // Once: a new key, of which only this text is kept.
/// let text = SealedSigner::create(&key).await?.sealed().to_string();
///
/// # let expected = text.parse::<SealedKey>()?.address();
/// // At each start, with the address from where nobody changes it unnoticed:
/// let sealed: SealedKey = text.parse()?;
/// let signer = SealedSigner::open_expecting(&key, &sealed, expected).await?.with_chain_id(Some(1));
/// let signature = signer.sign_message(b"hello").await?;
/// assert_eq!(signature.recover_address_from_msg("hello")?, sealed.address());
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
///
/// # Who can open it
///
/// Whoever has `kms:Decrypt` on the symmetric key and this text. The encryption context is `{"address": <address>}` and nothing more, which
/// is what a policy can tell wallets apart by: [`IamPolicy::opener`](crate::iam::IamPolicy::opener) does.
/// [`IamPolicy::encryptor`](crate::iam::IamPolicy::encryptor) and [`IamPolicy::sealer`](crate::iam::IamPolicy::sealer) ask for no context:
/// who has one of them on the same KMS key can decrypt every wallet that is sealed with it. So seal wallets with a KMS key of their own.
///
/// # Signatures
///
/// Signatures are deterministic (RFC 6979) and low-S (EIP-2). The chain id concerns transactions only, as with alloy's other signers.
#[derive(Clone)]
pub struct SealedSigner {
    opened: Arc<Opened>,
    chain_id: Option<ChainId>,
}

struct Opened {
    /// It erases its key when it is dropped.
    signer: PrivateKeySigner,
    sealed: SealedKey,
}

impl SealedSigner {
    /// Makes a new random key in memory and seals it. Needs `kms:Encrypt`.
    ///
    /// Keep [`sealed`](Self::sealed) before the address is given any value, and [`open`](Self::open) it once: there is no other copy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if the operating system gives no random numbers, and those of [`SymmetricKey::encrypt`].
    pub async fn create(key: &SymmetricKey) -> Result<Self> {
        let secret = Secret::random()?;
        Self::seal(key, &secret).await
    }

    /// Seals a key that exists already. Needs `kms:Encrypt`. Where else it is, it stays plain.
    ///
    /// # Errors
    ///
    /// Those of [`SymmetricKey::encrypt`].
    pub async fn seal(key: &SymmetricKey, secret: &Secret) -> Result<Self> {
        let address = secret.address();
        let (ciphertext, sealed_by) = key.encrypt_named(&secret.to_bytes(), &SealedKey::context_of(address)).await?;
        Ok(Self::of(secret, SealedKey::new(address, sealed_by, ciphertext)))
    }

    /// Opens a sealed key into memory. Needs `kms:Decrypt`; [`IamPolicy::opener`](crate::iam::IamPolicy::opener) allows it for this
    /// address alone.
    ///
    /// KMS is asked with `key`, not with the key that the sealed form names: who can change that text chooses no key. Who can change it
    /// can put another key's text in its place, though: if the address is known, [`open_expecting`](Self::open_expecting) it.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidCiphertext`]: it was sealed with another key, or altered, or the address is not its own.
    /// - [`ErrorKind::AddressMismatch`]: the key that came out is not the address's. KMS refuses this by itself; an emulator may not.
    /// - [`ErrorKind::KeyUnusable`], [`ErrorKind::AccessDenied`] and the others that a request ends with.
    pub async fn open(key: &SymmetricKey, sealed: &SealedKey) -> Result<Self> {
        let refused = |kind, message: String| Error::new(kind, Operation::Unseal, message).with_key(key.key().as_ref());
        if !key.key().can_lead_to(sealed.key()) {
            let message = format!("it was sealed with another key, {}", sealed.key());
            return Err(refused(ErrorKind::InvalidCiphertext, message));
        }
        let context = SealedKey::context_of(sealed.address());
        let (plaintext, request_id) = key.decrypt_named(sealed.ciphertext(), &context).await?;
        let refused = |kind, message| refused(kind, message).with_request_id(request_id.as_deref());
        let secret = <&[u8; 32]>::try_from(plaintext.as_bytes()).ok().and_then(|bytes| Secret::from_bytes(bytes).ok());
        let secret = secret.ok_or_else(|| {
            refused(ErrorKind::InvalidCiphertext, "what was sealed is no secp256k1 private key".to_owned())
        })?;
        if secret.address() != sealed.address() {
            let (is, expected) = (secret.address(), sealed.address());
            let message = format!("the sealed key's address is {is}, not {expected}");
            return Err(refused(ErrorKind::AddressMismatch, message));
        }
        Ok(Self::of(&secret, sealed.clone()))
    }

    /// The same, if the sealed key is this address's. Otherwise nothing is sent.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use kms_signer::{fake::FakeKms, keys::{Keys, NewKey}, seal::{SealedSigner, SymmetricKey}};
    /// # let keys = Keys::new(FakeKms::new().client());
    /// # let key = SymmetricKey::ensure(&keys, "alias/hot", NewKey::symmetric()).await?;
    /// # let (mine, other) = (SealedSigner::create(&key).await?, SealedSigner::create(&key).await?);
    /// # let (address, stranger) = (mine.address(), other.sealed());
    /// SealedSigner::open_expecting(&key, mine.sealed(), address).await?;
    /// let error = SealedSigner::open_expecting(&key, stranger, address).await.unwrap_err();
    /// assert_eq!(error.kind(), kms_signer::ErrorKind::AddressMismatch);
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AddressMismatch`] if it is another address's, and those of [`open`](Self::open).
    pub async fn open_expecting(key: &SymmetricKey, sealed: &SealedKey, address: Address) -> Result<Self> {
        if sealed.address() != address {
            let message = format!("the sealed key's address is {}, not {address}", sealed.address());
            return Err(Error::new(ErrorKind::AddressMismatch, Operation::Unseal, message)
                .with_key(key.key().as_ref())
                .with_remedy(
                    "give the sealed key of the expected address; another one may have been put in its place",
                ));
        }
        Self::open(key, sealed).await
    }

    /// The sealed form, to be kept.
    pub fn sealed(&self) -> &SealedKey {
        &self.opened.sealed
    }

    /// The Ethereum address.
    pub fn address(&self) -> Address {
        self.opened.sealed.address()
    }

    fn of(secret: &Secret, sealed: SealedKey) -> Self {
        Self { opened: Arc::new(Opened { signer: secret.to_signer(), sealed }), chain_id: None }
    }
}

#[async_trait]
impl Signer for SealedSigner {
    async fn sign_hash(&self, hash: &B256) -> alloy_signer::Result<Signature> {
        self.sign_hash_sync(hash)
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

impl SignerSync for SealedSigner {
    fn sign_hash_sync(&self, hash: &B256) -> alloy_signer::Result<Signature> {
        self.opened.signer.sign_hash_sync(hash)
    }

    fn chain_id_sync(&self) -> Option<ChainId> {
        self.chain_id
    }
}

/// The address and the sealing key, never the key itself.
impl fmt::Debug for SealedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSigner")
            .field("address", &self.address())
            .field("sealed_by", self.sealed().key())
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}
