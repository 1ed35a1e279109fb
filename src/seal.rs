//! Symmetric keys in KMS: encrypt and decrypt, seal what is larger, and seal local signing keys.
//!
//! | what | how | size | for each |
//! |---|---|---|---|
//! | [`SymmetricKey::encrypt`] | KMS encrypts | 1 to 4,096 bytes | one `Encrypt`, one `Decrypt` |
//! | [`SymmetricKey::seal`] | AES-256-GCM here, under a data key from KMS ([the format](envelope)) | to 64 MiB | one `GenerateDataKey`, one `Decrypt` |
//! | [`SealedSigner`] | a secp256k1 key that KMS encrypts, opened into memory | 32 bytes | one `Encrypt`; one `Decrypt` for each start |
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use kms_signer::{
//!     fake::FakeKms,
//!     keys::{Keys, NewKey},
//!     seal::{EncryptionContext, SymmetricKey},
//! };
//!
//! let keys = Keys::new(FakeKms::new().client());
//! let key = SymmetricKey::ensure(&keys, "alias/secrets", NewKey::symmetric()).await?;
//! let context = EncryptionContext::new().with("project", "treasury");
//! key.validate(&context).await?;
//!
//! let ciphertext = key.encrypt(b"a password", &context).await?;
//! assert_eq!(&*key.decrypt(&ciphertext, &context).await?, b"a password");
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! # Which key
//!
//! A key of spec `SYMMETRIC_DEFAULT` for `ENCRYPT_DECRYPT`. It is always named, when decrypting, too, though KMS could read it from
//! the ciphertext: else a ciphertext made with somebody else's key would be decrypted with that one ([Decrypt]). An alias
//! is resolved by the first answer; from then on the key ARN is sent, and an answer of another key is
//! [`ErrorKind::KeyChanged`].
//!
//! # What is secret and what is not
//!
//! An [`EncryptionContext`] is not: CloudTrail shows it. What comes out of KMS is a [`Plaintext`], which is erased when it is dropped
//! and prints its length only. This crate logs nothing of it. The SDK's own TRACE log would hold the body of an `Encrypt`, and is kept
//! from it; the bodies of answers with a plaintext it leaves out by itself. With two exceptions, so do not log at TRACE there:
//!
//! - `LOG_SENSITIVE_BODIES=true` in the environment makes the SDK log them.
//! - An HTTP client that you gave the SDK may read an answer into memory before it hands it on. The SDK logs that whole.
//!
//! The buffers of the SDK, TLS and the kernel are theirs, and are not erased.
//!
//! # What it does not do
//!
//! It rotates nothing: KMS does that by itself, and what was encrypted before stays readable. It does not encrypt again under another
//! key: decrypt with one, encrypt with the other. Asymmetric encryption keys (RSA) are not supported.
//!
//! [Decrypt]: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html

mod context;
pub mod envelope;
mod plaintext;
mod sealed_key;
mod signer;
mod validate;

use core::fmt;
use std::sync::{Arc, OnceLock};

use aws_sdk_kms::operation::{RequestId, decrypt::DecryptOutput, encrypt::EncryptOutput};

pub use self::{context::EncryptionContext, plaintext::Plaintext, sealed_key::SealedKey, signer::SealedSigner};
use crate::{
    client::{CipherOptions, KmsClient, Where, answered_key, key_changed},
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
    keys::{Keys, NewKey},
};

/// The most that KMS encrypts by itself, in bytes (the API's `Encrypt`).
pub const MAX_PLAINTEXT: usize = 4096;
/// The longest ciphertext that KMS takes, in bytes (the API's `Decrypt`).
pub const MAX_CIPHERTEXT: usize = 6144;

/// A symmetric key in KMS that encrypts and decrypts.
///
/// Clones are cheap and share the client with its limits. See the [module](self) for an example.
#[derive(Clone)]
pub struct SymmetricKey {
    client: KmsClient,
    given: KeyRef,
    as_given: bool,
    grant_tokens: Vec<String>,
    /// The key that answered first: what every later answer must come from.
    kept: Arc<OnceLock<KeyRef>>,
}

impl SymmetricKey {
    /// A key by its id, key ARN, alias name or alias ARN. Makes no request; [`validate`](Self::validate) does.
    ///
    /// `client` is an [`aws_sdk_kms::Client`] or a [`KmsClient`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyRef`] if `key` is no key reference, [`ErrorKind::Config`] if it is an ARN of a Region that the client is
    /// not for, or no deadline can be kept here.
    pub fn new(client: impl Into<KmsClient>, key: impl AsRef<str>) -> Result<Self> {
        let connecting = |error: Error| error.with_operation(Operation::Connect);
        let given: KeyRef = key.as_ref().parse().map_err(connecting)?;
        let client = client.into();
        client.check_sleep().map_err(|error| connecting(error).with_key(given.as_ref()))?;
        // Of a multi-Region key, too: the Region that was written must be one that is asked.
        client.place_of(&given).map_err(connecting)?;
        Ok(Self { client, given, as_given: false, grant_tokens: Vec::new(), kept: Arc::default() })
    }

    /// The key that the alias leads to; a new one where there is none. See [`Keys::ensure`], also for the rights that it needs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `new` is not [`NewKey::symmetric`], and those of [`Keys::ensure`].
    pub async fn ensure(keys: &Keys, alias: impl AsRef<str>, new: NewKey) -> Result<Self> {
        if !new.is_symmetric() {
            let message = "a key of another kind than SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT is asked for";
            return Err(Error::new(ErrorKind::Config, Operation::CreateKey, message)
                .with_key(alias.as_ref())
                .with_remedy("give NewKey::symmetric()"));
        }
        let alias = alias.as_ref();
        let arn = KeyRef::from(keys.ensure(alias, new).await?.arn().clone());
        let key = Self::new(keys.client(), alias)?;
        // Nothing is kept yet.
        let _ = key.kept.set(arn);
        Ok(key)
    }

    /// Sends this grant token along, with which a new grant works at once. May be called more than once.
    #[must_use]
    pub fn with_grant_token(mut self, token: impl Into<String>) -> Self {
        self.grant_tokens.push(token.into());
        self
    }

    /// Keeps sending the reference as it was given, for policy conditions on `kms:RequestAlias`; after [`ensure`](Self::ensure), the alias.
    /// An answer of another key than the first is refused all the same.
    #[must_use]
    pub fn as_given(mut self) -> Self {
        self.as_given = true;
        self
    }

    /// The key as it is sent to KMS: the key ARN that answered first, or what was given where nothing has been asked yet.
    pub fn key(&self) -> &KeyRef {
        match self.kept.get() {
            Some(kept) if !self.as_given => kept,
            _ => &self.given,
        }
    }

    /// The client requests go through.
    pub fn client(&self) -> &KmsClient {
        &self.client
    }

    /// Encrypts 1 to 4,096 bytes. Who decrypts must give the same context. Needs `kms:Encrypt`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for fewer or more bytes, or a context that is too long, of which nothing is sent;
    /// [`ErrorKind::KeyUnsuitable`] if the key is of another kind, [`ErrorKind::KeyUnusable`] if it is disabled; the others that a request
    /// ends with.
    pub async fn encrypt(&self, plaintext: impl AsRef<[u8]>, context: &EncryptionContext) -> Result<Vec<u8>> {
        self.encrypt_named(plaintext.as_ref(), context).await.map(|(ciphertext, _)| ciphertext)
    }

    /// Decrypts what [`encrypt`](Self::encrypt), or any other caller of KMS's `Encrypt`, made with this key under this context. Needs
    /// `kms:Decrypt`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCiphertext`] if the ciphertext was altered, the context is another one, or another key was used;
    /// [`ErrorKind::KeyChanged`] if another key answered; the others that a request ends with.
    pub async fn decrypt(&self, ciphertext: impl AsRef<[u8]>, context: &EncryptionContext) -> Result<Plaintext> {
        self.decrypt_named(ciphertext.as_ref(), context).await.map(|(plaintext, _)| plaintext)
    }

    /// The plaintext, and the id of the request that brought it.
    async fn decrypt_named(
        &self,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<(Plaintext, Option<String>)> {
        if ciphertext.is_empty() || ciphertext.len() > MAX_CIPHERTEXT {
            let message =
                format!("{} bytes are no ciphertext of KMS, which has 1 to {MAX_CIPHERTEXT}", ciphertext.len());
            return Err(self.error(ErrorKind::InvalidCiphertext, Operation::Decrypt, message));
        }
        let read = |answer: DecryptOutput| {
            let request_id = answer.request_id().map(str::to_owned);
            // Taken over first, so that it is erased whatever comes.
            let plaintext = answer.plaintext.map(|bytes| Plaintext::new(bytes.into_inner()));
            let answered = self.answered(answer.key_id.as_deref(), Operation::Decrypt)?;
            let plaintext = plaintext.ok_or_else(|| missing(Operation::Decrypt, "Plaintext"))?;
            self.keep(&answered, Operation::Decrypt)?;
            Ok((plaintext, request_id))
        };
        self.client.decrypt(self.key(), ciphertext, self.options(context, Operation::Decrypt)?, read).await
    }

    /// The ciphertext, and the key that made it.
    async fn encrypt_named(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<(Vec<u8>, KeyRef)> {
        if plaintext.is_empty() || plaintext.len() > MAX_PLAINTEXT {
            let message = format!("{} bytes are not 1 to {MAX_PLAINTEXT}, which KMS encrypts", plaintext.len());
            return Err(self
                .error(ErrorKind::Config, Operation::Encrypt, message)
                .with_remedy("use SymmetricKey::seal, which takes up to 64 MiB"));
        }
        let read = |answer: EncryptOutput| {
            let answered = self.answered(answer.key_id(), Operation::Encrypt)?;
            let ciphertext = ciphertext_of(answer.ciphertext_blob, Operation::Encrypt)?;
            self.keep(&answered, Operation::Encrypt)?;
            Ok((ciphertext, answered))
        };
        self.client.encrypt(self.key(), plaintext, self.options(context, Operation::Encrypt)?, read).await
    }

    fn options<'a>(&'a self, context: &'a EncryptionContext, operation: Operation) -> Result<CipherOptions<'a>> {
        let about = |error: Error| error.with_operation(operation).with_key(self.key().as_ref());
        let context = context.checked().map_err(about)?;
        Ok(CipherOptions { context, grant_tokens: &self.grant_tokens, place: self.place().map_err(about)? })
    }

    /// A multi-Region key is the same in every Region. An alias may lead to another one in each, and any other key is in one only.
    fn place(&self) -> Result<Where> {
        match self.key().key_id() {
            Some(id) if id.is_multi_region() => Ok(Where::Any),
            _ => self.client.place_of(self.key()),
        }
    }

    fn answered(&self, key_id: Option<&str>, operation: Operation) -> Result<KeyRef> {
        let answered = answered_key(key_id, operation)?;
        let expected = self.kept.get().unwrap_or(&self.given);
        if expected.can_lead_to(&answered) { Ok(answered) } else { Err(key_changed(expected, &answered, operation)) }
    }

    /// Before anything of an answer is handed out. Another call may have kept another key since [`answered`](Self::answered) looked.
    fn keep(&self, answered: &KeyRef, operation: Operation) -> Result<()> {
        let kept = self.kept.get_or_init(|| self.given.clone().narrowed_by(answered.clone()));
        if kept.can_lead_to(answered) { Ok(()) } else { Err(key_changed(kept, answered, operation)) }
    }

    fn error(&self, kind: ErrorKind, operation: Operation, message: impl Into<String>) -> Error {
        Error::new(kind, operation, message).with_key(self.key().as_ref())
    }
}

fn ciphertext_of(blob: Option<aws_sdk_kms::primitives::Blob>, operation: Operation) -> Result<Vec<u8>> {
    let ciphertext = blob.ok_or_else(|| missing(operation, "CiphertextBlob"))?.into_inner();
    if ciphertext.is_empty() || ciphertext.len() > MAX_CIPHERTEXT {
        let message = format!("the answer's CiphertextBlob has {} bytes, not 1 to {MAX_CIPHERTEXT}", ciphertext.len());
        return Err(Error::new(ErrorKind::InvalidResponse, operation, message));
    }
    Ok(ciphertext)
}

fn missing(operation: Operation, field: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, operation, format!("the answer has no {field}"))
}

/// The key; never a grant token.
impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SymmetricKey").field("key", self.key()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::{
        Client, Config,
        config::{BehaviorVersion, Region},
    };

    use super::*;

    /// Two first answers at once, while an alias moves: both were looked at before either was kept.
    #[tokio::test]
    async fn of_two_first_answers_one_is_kept_and_the_other_refused() {
        let config =
            Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::from_static("eu-west-1"));
        let client = Client::from_conf(config.build());
        let [first, second] = [1, 2].map(|number| -> KeyRef {
            format!("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-{number:012}").parse().unwrap()
        });
        for as_given in [false, true] {
            let key = SymmetricKey::new(client.clone(), "alias/moving").unwrap();
            let key = if as_given { key.as_given() } else { key };
            for answered in [&first, &second] {
                assert_eq!(&key.answered(Some(answered.as_ref()), Operation::Encrypt).unwrap(), answered);
            }
            key.keep(&first, Operation::Encrypt).unwrap();
            let error = key.keep(&second, Operation::Decrypt).unwrap_err();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::KeyChanged, Operation::Decrypt));
            key.keep(&first, Operation::Encrypt).unwrap();
            assert_eq!(key.kept.get(), Some(&first));
        }
    }
}
