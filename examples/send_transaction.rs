//! Sends ether from a KMS key and waits for the receipt.
//!
//! ```text
//! cargo run --example send_transaction -- --key-id alias/relayer --rpc-url http://127.0.0.1:8545 --to 0x… --value 0.01
//! cargo run --example send_transaction         # no arguments: signs one with a key of this process and prints it
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "support/key.rs"]
mod key;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::Encodable2718;
use alloy_network::{EthereumWallet, NetworkWallet, TransactionBuilder};
use alloy_primitives::{Address, TxKind, U256, hex, utils};
use alloy_provider::{Provider, ProviderBuilder};
use alloy_rpc_types_eth::TransactionRequest;
use clap::Parser;
use cli::Outcome;
use key::KeyArgs;
use kms_signer::KmsSigner;

/// The chain id of development nodes: a transaction for it is worth nothing elsewhere.
const DEVELOPMENT_CHAIN: u64 = 31337;

/// Send ether from a KMS key and wait for the receipt.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// An Ethereum node. Without one the transaction is signed for a development chain, checked and printed.
    #[arg(long, value_name = "URL")]
    rpc_url: Option<String>,

    /// The recipient. The default is the signer itself.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,

    /// How much, in ether.
    #[arg(long, value_name = "ETHER", default_value = "0")]
    value: String,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let value: U256 = utils::parse_ether(&args.value).map_err(|_| format!("{:?} is no amount of ether", args.value))?;
    let signer = args.key.connect().await?;
    let to = args.to.unwrap_or(signer.address());
    println!("from    {}\nto      {to}\nvalue   {} ether", signer.address(), utils::format_ether(value));
    match args.rpc_url {
        Some(url) => send(signer, &url, to, value).await,
        None => sign(signer, to, value).await,
    }
}

async fn send(signer: KmsSigner, url: &str, to: Address, value: U256) -> Outcome {
    let provider = ProviderBuilder::new().wallet(signer).connect_http(url.parse()?);
    let transaction = TransactionRequest::default().with_to(to).with_value(value);
    let pending = provider.send_transaction(transaction).await?;
    println!("hash    {}", pending.tx_hash());
    let receipt = pending.get_receipt().await?;
    println!("block   {}\nstatus  {}", receipt.block_number.unwrap_or_default(), u8::from(receipt.status()));
    if receipt.status() { Ok(()) } else { Err("the transaction was reverted".into()) }
}

async fn sign(signer: KmsSigner, to: Address, value: U256) -> Outcome {
    let sender = signer.address();
    let transaction = TxEip1559 {
        chain_id: DEVELOPMENT_CHAIN,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value,
        ..Default::default()
    };
    let digest = transaction.signature_hash();
    let wallet = EthereumWallet::from(signer);
    let signed: TxEnvelope =
        NetworkWallet::<alloy_network::Ethereum>::sign_transaction(&wallet, transaction.into()).await?;
    if signed.signature().recover_address_from_prehash(&digest)? != sender {
        return Err("the signature does not recover to the signer".into());
    }
    println!("signed for chain {DEVELOPMENT_CHAIN} with nonce 0, not sent (give --rpc-url to send)");
    println!("{}", hex::encode_prefixed(signed.encoded_2718()));
    Ok(())
}
