//! Hyperlane's validator duty: signs checkpoints of a mailbox's messages, and writes the JSON that relayers read.
//!
//! ```text
//! validator --key-id alias/hyperlane-validator-signer-ethereum --out DIR announce --domain 1 --mailbox 0x… --location s3://bucket/us-east-1
//! validator --key-id alias/hyperlane-validator-signer-ethereum --out DIR sign < checkpoints.jsonl
//! ```
//!
//! With `--demo` in place of `--key-id` (or `KMS_KEY_ID`) it signs with a new key in a KMS of this process.
//!
//! Each line of the input is a `value` as Hyperlane publishes it:
//!
//! ```json
//! {"checkpoint":{"merkle_tree_hook_address":"0x…","mailbox_domain":1,"root":"0x…","index":0},"message_id":"0x…"}
//! ```
//!
//! The files have the names that a relayer reads in an S3 bucket (`aws s3 sync DIR s3://bucket --exclude "*" --include "*.json"`). At a
//! location `file://…` it looks for others (`0_with_id.json`, `index.json`), so `DIR` itself is no location to announce.
//!
//! For an index that was signed with one root no other is signed, also after a crash or a restart: what is about to be signed is on
//! the disk before KMS is asked. A line that was signed already is skipped, so the same input may be given again. `DIR` is for one
//! validator and one chain, and must be the only one for them, on a disk that keeps what it says it keeps. A line that is refused does
//! not hold up the others; the exit code tells.
//!
//! The key is set up as Hyperlane's guide for AWS KMS says: asymmetric, "Sign and verify", `ECC_SECG_P256K1`, an alias, and an IAM user whose access
//! key this process gets in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, with `AWS_REGION`. Roles work, too. Of the statement
//! "Allow use of the key" in the key policy, two actions are needed:
//!
//! ```json
//! {
//!   "Sid": "Allow use of the key",
//!   "Effect": "Allow",
//!   "Principal": { "AWS": "arn:aws:iam::<account>:user/hyperlane-validator-ethereum" },
//!   "Action": ["kms:GetPublicKey", "kms:Sign"],
//!   "Resource": "*"
//! }
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "validator/folder.rs"]
mod folder;
#[path = "validator/hyperlane.rs"]
mod hyperlane;
#[path = "support/key.rs"]
mod key;
#[path = "validator/lines.rs"]
mod lines;

use std::{
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::B256;
use clap::{ArgGroup, Parser, Subcommand};
use cli::Outcome;
use folder::{Folder, Verdict};
use futures_util::{StreamExt, stream};
use hyperlane::{Announcement, CheckpointWithMessageId, Signed};
use key::KeyArgs;
use kms_signer::{Error, KmsSigner};
use lines::Line;

/// How many checkpoints are signed at a time: as many as the client lets out.
const AT_ONCE: usize = 64;

/// Where none is named, other examples take a key of their own. Here it would bind a folder that is meant for another.
const KEY_HELP: &str =
    "A key id, key ARN, alias name or alias ARN; credentials, Region and AWS_ENDPOINT_URL are those of the environment";

/// Sign checkpoints as a validator of Hyperlane.
#[derive(Parser)]
#[command(group(ArgGroup::new("which key").args(["key_id", "demo"]).required(true)))]
#[command(mut_arg("key_id", |arg| arg.help(KEY_HELP).long_help(None)))]
struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// Sign with a new key in a KMS of this process, which is lost when it ends.
    #[arg(long)]
    demo: bool,

    /// The folder for the signed checkpoints of one validator and one chain. It is created where it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    #[command(subcommand)]
    duty: Duty,
}

#[derive(Subcommand)]
enum Duty {
    /// Sign the checkpoints on standard input, one JSON value a line.
    Sign,
    /// Sign where the checkpoints are found, for Hyperlane's ValidatorAnnounce contract.
    Announce {
        /// The mailbox's domain, for instance 1 for Ethereum.
        #[arg(long, value_name = "N")]
        domain: u32,

        /// The mailbox's address, 20 or 32 bytes.
        #[arg(long, value_name = "ADDR", value_parser = hyperlane::parse_address)]
        mailbox: B256,

        /// Where relayers read the folder's files, for instance s3://bucket/us-east-1.
        #[arg(long, value_name = "URL")]
        location: String,
    },
}

/// What became of the lines.
#[derive(Default)]
struct Tally {
    signed: u64,
    published: u64,
    refused: u64,
    failed: u64,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let signer = args.key.connect().await?;
    println!("validator  {}", signer.address());
    let folder = Folder::open(&args.out, signer.address())?;
    match args.duty {
        Duty::Sign => sign_lines(folder, &signer).await,
        Duty::Announce { domain, mailbox, location } => {
            let value = Announcement {
                validator: signer.address(),
                mailbox_address: mailbox,
                mailbox_domain: domain,
                storage_location: location,
            };
            announce(&folder, &signer, value).await
        }
    }
}

