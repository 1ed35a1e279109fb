//! `weight-ours <key>` signs one digest.

use alloy_primitives::B256;
use alloy_signer::Signer;
use kms_signer::KmsSigner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = std::env::args().nth(1).ok_or("which key?")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let signer = KmsSigner::from_env(key).await?;
        println!("{:?}", signer.sign_hash(&B256::repeat_byte(7)).await?);
        Ok(())
    })
}
