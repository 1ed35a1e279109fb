//! Wallets whose keys live in AWS KMS: create, import, list, replicate, grant, retire, and the policies for all of that.
//!
//! ```text
//! cargo run --example wallets -- --demo create --alias alias/wallets/1 --tag team=payments then list
//! cargo run --example wallets -- --demo import --alias alias/deployer --secret-stdin then list --json < secret.hex
//! cargo run --example wallets -- list --prefix alias/wallets/
//! cargo run --example wallets -- load --prefix alias/wallets/ --records wallets.json
//! ```
//!
//! Without `--demo` the keys are those of your account: credentials, Region and `AWS_ENDPOINT_URL` of the environment, or a role
//! (`--role`, `--external-id`). Several commands in one run are separated by `then`. A `--demo` is a KMS in this process; it begins empty, and is gone at the
//! end.
//!
//! # Hosted wallets, as Starton's users have them
//!
//! With one wallet by its key ARN, whoever owns the key adds a key policy for the other account, and nothing else is shared:
//!
//! ```text
//! wallets policy external-signer --account 111122223333 --principal arn:aws:iam::210987654321:role/wallets > key-policy.json
//! wallets create --alias alias/treasury --multi-region --policy key-policy.json
//! ```
//!
//! The other account gives its role a policy that names the key, `wallets policy signer --key <key ARN>`, and uses the ARN.
//!
//! With full access, narrowed: a role that makes and lists wallets with one tag, and can neither sign with them nor delete them:
//!
//! ```text
//! wallets policy manager --account 111122223333 --tag service=wallets --alias-prefix alias/wallets/ > manager.json
//! wallets create --alias alias/wallets/42 --tag service=wallets
//! wallets list --tag service=wallets --json
//! ```
//!
//! # An external KMS, as Infisical connects it
//!
//! A symmetric key, made if there is none, and a role that another account takes on with an external id, and that may use this key only:
//!
//! ```text
//! wallets ensure alias/secrets --kind symmetric
//! wallets policy trust --principal arn:aws:iam::381492033652:root --external-id 3f1c… > trust.json
//! wallets policy encryptor --key <key ARN> > inline.json
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "wallets/command.rs"]
mod command;
#[path = "wallets/policy.rs"]
mod policy;
#[path = "wallets/print.rs"]
mod print;
#[path = "wallets/secret.rs"]
mod secret;

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use cli::Outcome;
use command::Command;
use futures_util::TryStreamExt;
use kms_signer::{
    AssumeRole, Event, KmsClient,
    fake::FakeKms,
    keys::{Filter, KeyRecord, Keys, Listed, Replica},
};
use print::Printer;

/// What a demo's KMS has beside its own Region.
const SECOND_REGION: &str = "us-west-2";

/// Make, list and retire wallets in AWS KMS.
#[derive(Parser)]
#[command(after_help = "Several commands in one run are separated by `then`: create --alias alias/a then list")]
struct Args {
    #[command(flatten)]
    connection: Connection,

    /// Print JSON, one object a line, instead of a table.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

/// Whose keys are meant.
#[derive(clap::Args, Default, PartialEq)]
struct Connection {
    /// Use a KMS in this process, which begins empty and is gone at the end.
    #[arg(long)]
    demo: bool,

    /// So many keys in the demo's KMS to begin with, alias/demo/0 and so on.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "demo")]
    demo_keys: u32,

    /// How long each answer of the demo's KMS takes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0, requires = "demo")]
    demo_latency: u64,

    /// Take on this role first.
    #[arg(long, value_name = "ARN")]
    role: Option<String>,

    /// The external id that the role asks for.
    #[arg(long, value_name = "ID", requires = "role")]
    external_id: Option<String>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(std::env::args_os().skip(1).collect()).await)
}

async fn run(words: Vec<OsString>) -> Outcome {
    // All are read before the first is carried out.
    let commands: Vec<Args> = words.split(|word| word == "then").map(parse).collect();
    let Some((first, others)) = commands.split_first() else { return Ok(()) };
    if others.iter().any(|args| args.connection != Connection::default()) {
        return Err("say before the first command whose keys are meant; it holds for those after `then`, too".into());
    }
    if let (Command::Policy { document }, []) = (&first.command, others) {
        println!("{}", document.text()?);
        return Ok(());
    }
    let requests = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&requests);
    let client = client(&first.connection).await?.with_observer(move |event: &Event<'_>| {
        if let Event::Call(call) = event {
            counter.fetch_add(call.attempts().into(), Relaxed);
        }
    });
    let keys = Keys::new(client);
    for args in &commands {
        carry_out(&keys, &args.command, &Printer::new(first.json || args.json), &requests).await?;
    }
    Ok(())
}

fn parse(words: &[OsString]) -> Args {
    Args::parse_from([OsString::from("wallets")].iter().chain(words))
}

