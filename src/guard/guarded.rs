//! A signer that asks a guard first.

mod kms;
mod typed_data;
mod watch;

use core::fmt;
use std::sync::Arc;

use alloy_consensus::SignableTransaction;
use alloy_dyn_abi::eip712::TypedData;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_network::{Ethereum, EthereumWallet, IntoWallet, TxSigner};
use alloy_primitives::{Address, B256, ChainId, Signature, eip191_hash_message, hex};
use alloy_signer::Signer;
use alloy_sol_types::{Eip712Domain, SolStruct};
use async_trait::async_trait;
use serde_json::json;

use self::{typed_data::Types, watch::Watch};
use super::{
    asked::{Asked, AskedTypedData, content, object},
    decision::{Guard, Permit},
    record::Recorder,
    rules::Denied,
};
use crate::{client::heard, observe::Observer};

/// A signer that signs only what its [`Guard`] allows.
///
/// It wraps any alloy signer, in KMS, in memory or in a device, and is one itself, so that it goes into an `EthereumWallet`.
/// Transactions, messages, typed data and authorisations are judged by their content; a bare hash shows none, and is denied unless
/// the rules say otherwise. A denial is [`ErrorKind::GuardDenied`](crate::ErrorKind::GuardDenied), found with
/// [`Error::find`](crate::Error::find), and nothing has been asked of the signer then.
///
/// A spending limit counts a transaction from the decision on, so that concurrent calls cannot overspend it. What fails gives its share back, unless
/// the signer may have signed all the same ([`Error::may_have_signed`](crate::Error::may_have_signed)) or its caller no longer waited: then somebody may
/// hold the signature. Asking again for the same nonce counts once.
///
/// Typed data that comes as JSON is denied if hashing it would take out of proportion long: with more than 256 types, or types that expand to more
/// than 10,000 members.
///
/// Whoever has a clone of the wrapped signer can pass the guard by. There is no getter for it.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use alloy_signer::Signer;
/// use kms_signer::{Error, ErrorKind, KmsSigner, fake::FakeKms, guard::{Guard, Guarded}};
///
/// let fake = FakeKms::new();
/// let signer = KmsSigner::new(fake.client(), fake.create_key()?, None).await?;
/// let guard = Guard::from_toml(r#"
///     [[messages]]
///     name = "log in"
///     prefixes = ["Log in to example.com: "]
/// "#)?;
/// let signer = Guarded::new(signer, guard);
///
/// signer.sign_message(b"Log in to example.com: 1d4e").await?;
/// let denied = signer.sign_message(b"I owe you a million").await.unwrap_err();
/// assert_eq!(Error::find(&denied).map(Error::kind), Some(ErrorKind::GuardDenied));
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Guarded<S> {
    signer: S,
    guard: Guard,
    caller: Option<Arc<str>>,
    key: Option<Arc<str>>,
    observer: Option<Arc<dyn Observer>>,
    recorder: Option<Arc<dyn Recorder>>,
    allow_unrecorded: bool,
}

impl<S> Guarded<S> {
    /// Wraps a signer.
    pub fn new(signer: S, guard: Guard) -> Self {
        Self { signer, guard, caller: None, key: None, observer: None, recorder: None, allow_unrecorded: false }
    }

    /// Labels whoever asks through this signer, for events and records.
    pub fn with_caller(mut self, caller: impl AsRef<str>) -> Self {
        self.caller = Some(caller.as_ref().into());
        self
    }

    /// The key ARN, for events and records of decisions; those of signatures say which key KMS was asked for.
    /// [`KmsSigner::guarded`](crate::KmsSigner::guarded) sets it.
    pub fn with_key(mut self, key: impl AsRef<str>) -> Self {
        self.key = Some(key.as_ref().into());
        self
    }

