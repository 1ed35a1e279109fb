//! A remote signer for Tezos over keys in AWS KMS.
//!
//! ```text
//! cargo run -p tezos-vault -- --demo
//! cargo run -p tezos-vault -- --config examples/tezos-vault/signatory.yaml list
//! cargo run -p tezos-vault -- --config examples/tezos-vault/signatory.yaml serve
//! ```

#[path = "../../support/cli.rs"]
mod cli;

use std::{
    io::IsTerminal,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use cli::Outcome;
use tezos_vault::{Config, Marks, Server, Service, connect, discover, measure, show, signal};
use tracing_subscriber::EnvFilter;

/// Sign for Tezos with keys in AWS KMS, as a signatory.yaml says.
#[derive(Parser)]
struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", required_unless_present = "demo", conflicts_with = "demo")]
    config: Option<PathBuf>,

    /// Where watermarks are kept, instead of the configuration's base_dir.
    #[arg(long, value_name = "FOLDER")]
    base_dir: Option<PathBuf>,

    /// Sign with a new key in a KMS of this process, for whoever asks on loopback. It is lost when the process ends.
    #[arg(long)]
    demo: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print the vaults' keys: public key hash, vault, ARN, state, and what may be signed.
    List,
    /// Answer requests for signatures.
    Serve {
        /// Where to listen, instead of the configuration's server.address. Port 0 takes a free one.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let level = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new("info"))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(level).with_ansi(colours).with_writer(std::io::stderr).init();
    let listen = match &args.command {
        Some(Command::Serve { listen }) => *listen,
        _ => None,
    };
    let Some(path) = args.config else {
        if let Some(Command::List) = args.command {
            return Err("--demo serves a key that is new each time: there is nothing to list before".into());
        }
        return demo(listen).await;
    };
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
    let mut config = Config::parse(&text).map_err(|error| wrong(&error))?;
    if let Some(folder) = args.base_dir {
        config.base_dir = folder;
    }
    if let Some(Command::List) = args.command {
        let found = discover(&connect(&config.vaults).await?).await?;
        print!("{}", show(&config, &found));
        return Ok(());
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Before anything else, so that a signal during the start is not lost.
    let (end, metrics) = (signal()?, measure::install()?);
    let marks = if config.in_memory { Marks::in_memory() } else { Marks::open(&config.base_dir)? };
    let found = discover(&connect(&config.vaults).await?).await?;
    let (listen, utility) = (listen.unwrap_or(config.address), config.utility_address);
    let service = Arc::new(Service::new(config, found, marks).await?);
    let (listener, utility) = (bind(listen)?, bind(utility)?);
    println!("http://{}", listener.local_addr()?);
    println!("utility  http://{}", utility.local_addr()?);
    Server { service, metrics: Some(metrics) }.serve(listener, Some(utility), end).await?;
    Ok(())
}

#[cfg(feature = "demo")]
async fn demo(listen: Option<SocketAddr>) -> Outcome {
    let listener = bind(listen.unwrap_or((std::net::Ipv4Addr::LOCALHOST, 6732).into()))?;
    let end = signal()?;
    let demo = tezos_vault::demo::start(listener.local_addr()?).await?;
    println!("http://{}", listener.local_addr()?);
    eprintln!("{}\n{}\nCtrl-C ends it.", demo.rules, demo.commands);
    Server { service: Arc::new(demo.service), metrics: None }.serve(listener, None, end).await?;
    Ok(())
}

#[cfg(not(feature = "demo"))]
async fn demo(_: Option<SocketAddr>) -> Outcome {
    Err("this program was built without the feature demo".into())
}

fn bind(listen: SocketAddr) -> Outcome<TcpListener> {
    TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}").into())
}
