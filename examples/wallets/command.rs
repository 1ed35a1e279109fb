//! The commands and their options.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use kms_signer::keys::NewKey;

use crate::{cli::Outcome, policy::Document, secret::SecretArgs};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a key, and show its address.
    Create {
        /// An alias that leads to it, with its prefix: alias/wallets/1.
        #[arg(long)]
        alias: Option<String>,
        #[command(flatten)]
        key: NewKeyArgs,
    },
    /// Show the key of an alias; make it if there is none.
    Ensure {
        /// The alias, with its prefix: alias/wallets/1.
        alias: String,
        #[command(flatten)]
        key: NewKeyArgs,
    },
    /// Make a key of a private key that exists.
    Import {
        /// An alias that leads to it, with its prefix: alias/wallets/1.
        #[arg(long)]
        alias: Option<String>,
        #[command(flatten)]
        key: NewKeyArgs,
        #[command(flatten)]
        secret: SecretArgs,
    },
    /// List keys, and why some could not be read.
    List {
        /// Only those with an alias that begins like this.
        #[arg(long, value_name = "ALIAS")]
        prefix: Option<String>,
        /// Only those with this tag. May be given more than once.
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        tag: Vec<(String, String)>,
    },
    /// Connect a signer for each Ethereum key, and keep in a file what the next start needs to know.
    Load {
        /// Only those with an alias that begins like this.
        #[arg(long, value_name = "ALIAS")]
        prefix: Option<String>,
        /// Where their public keys are kept. If it is there, KMS is not asked.
        #[arg(long, value_name = "FILE")]
        records: PathBuf,
    },
    /// Show one key.
    Show {
        /// A key id, key ARN or alias.
        key: String,
    },
    /// Make a replica of a multi-Region key.
    Replicate {
        /// A key id, key ARN or alias.
        key: String,
        /// The Region for the replica.
        region: String,
        /// An alias in that Region.
        #[arg(long)]
        alias: Option<String>,
        /// A file with the replica's key policy. The key's own is not copied.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        #[command(flatten)]
        secret: SecretArgs,
    },
    /// Let a principal sign with a key. Prints the grant's id, and the token with which it works at once.
    Grant {
        /// A key id, key ARN or alias.
        key: String,
        /// The ARN of a role or user.
        principal: String,
    },
    /// Take a grant back.
    Revoke {
        /// A key id, key ARN or alias.
        key: String,
        /// What `grant` printed.
        grant_id: String,
    },
    /// Let a disabled key be used again.
    Enable {
        /// A key id, key ARN or alias.
        key: String,
    },
    /// Stop a key from being used.
    Disable {
        /// A key id, key ARN or alias.
        key: String,
    },
    /// Have a key deleted after a waiting period. Nothing brings it back after that.
    Delete {
        /// A key id, key ARN or alias.
        key: String,
        /// The waiting period, 7 to 30 days.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Keep a key whose deletion is scheduled.
    CancelDeletion {
        /// A key id, key ARN or alias.
        key: String,
    },
    /// Print a least-privilege policy. AWS is not asked.
    Policy {
        #[command(subcommand)]
        document: Document,
    },
}

#[derive(Args)]
pub(crate) struct NewKeyArgs {
    /// What it is for.
    #[arg(long, value_enum, default_value_t = Kind::Ethereum)]
    kind: Kind,
    /// A description. Not a place for secrets.
    #[arg(long)]
    description: Option<String>,
    /// A tag. May be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    tag: Vec<(String, String)>,
    /// Let it have replicas in other Regions.
    #[arg(long)]
    multi_region: bool,
    /// A file with the key policy, for instance from `wallets policy`.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Signs on secp256k1.
    Ethereum,
    /// Signs on P-256.
    P256,
    /// Signs with Ed25519.
    Ed25519,
    /// Encrypts and decrypts.
    Symmetric,
}

impl NewKeyArgs {
    pub(crate) fn new_key(&self, alias: Option<&String>) -> Outcome<NewKey> {
        let mut key = match self.kind {
            Kind::Ethereum => NewKey::signing(),
            Kind::P256 => NewKey::p256(),
            Kind::Ed25519 => NewKey::ed25519(),
            Kind::Symmetric => NewKey::symmetric(),
        };
        if let Some(alias) = alias {
            key = key.alias(alias);
        }
        if let Some(description) = &self.description {
            key = key.description(description);
        }
        for (name, value) in &self.tag {
            key = key.tag(name, value);
        }
        if let Some(file) = &self.policy {
            key = key.policy(read(file)?);
        }
        Ok(key.multi_region(self.multi_region))
    }
}

pub(crate) fn read(file: &Path) -> Outcome<String> {
    Ok(fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?)
}

/// Reads `KEY=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