async fn announce(folder: &Folder, signer: &KmsSigner, value: Announcement) -> Outcome {
    const NAME: &str = "announcement.json";
    let signed = Signed::new(signer, value).await?;
    folder::write(folder.path(), NAME, &serde_json::to_vec_pretty(&signed)?)?;
    folder::sync_folder(folder.path())?;
    println!("location   {}", signed.value.storage_location);
    println!("signature  {}", signed.serialized_signature);
    println!("written    {}", folder.path().join(NAME).display());
    Ok(())
}

async fn sign_lines(mut folder: Folder, signer: &KmsSigner) -> Outcome {
    let mut lines = lines::of_stdin(AT_ONCE);
    let mut batch = Vec::with_capacity(AT_ONCE);
    let mut tally = Tally::default();
    let mut outcome = Ok(());
    // Takes what there is: a line of a slow input does not wait for others.
    while outcome.is_ok() && lines.recv_many(&mut batch, AT_ONCE).await > 0 {
        outcome = sign_batch(&mut folder, signer, batch.drain(..), &mut tally).await;
    }
    let Tally { signed, published, refused, failed } = tally;
    println!("signed {signed}, skipped {published}, refused {refused}, failed {failed}");
    if let Some(latest) = folder.latest() {
        println!("latest index {latest}");
    }
    outcome?;
    match refused + failed {
        0 => Ok(()),
        number => Err(format!("{number} lines are not signed; each is named above").into()),
    }
}

/// Signs what may be signed and writes it. An error ends the run.
async fn sign_batch(
    folder: &mut Folder,
    signer: &KmsSigner,
    batch: impl Iterator<Item = Line>,
    tally: &mut Tally,
) -> Outcome {
    let mut latest = None;
    let mut admitted: Vec<(u64, CheckpointWithMessageId)> = Vec::new();
    for (number, line) in batch {
        let verdict = match line {
            // The same line again, before the first one is signed.
            Ok(value) if admitted.iter().any(|(_, earlier)| *earlier == value) => Verdict::Published,
            Ok(value) => {
                let verdict = folder.admit(&value)?;
                match verdict {
                    Verdict::Sign => admitted.push((number, value)),
                    // A crash may have come between its file and the latest index.
                    Verdict::Published => latest = latest.max(Some(value.checkpoint.index)),
                    Verdict::Refused(_) => {}
                }
                verdict
            }
            Err(reason) => Verdict::Refused(reason),
        };
        match verdict {
            Verdict::Sign => {}
            Verdict::Published => tally.published += 1,
            Verdict::Refused(reason) => {
                tally.refused += 1;
                eprintln!("line {number}: {reason}");
            }
        }
    }
    folder.commit()?;

    let path = folder.path();
    let mut results = stream::iter(admitted)
        .map(|(number, value)| async move { (number, value.checkpoint.index, publish(path, signer, value).await) })
        .buffer_unordered(AT_ONCE);
    let mut outcome = Ok(());
    let mut disk = Ok(());
    // To the end, whatever happens: nothing may be written when the folder is given back.
    while let Some((number, index, result)) = results.next().await {
        match result {
            Err(error) => disk = disk.and(Err(format!("{}: {error}", folder::checkpoint_name(index)))),
            Ok(Ok(())) => {
                tally.signed += 1;
                latest = latest.max(Some(index));
                println!("{index}  {}", folder::checkpoint_name(index));
            }
            Ok(Err(error)) => {
                tally.failed += 1;
                eprintln!("line {number}: {error}");
                // What is wrong for one is wrong for all, unless it passes.
                if !Error::find(&error).is_some_and(Error::is_retryable) {
                    outcome = Err("KMS does not sign; the lines after these were not tried".into());
                }
            }
        }
    }
    drop(results);
    disk?;
    if let Some(latest) = latest {
        folder.advance(latest)?;
    }
    outcome
}

/// Signs a checkpoint and writes it. The outer error is the disk's, the inner one is KMS's.
async fn publish(
    folder: &Path,
    signer: &KmsSigner,
    value: CheckpointWithMessageId,
) -> io::Result<alloy_signer::Result<()>> {
    let signed = match Signed::new(signer, value).await {
        Ok(signed) => signed,
        Err(error) => return Ok(Err(error)),
    };
    let (folder, name) = (folder.to_owned(), folder::checkpoint_name(value.checkpoint.index));
    let json = serde_json::to_vec_pretty(&signed)?;
    // Files that are made durable at the same time share the disk's work.
    tokio::task::spawn_blocking(move || folder::write(&folder, &name, &json)).await?.map(Ok)
}
