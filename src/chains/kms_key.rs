//! A KMS key as the signers of these chains use it: found once, kept, and asked for signatures.

use std::sync::OnceLock;

use aws_sdk_kms::{
    operation::{get_public_key::GetPublicKeyOutput, sign::SignOutput},
    types::{KeySpec, KeyUsageType, SigningAlgorithmSpec},
};

use crate::{
    client::{KmsClient, SignRequest, Where, answered_key, key_changed},
    error::{Error, ErrorKind, Operation, Result, one_line},
    key_ref::KeyRef,
};

/// What a key must be.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) specs: &'a [KeySpec],
    pub(super) algorithm: &'a SigningAlgorithmSpec,
    pub(super) remedy: &'static str,
}

/// How a key is found.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) client: KmsClient,
    pub(super) key: String,
    pub(super) as_given: bool,
    pub(super) grant_tokens: Vec<String>,
}

/// A key that was found, or is known.
pub(super) struct KmsKey {
    client: KmsClient,
    given: KeyRef,
    as_given: bool,
    grant_tokens: Vec<String>,
    /// The key that answered first, verified: what every later answer must come from.
    kept: OnceLock<KeyRef>,
}

impl Settings {
    pub(super) fn new(client: KmsClient, key: &str) -> Self {
        Self { client, key: key.to_owned(), as_given: false, grant_tokens: Vec::new() }
    }

    /// The key, without a request.
    pub(super) fn known(self) -> Result<KmsKey> {
        let connecting = |error: Error| error.with_operation(Operation::Connect);
        let given: KeyRef = self.key.parse().map_err(connecting)?;
        self.client.check_sleep().map_err(|error| connecting(error).with_key(given.as_ref()))?;
        let Self { client, as_given, grant_tokens, .. } = self;
        Ok(KmsKey { client, given, as_given, grant_tokens, kept: OnceLock::new() })
    }

    /// Asks for the public key, and checks what else KMS says of the key. An alias is resolved in the first Region only: in another
    /// it may lead elsewhere.
    pub(super) async fn find<T>(self, wanted: Wanted<'_>, read: impl Fn(&[u8]) -> Result<T>) -> Result<(KmsKey, T)> {
        let key = self.known()?;
        let place = if key.given.key_id().is_some() { Where::Any } else { Where::FIRST };
        let (answered, public_key) = key.ask(wanted, place, read).await?;
        key.keep(answered);
        Ok((key, public_key))
    }
}

impl KmsKey {
    pub(super) fn client(&self) -> &KmsClient {
        &self.client
    }

    /// The key as it is sent to KMS.
    pub(super) fn reference(&self) -> &KeyRef {
        match self.kept.get() {
            Some(kept) if !self.as_given => kept,
            _ => &self.given,
        }
    }

    /// `Sign`, then the answer's key, then the signature's bytes as `read` has them.
    pub(super) async fn sign<T>(&self, request: &SignRequest<'_>, read: impl Fn(&[u8]) -> Result<T>) -> Result<T> {
        let read = |answer: SignOutput| {
            let answered = self.check_key(answer.key_id(), Operation::Sign)?;
            let invalid = |message| Error::new(ErrorKind::InvalidResponse, Operation::Sign, message);
            // Some emulators leave it out.
            if let Some(used) = answer.signing_algorithm().filter(|&used| used != request.algorithm) {
                let (used, asked) = (one_line(used.as_str()), request.algorithm.as_str());
                return Err(invalid(format!("the answer is signed with {used}, not {asked}")));
            }
            let bytes = answer.signature().ok_or_else(|| invalid("the answer has no Signature".to_owned()))?;
            let signature = read(bytes.as_ref())?;
            // Only a verified answer says which key is ours.
            self.keep(answered);
            Ok(signature)
        };
        self.client.sign_message(self.reference(), request, &self.grant_tokens, read).await
    }

    /// Whether this key still has that public key, and whether it may be used to sign.
    pub(super) async fn preflight<T: PartialEq>(
        &self,
        wanted: Wanted<'_>,
        request: &SignRequest<'_>,
        public_key: &T,
        read: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<()> {
        let (_, found) = self.ask(wanted, Where::Any, read).await?;
        if found != *public_key {
            let message = "the key's public key is not the one this signer was connected with";
            return Err(
                Error::new(ErrorKind::KeyChanged, Operation::GetPublicKey, message).with_key(self.reference().as_ref())
            );
        }
        self.client.sign_message_dry_run(self.reference(), request, &self.grant_tokens).await
    }

    async fn ask<T>(&self, wanted: Wanted<'_>, place: Where, read: impl Fn(&[u8]) -> Result<T>) -> Result<(KeyRef, T)> {
        let read = |answer: GetPublicKeyOutput| {
            let answered = self.check_key(answer.key_id(), Operation::GetPublicKey)?;
            Ok((answered, read(suitable(&answer, wanted)?)?))
        };
        let found = self.client.get_public_key(self.reference(), &self.grant_tokens, place, read).await;
        // KMS, too, says of some keys that they do not fit; the usual remedy is for another chain.
        found.map_err(|error| match error.kind() {
            ErrorKind::KeyUnsuitable => error.with_remedy(wanted.remedy),
            _ => error,
        })
    }

    fn check_key(&self, key_id: Option<&str>, operation: Operation) -> Result<KeyRef> {
        let answered = answered_key(key_id, operation)?;
        let expected = self.kept.get().unwrap_or(&self.given);
        if expected.can_lead_to(&answered) { Ok(answered) } else { Err(key_changed(expected, &answered, operation)) }
    }

    fn keep(&self, answered: KeyRef) {
        self.kept.get_or_init(|| self.given.clone().narrowed_by(answered));
    }
}

/// The DER SubjectPublicKeyInfo of a key that is as it must be.
fn suitable<'a>(answer: &'a GetPublicKeyOutput, wanted: Wanted<'_>) -> Result<&'a [u8]> {
    let unsuitable = |message: String| Error::new(ErrorKind::KeyUnsuitable, Operation::GetPublicKey, message);
    let missing = |field: &str| {
        Error::new(ErrorKind::InvalidResponse, Operation::GetPublicKey, format!("the answer has no {field}"))
    };
    let spec = answer.key_spec().ok_or_else(|| missing("KeySpec"))?;
    if !wanted.specs.contains(spec) {
        let names: Vec<_> = wanted.specs.iter().map(KeySpec::as_str).collect();
        return Err(unsuitable(format!("the key's spec is {}, not {}", one_line(spec.as_str()), names.join(" or "))));
    }
    let usage = answer.key_usage().ok_or_else(|| missing("KeyUsage"))?;
    if *usage != KeyUsageType::SignVerify {
        return Err(unsuitable(format!("the key's usage is {}, not SIGN_VERIFY", one_line(usage.as_str()))));
    }
    if !answer.signing_algorithms().contains(wanted.algorithm) {
        return Err(unsuitable(format!("the key does not sign with {}", wanted.algorithm.as_str())));
    }
    Ok(answer.public_key().ok_or_else(|| missing("PublicKey"))?.as_ref())
}
