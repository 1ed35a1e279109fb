//! Verifies an audit file: finds the first line that was changed, removed, inserted or cut.
//!
//! ```text
//! cargo run --example audit_verify -- audit.jsonl
//! cargo run --example audit_verify -- audit.jsonl --head 5f0c… --lines 1200
//! ```
//!
//! Without a file it writes one, with a key in a KMS of this process, and shows what is found when somebody tampers with it.

#[path = "support/cli.rs"]
mod cli;
#[path = "support/key.rs"]
mod key;

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, hex};
use alloy_signer::Signer;
use clap::Parser;
use cli::Outcome;
use key::KeyArgs;
use kms_signer::{
    KmsSigner, Stage,
    guard::{
        AuditLog, Guard, Guarded,
        audit::{Verified, verify_with_head},
    },
};

/// Verify an audit file.
#[derive(Parser)]
struct Args {
    /// The file. Without one, a file is written and tampered with, to show what is found.
    file: Option<PathBuf>,

    /// A hash that was kept elsewhere: one of the lines must have it, or lines were removed from the end.
    #[arg(long, value_name = "HASH", requires = "file")]
    head: Option<B256>,

    /// There must be so many lines, or more.
    #[arg(long, value_name = "N", requires = "file")]
    lines: Option<u64>,

    #[command(flatten)]
    key: KeyArgs,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let Some(file) = args.file else { return demonstrate(args.key.connect().await?).await };
    let verified = read(&file, args.head.unwrap_or_default())?;
    show(&verified);
    match args.lines {
        Some(lines) if verified.lines() < lines => Err(format!(
            "{} has {} lines, not {lines}: lines were removed from the end",
            file.display(),
            verified.lines()
        )
        .into()),
        _ => Ok(()),
    }
}

/// No line has the zeros, and every file holds what was before its first line.
fn read(file: &Path, head: B256) -> Outcome<Verified> {
    let reader = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(verify_with_head(BufReader::new(reader), head)?)
}

fn show(verified: &Verified) {
    println!("lines     {}", verified.lines());
    for stage in [Stage::Allowed, Stage::Denied, Stage::Signed, Stage::Failed] {
        println!("{:<9} {}", stage.as_label(), verified.count(stage));
    }
    println!("opened    {}", verified.opened());
    for (name, time) in [("first", verified.first()), ("last", verified.last())] {
        println!("{name:<9} {}", time.map_or("none".into(), |time| humantime::format_rfc3339_millis(time).to_string()));
    }
    println!("head      {}", hex::encode(verified.head()));
    match verified.partial_bytes() {
        0 => {}
        bytes => println!("and {bytes} bytes of a line that was never finished: a process was killed, or is writing"),
    }
}

/// Signs a little, verifies what was recorded, and tampers with copies of it.
async fn demonstrate(signer: KmsSigner) -> Outcome {
    let folder = std::env::temp_dir().join(format!("kms-signer-audit-verify-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = tamper(signer, &folder).await;
    fs::remove_dir_all(&folder)?;
    outcome
}

async fn tamper(signer: KmsSigner, folder: &Path) -> Outcome {
    let file = folder.join("audit.jsonl");
    eprintln!("Signing two messages and asking for a third that no rule allows, recorded in {}", file.display());
    let head = sign(signer, &file).await?;
    show(&read(&file, head)?);

    let text = fs::read_to_string(&file)?;
    let lines: Vec<&str> = text.lines().collect();
    let [first, second, third, others @ .., last] = lines.as_slice() else { return Err("lines are missing".into()) };
    let half = third.get(..third.len() / 2).unwrap_or_default();
    let joined = |lines: &[&[&str]]| lines.concat().join("\n") + "\n";
    let copies = [
        ("changed", text.replacen("log in", "no rule", 1)),
        ("removed", joined(&[&[first, second], others, &[last]])),
        ("cut", joined(&[&[first, second, half], others, &[last]])),
        ("removed at the end, and the head was kept", joined(&[&[first, second, third], others])),
    ];
    for (what, text) in copies {
        let copy = folder.join("copy.jsonl");
        fs::write(&copy, text)?;
        match read(&copy, head) {
            Ok(_) => return Err(format!("a line that was {what} was not found").into()),
            Err(error) => println!("\na line is {what}\n    {error}"),
        }
    }
    Ok(())
}

/// Returns the head, as an operator keeps it.
async fn sign(signer: KmsSigner, file: &Path) -> Outcome<B256> {
    let guard = Guard::from_toml("[[messages]]\nname = \"log in\"\nprefixes = [\"Log in to example.com: \"]\n")?;
    let log = AuditLog::open(file)?;
    let signer = Guarded::new(signer, guard).with_caller("demonstration").with_recorder(log.clone());
    for message in ["Log in to example.com: 1", "Log in to example.com: 2"] {
        signer.sign_message(message.as_bytes()).await?;
    }
    if signer.sign_message(b"I owe you a million").await.is_ok() {
        return Err("what no rule allows was signed".into());
    }
    Ok(log.head())
}
