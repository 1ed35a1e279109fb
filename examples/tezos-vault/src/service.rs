//! Which key, who asks, what for, and whether it was signed before; then KMS.

use std::collections::{BTreeMap, BTreeSet};

use kms_signer::{
    KmsClient,
    alloy_primitives::hex,
    tezos::{self, PublicKey, PublicKeyHash, Request, Signature, TezosSigner},
};

use crate::{
    config::{Config, KeyConfig},
    discover::{self, Found},
    marks::Marks,
    measure,
    refusal::Refusal,
};

/// The keys, their rules and their watermarks.
#[derive(Debug)]
pub struct Service {
    keys: BTreeMap<PublicKeyHash, TezosSigner>,
    rules: BTreeMap<PublicKeyHash, KeyConfig>,
    callers: Option<Vec<PublicKey>>,
    marks: Marks,
}

impl Service {
    /// For the keys that were found, without a request.
    ///
    /// # Errors
    ///
    /// If a key is none.
    pub async fn new(config: Config, found: Vec<Found>, marks: Marks) -> Result<Self, String> {
        let Config { keys: rules, callers, .. } = config;
        let mut keys = BTreeMap::new();
        for (hash, (found, public_key)) in discover::by_hash(found) {
            let signer = TezosSigner::builder(found.client, &found.arn).public_key(public_key).connect().await;
            keys.insert(hash, signer.map_err(|error| format!("{hash}: {error}"))?);
        }
        for (hash, rules) in &rules {
            if !keys.contains_key(hash) {
                tracing::warn!(%hash, "this key of the configuration is in no vault");
            } else if rules.callers.is_none() && callers.is_none() {
                tracing::warn!(%hash, "whoever reaches this program may ask for signatures: there are no authorized_keys");
            }
        }
        Ok(Self { keys, rules, callers, marks })
    }

    /// The clients of KMS, which end with the server.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &KmsClient> {
        self.keys.values().map(TezosSigner::client)
    }

    /// Whether a key of the configuration can be used.
    pub(crate) fn is_ready(&self) -> bool {
        self.rules.keys().any(|hash| self.keys.contains_key(hash))
    }

    /// Public key hashes of those who may ask, if requests must be signed.
    pub(crate) fn authorized_keys(&self) -> Option<BTreeSet<PublicKeyHash>> {
        let own = self.rules.values().filter_map(|rules| rules.callers.as_ref());
        let all: Vec<_> = self.callers.iter().chain(own).collect();
        (!all.is_empty()).then(|| all.into_iter().flatten().map(PublicKey::hash).collect())
    }

    /// Whether a request for this key must be signed by a caller.
    pub(crate) fn needs_caller(&self, hash: &PublicKeyHash) -> bool {
        self.callers.is_some() || self.rules.get(hash).is_some_and(|rules| rules.callers.is_some())
    }

    pub(crate) fn public_key(&self, hash: &PublicKeyHash) -> Result<&PublicKey, Refusal> {
        self.key(hash).map(TezosSigner::public_key)
    }

    fn key(&self, hash: &PublicKeyHash) -> Result<&TezosSigner, Refusal> {
        self.keys.get(hash).ok_or_else(|| Refusal::new(404, format!("{hash} is found in no vault")))
    }

    /// Signs bytes with their watermark, if all agree.
    pub(crate) async fn sign(
        &self,
        hash: &PublicKeyHash,
        bytes: Vec<u8>,
        authentication: Option<&str>,
    ) -> Result<Signature, Refusal> {
        let rules = self
            .rules
            .get(hash)
            .ok_or_else(|| Refusal::new(403, format!("{hash} is not listed in the configuration")))?;
        let caller = self.caller(hash, rules, &bytes, authentication)?;
        self.sign_for(caller, hash, rules, &bytes).await.map_err(Refusal::of_caller)
    }

    async fn sign_for(
        &self,
        caller: Option<&PublicKey>,
        hash: &PublicKeyHash,
        rules: &KeyConfig,
        bytes: &[u8],
    ) -> Result<Signature, Refusal> {
        let caller = caller.map(|caller| caller.hash().to_string());
        let request = Request::parse(bytes).map_err(|error| Refusal::new(400, error.to_string()))?;
        let signer = self.key(hash)?;
        let position = request.position();
        let (level, round) = position.map(|at| (at.level, at.round)).unzip();
        let operations = request.operations().iter().map(ToString::to_string).collect::<Vec<_>>();
        let operations = (!operations.is_empty()).then(|| operations.join(" "));
        tracing::info!(key = %hash, caller, kind = request.kind().name(), level, round, operations, "asked for a signature");
        if rules.log_payloads {
            tracing::info!(key = %hash, raw = hex::encode(bytes), "the bytes");
        }
        rules.policy.check(&request).map_err(|error| Refusal::new(403, error.to_string()))?;

        let digest = tezos::digest(bytes);
        let (marks, key, kind) = (self.marks.clone(), *hash, request.kind());
        let passed = tokio::task::spawn_blocking(move || marks.pass(&key, &request, digest)).await;
        let advance = passed.map_err(|_| Refusal::new(500, "the watermark could not be checked"))??;
        measure::watermark(kind, advance);
        match signer.sign(bytes).await {
            Ok(signature) => {
                tracing::info!(key = %hash, kind = kind.name(), level, round, "signed");
                Ok(signature)
            }
            Err(error) => {
                tracing::error!(key = %hash, kind = kind.name(), %error, "not signed");
                Err(Refusal::of_kms(&error))
            }
        }
    }

    /// Whoever signed the request. Both lists must have them, where there are two: the server's and the key's.
    fn caller<'a>(
        &'a self,
        hash: &PublicKeyHash,
        rules: &'a KeyConfig,
        bytes: &[u8],
        authentication: Option<&str>,
    ) -> Result<Option<&'a PublicKey>, Refusal> {
        let Some(known) = self.callers.as_ref().or(rules.callers.as_ref()) else { return Ok(None) };
        let text = authentication
            .ok_or_else(|| Refusal::new(401, "the request must be signed: ?authentication= is missing"))?;
        let signature: Signature = text.parse().map_err(|_| Refusal::new(400, "the authentication is no signature"))?;
        // octez's `signer_messages.ml`: 0x04, 0x01, the key's hash, the bytes.
        let signed = [&[4, 1][..], &hash.to_bytes(), bytes].concat();
        let caller = known.iter().find(|key| key.verify(&signed, &signature).is_ok());
        let caller = caller.ok_or_else(|| Refusal::new(403, "the authentication is by none of the authorized keys"))?;
        match &rules.callers {
            Some(own) if !own.contains(caller) => {
                Err(Refusal::new(403, format!("{} is not authorized for this key", caller.hash())).of_caller())
            }
            _ => Ok(Some(caller)),
        }
    }
}