    /// Tells this observer of every decision, and of what came of it.
    pub fn with_observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Records every decision, and what came of it. What is allowed is recorded before it is signed, and that it was signed before the
    /// signature is returned; if either cannot be recorded, the call fails with
    /// [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded) and there is no signature.
    ///
    /// A call that its caller no longer waits for leaves the decision without an outcome.
    pub fn with_recorder(mut self, recorder: impl Recorder) -> Self {
        self.recorder = Some(Arc::new(recorder));
        self
    }

    /// Signs even if the recorder fails. The observer is told, with [`Stage::Unrecorded`](crate::Stage::Unrecorded).
    pub fn allow_unrecorded(mut self) -> Self {
        self.allow_unrecorded = true;
        self
    }

    /// The guard.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The label of whoever asks through this signer.
    pub fn caller(&self) -> Option<&str> {
        self.caller.as_deref()
    }
}

impl<S: Signer + Send + Sync> Guarded<S> {
    /// Signs an EIP-7702 authorisation, by which this signer's account delegates to a contract.
    ///
    /// The signer's own chain id is neither applied nor checked, since chain id 0 in an authorisation means every chain.
    ///
    /// # Errors
    ///
    /// A denial, and those of signing.
    pub async fn sign_authorization(&self, authorization: &Authorization) -> alloy_signer::Result<SignedAuthorization> {
        let digest = authorization.signature_hash();
        let asked = Asked::Authorization(authorization);
        let decision = self.decide(&asked, || Some(digest)).await?;
        let signature = decision.sign(self.signer.sign_hash(&digest)).await?;
        Ok(authorization.clone().into_signed(signature))
    }

    /// Decides, and records the decision.
    async fn decide(
        &self,
        asked: &Asked<'_>,
        digest: impl FnOnce() -> Option<B256>,
    ) -> alloy_signer::Result<Decision<'_>> {
        let sender = Signer::address(&self.signer);
        let verdict = self.guard.judge(sender, asked);
        // Typed data takes long to hash, and whoever is denied may ask often.
        let is_hashed = verdict.is_ok() || !matches!(asked, Asked::TypedData(_));
        let digest = || is_hashed.then(digest).flatten();
        let mut watch = self.is_watched().then(|| Box::new(Watch::new(self, sender, asked, digest())));
        match verdict {
            Ok(permit) => {
                if let Some(watch) = &mut watch {
                    Box::pin(watch.allowed(permit.rule())).await?;
                }
                Ok(Decision { permit, watch })
            }
            Err(denial) => {
                if let Some(watch) = watch {
                    Box::pin(watch.denied(denial.rule(), denial.to_string())).await;
                }
                Err(denial.into())
            }
        }
    }

    /// A denial that needs no rule.
    async fn deny(&self, asked: &Asked<'_>, reason: String) -> alloy_signer::Error {
        let denial = Denied { rule: None, reason }.into_error(asked);
        if self.is_watched() {
            let watch = Watch::new(self, Signer::address(&self.signer), asked, None);
            Box::pin(watch.denied(None, denial.to_string())).await;
        }
        denial.into()
    }

    fn is_watched(&self) -> bool {
        self.observer.is_some() || self.recorder.is_some()
    }
}

/// What was allowed, and is now signed.
struct Decision<'a> {
    permit: Permit,
    watch: Option<Box<Watch<'a>>>,
}

