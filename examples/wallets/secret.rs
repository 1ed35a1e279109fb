//! Where a private key comes from. Never from an argument, which every process of the machine can read.

use std::{
    io::{BufRead, IsTerminal, Read, stdin},
    path::PathBuf,
};

use clap::Args;
use kms_signer::keys::Secret;
use zeroize::Zeroizing;

use crate::cli::Outcome;

/// More than any private key or password takes, in bytes.
const MAX_LINE: usize = 4096;

#[derive(Args)]
pub(crate) struct SecretArgs {
    /// Read the private key from one line of standard input: 64 hexadecimal digits.
    #[arg(long)]
    secret_stdin: bool,

    /// Read it from an encrypted JSON keystore file; the password comes from one line of standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_stdin")]
    keystore: Option<PathBuf>,
}

impl SecretArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.secret_stdin || self.keystore.is_some()
    }

    pub(crate) async fn read(&self) -> Outcome<Secret> {
        if !self.is_given() {
            return Err("give --secret-stdin, or --keystore FILE".into());
        }
        let line = line()?;
        let Some(file) = self.keystore.clone() else { return Ok(Secret::from_hex(&line)?) };
        // Decryption takes a second of a processor.
        Ok(tokio::task::spawn_blocking(move || Secret::from_keystore(file, line.as_bytes())).await??)
    }
}

fn line() -> Outcome<Zeroizing<String>> {
    if stdin().is_terminal() {
        return Err("a terminal would show it; give it through a pipe or a file: wallets import … < secret.hex".into());
    }
    // Large enough from the beginning: a text that grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(MAX_LINE));
    stdin().lock().take(MAX_LINE as u64).read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    if line.is_empty() {
        return Err("standard input has no line for it".into());
    }
    Ok(line)
}