async fn client(args: &Connection) -> Outcome<KmsClient> {
    if args.demo {
        eprintln!("A KMS in this process is used; it is gone at the end");
        let fake = FakeKms::new();
        fake.join(&FakeKms::in_region(SECOND_REGION))?;
        for number in 0..args.demo_keys {
            fake.alias(&format!("alias/demo/{number}"), &fake.create_key()?)?;
        }
        fake.set_latency(Duration::from_millis(args.demo_latency));
        return Ok(fake.client().into());
    }
    let mut builder = KmsClient::builder();
    if let Some(arn) = &args.role {
        let mut role = AssumeRole::new(arn);
        if let Some(id) = &args.external_id {
            role = role.external_id(id);
        }
        builder = builder.assume_role(role);
    }
    Ok(builder.build().await?)
}

async fn carry_out(keys: &Keys, command: &Command, printer: &Printer, requests: &AtomicU64) -> Outcome {
    match command {
        Command::Create { alias, key } => printer.key(&keys.create(key.new_key(alias.as_ref())?).await?),
        Command::Ensure { alias, key } => printer.key(&keys.ensure(alias, key.new_key(None)?).await?),
        Command::Import { alias, key, secret } => {
            let (new, secret) = (key.new_key(alias.as_ref())?, secret.read().await?);
            eprintln!("Importing the key of {}", secret.address());
            printer.key(&keys.import(new, secret).await?);
        }
        Command::List { prefix, tag } => {
            let mut filter = Filter::new();
            if let Some(prefix) = prefix {
                filter = filter.alias_prefix(prefix);
            }
            for (key, value) in tag {
                filter = filter.tag(key, value);
            }
            list(keys, filter, printer).await?;
        }
        Command::Load { prefix, records } => load(keys, prefix.as_deref(), records, printer, requests).await?,
        Command::Show { key } => printer.key(&keys.describe(key).await?),
        Command::Replicate { key, region, alias, policy, secret } => {
            let mut replica = Replica::to(region);
            if let Some(alias) = alias {
                replica = replica.alias(alias);
            }
            if let Some(file) = policy {
                replica = replica.policy(command::read(file)?);
            }
            if secret.is_given() {
                replica = replica.secret(secret.read().await?);
            }
            printer.key(&keys.replicate(key, replica).await?);
        }
        Command::Grant { key, principal } => printer.grant(&keys.grant_signing(key, principal).await?),
        Command::Revoke { key, grant_id } => keys.revoke(key, grant_id).await?,
        Command::Enable { key } => keys.enable(key).await?,
        Command::Disable { key } => keys.disable(key).await?,
        Command::Delete { key, days } => {
            keys.schedule_deletion(key, *days).await?;
            eprintln!("{key} is deleted in {days} days, unless you say: wallets cancel-deletion {key}");
        }
        Command::CancelDeletion { key } => {
            keys.cancel_deletion(key).await?;
            eprintln!("{key} stays, and is disabled: wallets enable {key}");
        }
        Command::Policy { document } => println!("{}", document.text()?),
    }
    Ok(())
}

/// Connects a signer for each key: from the file, or from KMS, and then writes the file.
async fn load(keys: &Keys, prefix: Option<&str>, file: &Path, printer: &Printer, requests: &AtomicU64) -> Outcome {
    let (started, before) = (Instant::now(), requests.load(Relaxed));
    let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let signers = match fs::read_to_string(file) {
        Ok(_) if prefix.is_some() => {
            let message = "is there already, and says which keys; remove it to ask KMS again, or leave --prefix out";
            return Err(of_file(&message).into());
        }
        Ok(text) => {
            let records: Vec<KeyRecord> = serde_json::from_str(&text).map_err(|error| of_file(&error))?;
            keys.load_signers(records).await?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let filter = prefix.map_or(Filter::new(), |prefix| Filter::new().alias_prefix(prefix));
            let signers = keys.load_signers(filter).await?;
            // In one step, so that no later start finds half of it.
            let part = file.with_added_extension("part");
            fs::write(&part, serde_json::to_string_pretty(&signers.records())?)
                .and_then(|()| fs::rename(&part, file))
                .map_err(|error| of_file(&error))?;
            signers
        }
        Err(error) => return Err(of_file(&error).into()),
    };
    for skipped in signers.skipped() {
        printer.skipped(skipped);
    }
    printer.loaded(signers.len(), signers.skipped().len(), requests.load(Relaxed) - before, started.elapsed());
    Ok(())
}

/// Prints the keys as they come, and why others were skipped.
async fn list(keys: &Keys, filter: Filter, printer: &Printer) -> Outcome {
    let progress = print::progress();
    let (mut found, mut skipped) = (0u64, 0u64);
    let mut listed = std::pin::pin!(keys.list(filter));
    progress.suspend(|| printer.heading());
    while let Some(item) = listed.try_next().await? {
        match item {
            Listed::Key(key) => {
                found += 1;
                progress.suspend(|| printer.key(&key));
            }
            Listed::Skipped(key) => {
                skipped += 1;
                progress.suspend(|| printer.skipped(&key));
            }
            other => progress.suspend(|| eprintln!("{other:?}")),
        }
        progress.set_message(format!("keys: {found}, skipped: {skipped}"));
        progress.tick();
    }
    progress.finish_and_clear();
    eprintln!("keys: {found}, skipped: {skipped}");
    Ok(())
}
