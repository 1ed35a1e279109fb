//! Prints the Ethereum address of a key: of a KMS key, or offline of its public key in PEM or DER.
//!
//! ```text
//! cargo run --example address -- --key-id alias/relayer
//! cargo run --example address -- public-key.pem --expect 0x…
//! aws kms get-public-key --key-id alias/relayer --output text --query PublicKey | base64 -d | cargo run --example address -- -
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "support/key.rs"]
mod key;

use std::{
    fs::File,
    io::{Read, stdin},
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use clap::Parser;
use cli::Outcome;
use key::KeyArgs;
use kms_signer::PublicKey;

/// More than any public key in PEM or DER takes.
const MAX_LEN: u64 = 64 * 1024;

/// Print the Ethereum address of a key.
#[derive(Parser)]
struct Args {
    /// A file with the public key in PEM or DER (SubjectPublicKeyInfo), or - for standard input. AWS is not asked then.
    file: Option<PathBuf>,

    /// The address it must have; another one is an error.
    #[arg(long, value_name = "ADDRESS")]
    expect: Option<Address>,

    #[command(flatten)]
    key: KeyArgs,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let address = match args.file {
        Some(file) => {
            eprintln!(
                "Reading a public key from {}",
                if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
            );
            public_key(&read(&file)?)?.address()
        }
        None => args.key.connect().await?.address(),
    };
    println!("{address}");
    match args.expect {
        Some(expected) if expected != address => {
            Err(format!("the key's address is {address}, not the expected {expected}; check the key, or the address")
                .into())
        }
        _ => Ok(()),
    }
}

fn public_key(bytes: &[u8]) -> Outcome<PublicKey> {
    match std::str::from_utf8(bytes) {
        Ok(pem) if pem.trim_start().starts_with('-') => Ok(PublicKey::from_spki_pem(pem)?),
        Ok(_) => {
            Err("this is text, but no PEM; what `aws kms get-public-key` prints goes through `base64 -d` first".into())
        }
        Err(_) => Ok(PublicKey::from_spki_der(bytes)?),
    }
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(file).map_err(|error| format!("{}: {error}", file.display()))?)
    };
    let mut bytes = Vec::new();
    reader.take(MAX_LEN).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(bytes)
}
