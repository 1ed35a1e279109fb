//! `weight-theirs <key>` signs one digest.

use alloy_primitives::B256;
use alloy_signer::Signer;
use alloy_signer_aws::{AwsSigner, aws_sdk_kms::Client};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = std::env::args().nth(1).ok_or("which key?")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let signer = AwsSigner::new(Client::new(&config), key, None).await?;
        println!("{:?}", signer.sign_hash(&B256::repeat_byte(7)).await?);
        Ok(())
    })
}
