//! The main job in one command: connect to a key, sign a message, typed data and a transaction, and check each.
//!
//! ```text
//! cargo run --example quickstart                        # a KMS in this process, no account, no network
//! cargo run --example quickstart -- --key-id alias/…    # your own key, with the environment's credentials
//! cargo run --example quickstart -- --rpc-url http://127.0.0.1:8545    # also send the transaction
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "support/key.rs"]
mod key;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::Encodable2718;
use alloy_network::TxSigner;
use alloy_primitives::{Address, Signature, TxKind, U256, hex};
use alloy_provider::{Provider, ProviderBuilder};
use alloy_signer::Signer;
use alloy_sol_types::{SolStruct, eip712_domain, sol};
use clap::Parser;
use cli::Outcome;
use key::KeyArgs;
use kms_signer::KmsSigner;

/// The chain id of development nodes: a transaction for it is worth nothing elsewhere.
const DEVELOPMENT_CHAIN: u64 = 31337;

/// Sign a message, typed data and a transaction with a KMS key, and check each by recovery.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// An Ethereum node to send the transaction to. A development node's faucet funds the address first.
    #[arg(long, value_name = "URL")]
    rpc_url: Option<String>,
}

sol! {
    struct Mail {
        address to;
        string contents;
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let signer = args.key.connect().await?;
    println!("key      {}", signer.key());
    println!("address  {}", signer.address());

    let message = "hello from kms-signer";
    let signature = signer.sign_message(message.as_bytes()).await?;
    println!("\nEIP-191 message {message:?}");
    check(&signer, &signature, signature.recover_address_from_msg(message)?)?;

    let domain = eip712_domain! { name: "kms-signer", version: "1", chain_id: DEVELOPMENT_CHAIN, };
    let mail = Mail { to: signer.address(), contents: "hello".to_owned() };
    let signature = signer.sign_typed_data(&mail, &domain).await?;
    println!("\nEIP-712 typed data Mail {{ to, contents }}");
    check(&signer, &signature, signature.recover_address_from_prehash(&mail.eip712_signing_hash(&domain))?)?;

    let mut transaction = TxEip1559 {
        chain_id: DEVELOPMENT_CHAIN,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(signer.address()),
        value: U256::from(1),
        ..Default::default()
    };
    match args.rpc_url {
        None => sign(&signer, &mut transaction).await.map(drop),
        Some(url) => send(&signer, &mut transaction, &url).await,
    }
}

async fn sign(signer: &KmsSigner, transaction: &mut TxEip1559) -> Outcome<Signature> {
    let signature = signer.sign_transaction(transaction).await?;
    println!("\nEIP-1559 transaction of 1 wei to itself, chain {}, nonce {}", transaction.chain_id, transaction.nonce);
    check(signer, &signature, signature.recover_address_from_prehash(&transaction.signature_hash())?)?;
    Ok(signature)
}

fn check(signer: &KmsSigner, signature: &Signature, recovered: Address) -> Outcome {
    println!("signature  0x{}", hex::encode(signature.as_bytes()));
    if recovered != signer.address() {
        return Err(format!("recovers to {recovered}, not to the signer").into());
    }
    println!("recovered  {recovered}");
    Ok(())
}

/// Signs the transaction for the node's chain, sends it and prints the receipt.
async fn send(signer: &KmsSigner, transaction: &mut TxEip1559, url: &str) -> Outcome {
    let sender = signer.address();
    let provider = ProviderBuilder::new().connect_http(url.parse()?);
    transaction.chain_id = provider.get_chain_id().await?;
    transaction.nonce = provider.get_transaction_count(sender).await?;
    let fees = provider.estimate_eip1559_fees().await?;
    transaction.max_fee_per_gas = fees.max_fee_per_gas;
    transaction.max_priority_fee_per_gas = fees.max_priority_fee_per_gas;

    if provider.get_balance(sender).await?.is_zero() {
        // Only development nodes know this method; on any other the address has to be funded by its owner.
        provider
            .raw_request::<_, ()>("anvil_setBalance".into(), (sender, U256::from(10).pow(U256::from(18))))
            .await
            .map_err(|_| format!("{sender} has no funds; send it some first"))?;
        println!("\nfunded     1 ether, by the development node");
    }
    let signature = sign(signer, transaction).await?;
    let signed = TxEnvelope::from(transaction.clone().into_signed(signature));
    let receipt = provider.send_raw_transaction(&signed.encoded_2718()).await?.get_receipt().await?;
    println!("\nsent       {}", receipt.transaction_hash);
    println!("block      {}", receipt.block_number.unwrap_or_default());
    println!("status     {}", u8::from(receipt.status()));
    println!("sender     {}", receipt.from);
    if !receipt.status() || receipt.from != sender {
        return Err("the receipt is not one of success by this signer".into());
    }
    Ok(())
}
