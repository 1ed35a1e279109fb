//! A JSON-RPC signer over keys in AWS KMS.
//!
//! ```text
//! cargo run -p remote-signer -- --demo --upstream http://127.0.0.1:8545
//! cargo run -p remote-signer -- --config examples/remote-signer/remote-signer.toml
//! cargo run -p remote-signer -- token
//! ```

#[path = "../../support/cli.rs"]
mod cli;

use std::{
    io::IsTerminal,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use cli::Outcome;
use remote_signer::{Audit, Fingerprint, Hidden, Server, Settings, connect, measure, new_token, signal};
use tracing_subscriber::EnvFilter;

/// Sign for programs that speak JSON-RPC, with keys in AWS KMS, by rules.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", required_unless_present = "demo", conflicts_with = "demo")]
    config: Option<PathBuf>,

    /// Sign with a new key in a KMS of this process, for whoever asks on loopback. It is lost when the process ends.
    #[arg(long)]
    demo: bool,

    /// Where to listen, instead of where the configuration says. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// The Ethereum node's URL, instead of the configuration's.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,

    /// The file that every decision and signature is written to, instead of the configuration's.
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print a new token for a caller, and the hash for the configuration.
    Token,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    if let Some(Command::Token) = args.command {
        let token = new_token()?;
        println!("token         {token}");
        println!("token_sha256  {}", Fingerprint::of(token.as_bytes()));
        eprintln!("Give the token to the caller, and the hash to the configuration. It is shown this once.");
        return Ok(());
    }
    let level = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new("info"))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(level).with_ansi(colours).with_writer(std::io::stderr).init();
    let metrics = measure::install()?;
    // Before anything else, so that a signal during the start is not lost.
    let end = signal()?;
    let (server, listener) = if args.demo { demo(args).await? } else { configured(args).await? };
    Server { metrics: Some(metrics), ..server }.serve(listener, end).await?;
    Ok(())
}

async fn configured(args: Args) -> Outcome<(Server, TcpListener)> {
    let path = args.config.ok_or("--config is missing")?;
    let mut settings = Settings::read(&path)?;
    if let Some(listen) = args.listen {
        settings.check_listen(listen)?;
        settings.listen = listen;
    }
    if let Some(url) = args.upstream {
        settings.upstream = Some(Hidden(url));
    }
    if let Some(file) = args.audit {
        let fsync = settings.audit.is_none_or(|audit| audit.fsync);
        settings.audit = Some(Audit { file, fsync });
    }
    let server = connect(&settings).await?;
    let listener = bind(settings.listen)?;
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    println!("{scheme}://{}", listener.local_addr()?);
    Ok((server, listener))
}

#[cfg(feature = "demo")]
async fn demo(args: Args) -> Outcome<(Server, TcpListener)> {
    use remote_signer::demo;

    let listen = args.listen.unwrap_or_else(|| (std::net::Ipv4Addr::LOCALHOST, 8550).into());
    let demo = demo::start(listen, args.upstream.as_deref(), args.audit).await?;
    let demo::Demo { server, address, rules, audit } = demo;
    let listener = bind(listen)?;
    let listen = listener.local_addr()?;
    println!("http://{listen}");
    println!("address  {address}");
    println!("audit    {}", audit.display());
    eprintln!("\n{rules}\n{}\nCtrl-C ends it.", demo::commands(listen, address, args.upstream.is_some()));
    Ok((server, listener))
}

#[cfg(not(feature = "demo"))]
async fn demo(_: Args) -> Outcome<(Server, TcpListener)> {
    Err("this program was built without the feature demo".into())
}

fn bind(listen: SocketAddr) -> Outcome<TcpListener> {
    TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}").into())
}