impl Decision<'_> {
    /// Records what comes of it before it is returned.
    async fn sign(
        self,
        signing: impl Future<Output = alloy_signer::Result<Signature>>,
    ) -> alloy_signer::Result<Signature> {
        // From here on a signature may exist, whoever waits for it.
        let spent = self.permit.used_unless_returned();
        let Some(watch) = self.watch else {
            let result = signing.await;
            spent.settle(&result);
            return result;
        };
        // Boxed like all that only a watched signer needs, so that the future of another is small.
        let (result, heard) = Box::pin(heard::listen(signing)).await;
        spent.settle(&result);
        match result {
            Ok(signature) => {
                Box::pin(watch.signed(heard)).await?;
                Ok(signature)
            }
            Err(error) => {
                Box::pin(watch.failed(heard, &error)).await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl<S: Signer + Send + Sync> Signer for Guarded<S> {
    async fn sign_hash(&self, hash: &B256) -> alloy_signer::Result<Signature> {
        self.decide(&Asked::Hash(hash), || Some(*hash)).await?.sign(self.signer.sign_hash(hash)).await
    }

    async fn sign_message(&self, message: &[u8]) -> alloy_signer::Result<Signature> {
        let decision = self.decide(&Asked::Message(message), || Some(eip191_hash_message(message))).await?;
        decision.sign(self.signer.sign_message(message)).await
    }

    /// Sized signers only: a `Box<Guarded<_>>` or `&mut Guarded<_>` signs such data as a bare hash, which is denied as one.
    async fn sign_typed_data<T: SolStruct + Send + Sync>(
        &self,
        payload: &T,
        domain: &Eip712Domain,
    ) -> alloy_signer::Result<Signature> {
        let content = || {
            let (ty, data) = (T::eip712_encode_type(), payload.eip712_encode_data());
            object([
                ("type", content(ty.as_bytes(), || json!(ty))),
                ("data", content(&data, || json!(hex::encode_prefixed(&data)))),
            ])
        };
        let asked = Asked::TypedData(AskedTypedData::new(domain, T::NAME).with_content(&content));
        let decision = self.decide(&asked, || Some(payload.eip712_signing_hash(domain))).await?;
        decision.sign(self.signer.sign_typed_data(payload, domain)).await
    }

    async fn sign_dynamic_typed_data(&self, payload: &TypedData) -> alloy_signer::Result<Signature> {
        let types = Types::of(payload);
        let asked = AskedTypedData::new(&payload.domain, &payload.primary_type);
        if let Err(reason) = types.check() {
            return Err(self.deny(&Asked::TypedData(asked), reason).await);
        }
        let content = || types.describe();
        let asked = Asked::TypedData(asked.with_content(&content));
        let decision = self.decide(&asked, || payload.eip712_signing_hash().ok()).await?;
        decision.sign(self.signer.sign_dynamic_typed_data(payload)).await
    }

    fn address(&self) -> Address {
        Signer::address(&self.signer)
    }

    fn chain_id(&self) -> Option<ChainId> {
        self.signer.chain_id()
    }

    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.signer.set_chain_id(chain_id);
    }
}

#[async_trait]
impl<S: Signer + TxSigner<Signature> + Send + Sync> TxSigner<Signature> for Guarded<S> {
    fn address(&self) -> Address {
        Signer::address(&self.signer)
    }

    /// The signer's chain id is applied before the transaction is judged.
    async fn sign_transaction(
        &self,
        transaction: &mut dyn SignableTransaction<Signature>,
    ) -> alloy_signer::Result<Signature> {
        if let Some(signer) = self.signer.chain_id()
            && !transaction.set_chain_id_checked(signer)
            && let Some(tx) = transaction.chain_id()
        {
            let mismatch = alloy_signer::Error::TransactionChainIdMismatch { signer, tx };
            if self.is_watched() {
                let asked = Asked::Transaction(&*transaction);
                let watch = Watch::new(self, Signer::address(&self.signer), &asked, None);
                Box::pin(watch.denied(None, mismatch.to_string())).await;
            }
            return Err(mismatch);
        }
        let decision = self.decide(&Asked::Transaction(&*transaction), || Some(transaction.signature_hash())).await?;
        decision.sign(self.signer.sign_transaction(transaction)).await
    }
}

/// Lets `ProviderBuilder::wallet` take the signer itself.
impl<S> IntoWallet<Ethereum> for Guarded<S>
where
    S: Signer + TxSigner<Signature> + fmt::Debug + Send + Sync + 'static,
{
    type NetworkWallet = EthereumWallet;

    fn into_wallet(self) -> EthereumWallet {
        self.into()
    }
}

/// The signer by its own `Debug`; no rule, which may be long.
impl<S: fmt::Debug> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("signer", &self.signer)
            .field("caller", &self.caller)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
