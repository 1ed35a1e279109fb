//! Transactions: filled in, signed, and sent.

mod fields;
mod fill;
mod send;

use std::sync::Arc;

use alloy_consensus::{TxEnvelope, TypedTransaction};
use alloy_eips::Encodable2718;
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::TransactionRequest;
use kms_signer::alloy_network::TxSigner;
use serde::Serialize;
use serde_json::value::RawValue;

pub(super) use self::send::send;
use crate::{
    callers::Account,
    error::{Refused, RpcError},
    rpc::{Answer, Params, result},
    service::{Request, Service},
    upstream::Upstream,
};

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
    let account = account.clone();
    let signed = service.to_the_end(request, async move { sign_as_given(&account, transaction).await }).await??;
    result(&Signed { raw: signed.encoded_2718().into(), tx: &signed })
}

async fn pending_nonce(upstream: &Upstream, account: &Account) -> Result<u64, RpcError> {
    upstream.quantity("eth_getTransactionCount", &(account.key.address(), "pending")).await
}

/// The account it is from, and the request.
fn parse<'r>(request: &'r Request, params: Option<&RawValue>) -> Result<(&'r Account, TransactionRequest), RpcError> {
    // geth takes a block as well, and ignores it.
    let params = Params::parse(params, 2)?;
    let raw = params.raw(0, "a transaction")?;
    fields::check(raw)?;
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let mut transaction: TransactionRequest = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(".{path}") };
        RpcError::invalid_params(format!("params[0]{place}: {}", error.inner()))
    })?;
    fields::check_blobs(raw, &transaction)?;
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
    let signature = signature.map_err(|error| RpcError::from_signing(&error, Refused::Transaction))?;
    Ok(typed.into_envelope(signature))
}
