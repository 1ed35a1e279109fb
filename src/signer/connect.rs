//! The connect flow: from a key reference to a signer that knows whose key it is.

use core::fmt;
use std::sync::{Arc, OnceLock};

use alloy_primitives::{Address, ChainId};
use aws_sdk_kms::{
    operation::get_public_key::GetPublicKeyOutput,
    types::{KeySpec, KeyUsageType, SigningAlgorithmSpec},
};
use futures_util::future::join_all;

use super::{KmsSigner, Shared, answered_key, key_changed};
use crate::{
    client::{KmsClient, Where},
    error::{Error, ErrorKind, Operation, Result, one_line},
    key_ref::KeyRef,
    public_key::PublicKey,
};

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
    pub(super) fn new(client: KmsClient, key: String) -> Self {
        Self {
            client,
            key,
            chain_id: None,
            expected_address: None,
            public_key: None,
            as_given: false,
            grant_tokens: Vec::new(),
        }
    }

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

    /// Makes the signer: one `GetPublicKey` request in each of the client's Regions, or none with a known
    /// [`public_key`](Self::public_key).
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidKeyRef`]: the key is no key id, key ARN, alias name or alias ARN.
    /// - [`ErrorKind::Config`]: the client has no Region or another one than the ARN, or no timer runs here.
    /// - [`ErrorKind::KeyUnsuitable`]: the key is not on secp256k1, not for signing, or not multi-Region though the client has
    ///   several Regions.
    /// - [`ErrorKind::AddressMismatch`]: it has another address than expected.
    /// - [`ErrorKind::KeyChanged`], [`ErrorKind::InvalidResponse`], [`ErrorKind::InvalidPublicKey`]: the answer is another key's, or not KMS's.
    /// - [`ErrorKind::KeyNotFound`], [`ErrorKind::KeyUnusable`], [`ErrorKind::AccessDenied`] and the other kinds that a request ends with.
    pub async fn connect(self) -> Result<KmsSigner> {
        let given: KeyRef = self.key.parse().map_err(while_connecting)?;
        self.client.check_regions(&given)?;
        self.client.check_replicable(&given).map_err(while_connecting)?;
        self.client.check_sleep()?;
        let kept = OnceLock::new();
        let public_key = match &self.public_key {
            Some(public_key) => public_key.clone(),
            None => {
                let found = self.find(&given).await?;
                kept.get_or_init(|| given.clone().narrowed_by(found.key));
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

    /// The key in the first Region, and the same in every other that can be reached.
    async fn find(&self, given: &KeyRef) -> Result<FoundKey> {
        let ask = async |key: &KeyRef, place| {
            self.client.get_public_key(key, &self.grant_tokens, place, |answer| FoundKey::read(&answer, key)).await
        };
        let first = ask(given, Where::FIRST).await;
        let others = self.client.region_count() - 1;
        if others == 0 {
            return first;
        }
        let is_alias = given.key_id().is_none();
        let mut found = match first {
            Ok(found) => Ok(found),
            Err(error) if error.is_retryable() && (!is_alias || self.expected_address.is_some()) => Err(error),
            Err(error) => return Err(error),
        };
        if let Ok(found) = &found {
            self.client.check_replicable(&found.key)?;
        }
        // Where the alias is what will be sent, it must lead to the key in every Region.
        let key = match &found {
            Ok(found) if !self.as_given => given.clone().narrowed_by(found.key.clone()),
            _ => given.clone(),
        };
        let answers = join_all((1..=others).map(|place| ask(&key, Where::Once(place)))).await;
        for (place, answer) in (1..).zip(answers) {
            match (answer, &found) {
                (Ok(replica), Ok(first)) if replica.public_key != first.public_key => {
                    let region = self.client.region_at(place).unwrap_or_default();
                    let message = format!(
                        "the key in {region} is another key: its address is {}, not {}",
                        replica.public_key.address(),
                        first.public_key.address()
                    );
                    return Err(Error::new(ErrorKind::KeyChanged, Operation::GetPublicKey, message)
                        .with_key(key.in_region(Some(region)))
                        .with_remedy(
                            "let the alias lead to replicas of one multi-Region key, or leave that Region out",
                        ));
                }
                (Ok(replica), Err(_)) => {
                    self.client.check_replicable(&replica.key)?;
                    found = Ok(replica);
                }
                (Ok(_), Ok(_)) => {}
                // The client's observer was told; it may be back when it is needed.
                (Err(error), _) if error.is_retryable() => {}
                (Err(error), _) => return Err(error),
            }
        }
        found
    }
}

fn while_connecting(error: Error) -> Error {
    error.with_operation(Operation::Connect)
}

/// What `GetPublicKey` says of a key, checked.
pub(super) struct FoundKey {
    pub(super) key: KeyRef,
    pub(super) public_key: PublicKey,
}

impl FoundKey {
    pub(super) fn read(answer: &GetPublicKeyOutput, asked: &KeyRef) -> Result<Self> {
        let unsuitable = |message| Err(Error::new(ErrorKind::KeyUnsuitable, Operation::GetPublicKey, message));
        let missing = |field: &str| {
            Error::new(ErrorKind::InvalidResponse, Operation::GetPublicKey, format!("the answer has no {field}"))
        };
        let key = answered_key(answer.key_id(), Operation::GetPublicKey)?;
        if !asked.can_lead_to(&key) {
            return Err(key_changed(asked, &key, Operation::GetPublicKey));
        }
        let spec = answer.key_spec().ok_or_else(|| missing("KeySpec"))?;
        if *spec != KeySpec::EccSecgP256K1 {
            return unsuitable(format!("the key's spec is {}, not ECC_SECG_P256K1", one_line(spec.as_str())));
        }
        let usage = answer.key_usage().ok_or_else(|| missing("KeyUsage"))?;
        if *usage != KeyUsageType::SignVerify {
            return unsuitable(format!("the key's usage is {}, not SIGN_VERIFY", one_line(usage.as_str())));
        }
        if !answer.signing_algorithms().contains(&SigningAlgorithmSpec::EcdsaSha256) {
            return unsuitable("the key does not sign with ECDSA_SHA_256".to_owned());
        }
        let spki = answer.public_key().ok_or_else(|| missing("PublicKey"))?;
        Ok(Self { key, public_key: PublicKey::from_spki_der(spki.as_ref())? })
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
