//! Signs EIP-712 typed data, as wallets' `eth_signTypedData_v4` does.
//!
//! ```text
//! cargo run --example sign_typed_data -- --key-id alias/relayer order.json
//! cargo run --example sign_typed_data         # no arguments: a small permit, a key of this process
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "support/key.rs"]
mod key;

use std::path::PathBuf;

use alloy_dyn_abi::TypedData;
use alloy_primitives::hex;
use alloy_signer::Signer;
use clap::Parser;
use cli::Outcome;
use key::KeyArgs;
use kms_signer::signature::{V, to_eth_bytes};

/// Sign EIP-712 typed data with a KMS key.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// A JSON file with `types`, `primaryType`, `domain` and `message`. The default is a small permit.
    file: Option<PathBuf>,
}

const PERMIT: &str = r#"{
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Permit": [{"name": "spender", "type": "address"}, {"name": "value", "type": "uint256"}]
    },
    "primaryType": "Permit",
    "domain": {"name": "kms-signer", "chainId": 1},
    "message": {"spender": "0x4242424242424242424242424242424242424242", "value": "1000000"}
}"#;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let json = match &args.file {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?,
        None => PERMIT.to_owned(),
    };
    let data: TypedData =
        serde_json::from_str(&json).map_err(|error| format!("this is not EIP-712 typed data: {error}"))?;
    let digest = data.eip712_signing_hash()?;

    let signer = args.key.connect().await?;
    println!("address    {}", signer.address());
    println!("type       {}", data.primary_type);
    println!("digest     {digest}");
    let signature = signer.sign_dynamic_typed_data(&data).await?;
    println!("signature  0x{}", hex::encode(to_eth_bytes(&signature, V::Legacy)));
    let recovered = signature.recover_address_from_prehash(&digest)?;
    println!("recovered  {recovered}");
    if recovered == signer.address() { Ok(()) } else { Err("the signature does not recover to the signer".into()) }
}
