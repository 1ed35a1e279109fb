//! Transactions: filled in, signed, and sent.

mod fill;

use std::{sync::Arc, time::Duration};

use alloy_consensus::{TxEnvelope, TypedTransaction};
use alloy_eips::Encodable2718;
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_eth::TransactionRequest;
use kms_signer::alloy_network::TxSigner;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedMutexGuard;

use crate::{
    callers::{Account, Lane},
    error::{Asked, INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError, UNAVAILABLE},
    rpc::{Answer, Params, result},
    service::{Request, Service},
    upstream::Upstream,
};

/// For how long the nonces sent from here count for more than what the node says: the nodes behind one address may lag behind each
/// other by a block.
const LAG: Duration = Duration::from_secs(15);

/// What `eth_signTransaction` answers, as geth and anvil have it.
#[derive(Serialize)]
struct Signed<'a> {
    raw: Bytes,
    tx: &'a TxEnvelope,
}

/// `eth_signTransaction(transaction)`. What is missing is asked of the node; without one it is an error.
pub(super) async fn sign(service: &Arc<Service>, request: &Request, params: Option<&RawValue>) -> Answer {
    let (account, mut transaction) = parse(request, params)?;
    match (&service.upstream, transaction.chain_id) {
        (Some(upstream), chain_id) => {
            let found = service.upstream_chain_id(upstream).await?;
            // One for another chain can be signed if it is complete: the rules say for which chains.
            if chain_id.is_none_or(|chain_id| chain_id == found) {
                transaction.chain_id = Some(found);
                fill::fees_and_gas(&mut transaction, upstream).await?;
                if transaction.nonce.is_none() {
                    transaction.nonce = Some(pending_nonce(upstream, account).await?);
                }
            }
        }
        (None, None) => transaction.chain_id = Some(service.chain_id().await?),
        (None, Some(_)) => {}
    }
    let signed = sign_as_given(account, transaction).await?;
    result(&Signed { raw: signed.encoded_2718().into(), tx: &signed })
}

/// `eth_sendTransaction(transaction)`. Answers the hash.
pub(super) async fn send(service: &Arc<Service>, request: &Request, params: Option<&RawValue>) -> Answer {
    let Some(upstream) = &service.upstream else {
        return Err(RpcError::new(METHOD_NOT_FOUND, "eth_sendTransaction needs an upstream; there is none"));
    };
    let (account, mut transaction) = parse(request, params)?;
    let chain_id = service.upstream_chain_id(upstream).await?;
    if transaction.chain_id.is_some_and(|given| given != chain_id) {
        return Err(RpcError::invalid_params(format!("chainId is not {chain_id}, the node's")));
    }
    transaction.chain_id = Some(chain_id);
    fill::fees_and_gas(&mut transaction, upstream).await?;

    let lane = account.key.lane.clone().lock_owned().await;
    // From here on it is a task of its own: a client that goes away must not leave a nonce in doubt.
    let (service, account, place) = (service.clone(), account.clone(), request.place.clone());
    let sending = service.clone().tasks.spawn(async move {
        let sent = match &service.upstream {
            Some(upstream) => number_and_send(upstream, &account, transaction, lane).await,
            None => Err(RpcError::new(METHOD_NOT_FOUND, "there is no upstream")),
        };
        drop(place);
        sent
    });
    let hash = sending.await.map_err(|_| RpcError::new(INTERNAL_ERROR, "sending was broken off"))??;
    result(&hash)
}

/// The next nonce is taken when the one before is with the node, so that a transaction which is denied or fails leaves no gap.
async fn number_and_send(
    upstream: &Upstream,
    account: &Account,
    mut transaction: TransactionRequest,
    mut lane: OwnedMutexGuard<Lane>,
) -> Result<B256, RpcError> {
    let given = transaction.nonce;
    let nonce = match given {
        Some(nonce) => nonce,
        None => lane.next(pending_nonce(upstream, account).await?),
    };
    transaction.nonce = Some(nonce);
    let signed = sign_as_given(account, transaction).await?;
    let hash = *signed.tx_hash();
    let raw = Bytes::from(signed.encoded_2718());
    match upstream.call::<B256>("eth_sendRawTransaction", &[raw]).await {
        Ok(_) => {
            if given.is_none() {
                lane.last = Some((nonce, std::time::Instant::now()));
            }
            tracing::info!(from = %account.key.address(), nonce, %hash, "sent");
            Ok(hash)
        }
        // A node that answers with an error has not taken it. From one that does not answer nobody knows.
        Err(error) if error.code == UNAVAILABLE => Err(error.maybe_sent(hash)),
        Err(error) => Err(error),
    }
}

impl Lane {
    fn next(&self, pending: u64) -> u64 {
        match self.last {
            Some((last, at)) if at.elapsed() < LAG => pending.max(last.saturating_add(1)),
            _ => pending,
        }
    }
}

async fn pending_nonce(upstream: &Upstream, account: &Account) -> Result<u64, RpcError> {
    upstream.quantity("eth_getTransactionCount", &(account.key.address(), "pending")).await
}

/// The account it is from, and the request.
fn parse<'r>(request: &'r Request, params: Option<&RawValue>) -> Result<(&'r Account, TransactionRequest), RpcError> {
    // geth takes a block as well, and ignores it.
    let params = Params::parse(params, 2)?;
    let raw = params.raw(0, "a transaction")?;
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let mut transaction: TransactionRequest = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| RpcError::invalid_params(format!("params[0].{}: {}", error.path(), error.inner())))?;
    let account = match transaction.from {
        Some(from) => request.caller.account(from)?,
        None => request.caller.only_account()?,
    };
    transaction.from = Some(account.key.address());
    let input = transaction.input.clone().try_into_unique_input();
    let input = input.map_err(|_| RpcError::invalid_params("data and input are both there, and differ"))?;
    transaction.input = input.into();
    fill::set_kind(&mut transaction)?;
    Ok((account, transaction))
}

/// Signs what is complete.
async fn sign_as_given(account: &Account, transaction: TransactionRequest) -> Result<TxEnvelope, RpcError> {
    let kind = transaction.preferred_type();
    // alloy would take mainnet's.
    if transaction.chain_id.is_none() {
        return Err(RpcError::invalid_params("the transaction lacks chainId"));
    }
    if let Err((_, missing)) = transaction.missing_keys() {
        let missing: Vec<String> = missing.into_iter().map(fill::name).collect();
        return Err(RpcError::invalid_params(format!("the transaction lacks {}", missing.join(", "))));
    }
    let mut typed: TypedTransaction = transaction
        .build_consensus_tx()
        .map_err(|error| RpcError::invalid_params(format!("this is no transaction of type {kind}: {}", error.error)))?;
    let signature = match &mut typed {
        TypedTransaction::Legacy(inner) => account.signer.sign_transaction(inner).await,
        TypedTransaction::Eip2930(inner) => account.signer.sign_transaction(inner).await,
        TypedTransaction::Eip1559(inner) => account.signer.sign_transaction(inner).await,
        TypedTransaction::Eip4844(inner) => account.signer.sign_transaction(inner).await,
        TypedTransaction::Eip7702(inner) => account.signer.sign_transaction(inner).await,
    };
    let signature = signature.map_err(|error| RpcError::from_signing(&error, Asked::Transaction))?;
    Ok(typed.into_envelope(signature))
}
