//! `eth_sendTransaction`: numbered, signed, and given to the node, one of a sender at a time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::TransactionRequest;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::sync::OwnedMutexGuard;

use super::{fill, parse, pending_nonce, sign_as_given};
use crate::{
    callers::{Account, Lane, Sent},
    error::{METHOD_NOT_FOUND, RpcError},
    rpc::{Answer, result},
    service::{Progress, Request, Service, Stage},
    upstream::Upstream,
};

/// For how long the nonces sent from here count for more than what the node says: the nodes behind one address may lag behind each
/// other by a block.
const LAG: Duration = Duration::from_secs(15);

/// `eth_sendTransaction(transaction)`. Answers the hash.
pub(in crate::methods) async fn send(
    service: &Arc<Service>,
    request: &Request,
    params: Option<&RawValue>,
    progress: &Arc<Progress>,
) -> Answer {
    let Some(upstream) = service.upstream.clone() else {
        return Err(RpcError::new(METHOD_NOT_FOUND, "eth_sendTransaction needs an upstream; there is none"));
    };
    let (account, mut transaction) = parse(request, params)?;
    let chain_id = service.upstream_chain_id(&upstream).await?;
    if transaction.chain_id.is_some_and(|given| given != chain_id) {
        return Err(RpcError::invalid_params(format!("chainId is not {chain_id}, the node's")));
    }
    transaction.chain_id = Some(chain_id);
    fill::fees_and_gas(&mut transaction, &upstream).await?;

    let lane = account.key.lane.clone().lock_owned().await;
    if service.ending.load(Ordering::Relaxed) {
        return Err(RpcError::unavailable("the service is ending; nothing was signed"));
    }
    progress.set(Stage::Begun);
    // From here on it goes on without its client: whoever goes away must not leave a nonce in doubt.
    let (account, progress) = (account.clone(), progress.clone());
    let sending = async move { number_and_send(&upstream, &account, transaction, lane, &progress).await };
    result(&service.to_the_end(request, sending).await??)
}

/// The next nonce is taken when the one before is with the node, so that a transaction which is denied or fails leaves no gap.
async fn number_and_send(
    upstream: &Upstream,
    account: &Account,
    mut transaction: TransactionRequest,
    mut lane: OwnedMutexGuard<Lane>,
    progress: &Progress,
) -> Result<B256, RpcError> {
    let from = account.key.address();
    lane.clear_up(upstream, from).await?;
    let expected = lane.next(pending_nonce(upstream, account).await?);
    let nonce = transaction.nonce.unwrap_or(expected);
    transaction.nonce = Some(nonce);
    let signed = sign_as_given(account, transaction).await?;
    let sent = Sent { nonce, hash: *signed.tx_hash(), raw: signed.encoded_2718().into() };
    progress.set(Stage::Signed(sent.hash));
    let hash = sent.hash;
    tracing::info!(%from, nonce, %hash, "sending");
    match sent.hand_over(upstream).await {
        Outcome::Taken => {
            tracing::info!(%from, nonce, %hash, "sent");
            if nonce == expected {
                lane.last = Some((nonce, Instant::now()));
            }
            Ok(hash)
        }
        Outcome::Refused(error) => {
            tracing::warn!(%from, nonce, %hash, error = error.message, "the node refused it");
            Err(error)
        }
        Outcome::Unknown(error) => {
            tracing::warn!(%from, nonce, %hash, error = error.message, "in doubt: the node may have taken it");
            lane.doubt = Some(sent);
            Err(error.maybe_sent(hash))
        }
    }
}

enum Outcome {
    Taken,
    /// It did not take it, and does not know it.
    Refused(RpcError),
    Unknown(RpcError),
}

impl Sent {
    /// Gives it to the node. An error is not the last word: what stands before the node may have tried twice, or waited in vain for an answer that came.
    async fn hand_over(&self, upstream: &Upstream) -> Outcome {
        let failure = match upstream.try_call::<B256>("eth_sendRawTransaction", &[&self.raw]).await {
            Ok(hash) => {
                if hash != self.hash {
                    tracing::warn!(of_node = %hash, ours = %self.hash, "the node answers with another hash");
                }
                return Outcome::Taken;
            }
            Err(failure) => failure,
        };
        match upstream.call::<Option<IgnoredAny>>("eth_getTransactionByHash", &[self.hash]).await {
            Ok(Some(_)) => Outcome::Taken,
            Ok(None) if failure.is_the_nodes => Outcome::Refused(failure.error),
            _ => Outcome::Unknown(failure.error),
        }
    }
}

impl Lane {
    /// A transaction in doubt is given to the node once more, before its nonce could be taken for another one.
    async fn clear_up(&mut self, upstream: &Upstream, from: Address) -> Result<(), RpcError> {
        let Some(sent) = self.doubt.take() else { return Ok(()) };
        let (nonce, hash) = (sent.nonce, sent.hash);
        match sent.hand_over(upstream).await {
            Outcome::Taken => {
                tracing::info!(%from, nonce, %hash, "no longer in doubt: it is sent");
                self.last = Some((nonce, Instant::now()));
                Ok(())
            }
            Outcome::Refused(error) => {
                tracing::info!(%from, nonce, %hash, error = error.message, "no longer in doubt: the node refuses it");
                Ok(())
            }
            Outcome::Unknown(_) => {
                self.doubt = Some(sent);
                Err(RpcError::unavailable(format!(
                    "whether the transaction {hash} was sent is not known yet, and the node does not say; nothing new was signed"
                )))
            }
        }
    }

    fn next(&self, pending: u64) -> u64 {
        match self.last {
            Some((last, at)) if at.elapsed() < LAG => pending.max(last.saturating_add(1)),
            _ => pending,
        }
    }
}
