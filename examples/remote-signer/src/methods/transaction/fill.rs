//! What a transaction lacks, as the node sees it.

use alloy_consensus::TxType;
use alloy_primitives::{TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use serde::Deserialize;

use crate::{error::RpcError, upstream::Upstream};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    base_fee_per_gas: Option<U256>,
}

/// Makes the fields say what `type` says: alloy builds by the fields.
pub(super) fn set_kind(transaction: &mut TransactionRequest) -> Result<(), RpcError> {
    transaction.populate_blob_hashes();
    if transaction.to.is_none() {
        // As geth has it: whoever forgets `to` does not mean to create a contract of nothing.
        if transaction.input.input().is_none_or(|input| input.is_empty()) {
            return Err(RpcError::invalid_params("to is missing, and there is no data to create a contract with"));
        }
        transaction.to = Some(TxKind::Create);
    }
    let has_fees = transaction.max_fee_per_gas.is_some() || transaction.max_priority_fee_per_gas.is_some();
    if has_fees && transaction.gas_price.is_some() {
        return Err(RpcError::invalid_params("gasPrice is there, and so is maxFeePerGas or maxPriorityFeePerGas"));
    }
    let Some(kind) = transaction.transaction_type else { return Ok(()) };
    let fits = match kind {
        0 => !has_fees && transaction.access_list.is_none(),
        1 => {
            transaction.access_list.get_or_insert_default();
            !has_fees
        }
        2..=4 => transaction.gas_price.is_none() && transaction.preferred_type() as u8 == kind,
        _ => false,
    };
    if !fits {
        return Err(RpcError::invalid_params(format!("the transaction's fields are not those of type {kind:#x}")));
    }
    Ok(())
}

/// Asks for the fees that are missing, and what gas it takes.
pub(super) async fn fees_and_gas(transaction: &mut TransactionRequest, upstream: &Upstream) -> Result<(), RpcError> {
    let mut priced = transaction.clone();
    let (_, gas) = futures_util::try_join!(fees(&mut priced, upstream), gas(transaction, upstream))?;
    *transaction = priced;
    transaction.gas = Some(gas);
    Ok(())
}

async fn fees(transaction: &mut TransactionRequest, upstream: &Upstream) -> Result<(), RpcError> {
    if transaction.preferred_type() == TxType::Eip4844 && transaction.max_fee_per_blob_gas.is_none() {
        let fee: u128 = upstream.quantity("eth_blobBaseFee", &[(); 0]).await?;
        transaction.max_fee_per_blob_gas = Some(fee.saturating_mul(2));
    }
    if transaction.gas_price.is_some() {
        return Ok(());
    }
    let legacy = matches!(transaction.transaction_type, Some(0 | 1));
    if !legacy && transaction.max_fee_per_gas.is_some() && transaction.max_priority_fee_per_gas.is_some() {
        return Ok(());
    }
    let block: Block = upstream.call("eth_getBlockByNumber", &("latest", false)).await?;
    let base_fee = block.base_fee_per_gas.filter(|_| !legacy);
    let Some(base_fee) = base_fee else {
        // Asked for, or a chain without EIP-1559.
        let dynamic = transaction.max_fee_per_gas.is_some() || transaction.max_priority_fee_per_gas.is_some();
        if dynamic || matches!(transaction.transaction_type, Some(2..=4)) {
            return Err(RpcError::invalid_params(
                "the chain has no base fee, so there is no maxFeePerGas; give gasPrice",
            ));
        }
        transaction.gas_price = Some(upstream.quantity("eth_gasPrice", &[(); 0]).await?);
        return Ok(());
    };
    let base_fee: u128 = base_fee.saturating_to();
    let tip = match transaction.max_priority_fee_per_gas {
        Some(tip) => tip,
        None => upstream.quantity("eth_maxPriorityFeePerGas", &[(); 0]).await?,
    };
    // Room for six full blocks, as geth leaves.
    let most = transaction.max_fee_per_gas.unwrap_or_else(|| base_fee.saturating_mul(2).saturating_add(tip));
    transaction.max_fee_per_gas = Some(most);
    transaction.max_priority_fee_per_gas = Some(tip.min(most));
    Ok(())
}

async fn gas(transaction: &TransactionRequest, upstream: &Upstream) -> Result<u64, RpcError> {
    match transaction.gas {
        Some(gas) => Ok(gas),
        // The blobs themselves cost no gas of this kind, and are large.
        None => {
            upstream.quantity("eth_estimateGas", &[TransactionRequest { sidecar: None, ..transaction.clone() }]).await
        }
    }
}

/// A field's name as it is in JSON.
pub(super) fn name(field: &str) -> String {
    if field == "gas_limit" {
        return "gas".to_owned();
    }
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}
