//! A signing key that lies sealed by a symmetric KMS key, and is opened into memory to sign thousands of times a second.
//!
//! ```text
//! cargo run --example sealed_signer                          # a new key, a KMS in this process, no account, no network
//! cargo run --example sealed_signer -- --key-id alias/hot --out hot.json       # your own symmetric key
//! cargo run --example sealed_signer -- --key-id alias/hot --open hot.json --expect 0x…
//! cargo run --example sealed_signer -- --key-id alias/hot --secret-stdin --out hot.json < secret.hex
//! ```
//!
//! The plain key is never written: what goes into the file is worth nothing without `kms:Decrypt` on the symmetric key. `--trace` shows all that
//! is logged on the way, the SDK's own TRACE log included.

#[path = "support/cli.rs"]
mod cli;

use std::{fs, io::Read, path::PathBuf, time::Instant};

use alloy_primitives::{Address, keccak256};
use alloy_signer::SignerSync;
use clap::Parser;
use cli::Outcome;
use kms_signer::{
    KeyRef, KmsClient,
    fake::FakeKms,
    keys::{Keys, NewKey, Secret},
    seal::{EncryptionContext, SealedKey, SealedSigner, SymmetricKey},
};
use zeroize::Zeroizing;

/// Seal a signing key with a symmetric KMS key, open it, and sign.
#[derive(Parser)]
struct Args {
    /// The symmetric key: a key id, key ARN, alias name or alias ARN. Without it a key in a KMS of this process is used.
    ///
    /// The credentials, the Region and AWS_ENDPOINT_URL are those of the environment.
    #[arg(long, value_name = "KEY", env = "KMS_KEY_ID")]
    key_id: Option<String>,

    /// Open the sealed key in this file, instead of making a new one.
    #[arg(long, value_name = "FILE", requires = "key_id", conflicts_with_all = ["secret_stdin", "out"])]
    open: Option<PathBuf>,

    /// The address that is expected in that file. Otherwise whoever can change the file chooses the wallet.
    #[arg(long, value_name = "ADDRESS", requires = "open")]
    expect: Option<Address>,

    /// Seal the private key that comes on standard input, in hexadecimal, instead of a new one.
    #[arg(long)]
    secret_stdin: bool,

    /// Keep the sealed key in this file, which must not be there yet. Without it, it is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// How many signatures to make.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    signatures: u32,

    /// Print what is logged at TRACE, by this crate and the SDK.
    #[arg(long)]
    trace: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    if args.trace {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::stderr).init();
    }
    let key = connect(args.key_id.as_deref()).await?;
    let sealed = match &args.open {
        Some(file) => {
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?.trim().parse()?
        }
        None => seal(&key, &args).await?,
    };
    println!("sealed by  {}", sealed.key());

    let started = Instant::now();
    let signer = match args.expect {
        Some(address) => SealedSigner::open_expecting(&key, &sealed, address).await?,
        None => SealedSigner::open(&key, &sealed).await?,
    };
    println!("address    {}", signer.address());
    println!("opened     in {:.1?}, with one Decrypt", started.elapsed());

    let started = Instant::now();
    for number in 0..args.signatures {
        let hash = keccak256(number.to_be_bytes());
        let signature = signer.sign_hash_sync(&hash)?;
        if signature.recover_address_from_prehash(&hash)? != signer.address() {
            return Err("a signature does not recover to the signer".into());
        }
    }
    println!("signed     {} times in {:.1?}, each checked by recovery", args.signatures, started.elapsed());
    Ok(())
}

async fn connect(key_id: Option<&str>) -> kms_signer::Result<SymmetricKey> {
    let key = match key_id {
        Some(key) => {
            // Parsed before it is shown: what is no key reference may be a secret.
            let key: KeyRef = key.parse()?;
            eprintln!("Connecting to {key} in AWS KMS");
            SymmetricKey::new(KmsClient::builder().for_key(&key).build().await?, key)?
        }
        None => {
            eprintln!("No --key-id and no KMS_KEY_ID: a KMS in this process with a new key is used");
            let keys = Keys::new(FakeKms::new().client());
            SymmetricKey::ensure(&keys, "alias/hot-wallets", NewKey::symmetric()).await?
        }
    };
    Ok(key)
}

/// Checks the symmetric key, seals a new key, or the one on standard input, and keeps the sealed form.
async fn seal(key: &SymmetricKey, args: &Args) -> Outcome<SealedKey> {
    // With a context of the kind that is used: a policy may ask for an address. Who opens may not ask for all of this.
    key.validate(&EncryptionContext::new().with("address", "none")).await?;
    let signer = if args.secret_stdin {
        let mut text = Zeroizing::new(String::with_capacity(128));
        std::io::stdin().take(128).read_to_string(&mut text)?;
        SealedSigner::seal(key, &Secret::from_hex(&text)?).await?
    } else {
        SealedSigner::create(key).await?
    };
    let sealed = signer.sealed();
    match &args.out {
        Some(file) => {
            use std::io::Write;
            let mut out = fs::File::create_new(file).map_err(|error| format!("{}: {error}", file.display()))?;
            writeln!(out, "{sealed}")?;
            out.sync_all()?;
            println!("kept in    {}", file.display());
        }
        None => println!("sealed     {sealed}"),
    }
    Ok(sealed.clone())
}
