//! Serves a signer's metrics to Prometheus while it signs once a second.
//!
//! ```text
//! cargo run --example metrics -- --port 9000     # then: curl http://127.0.0.1:9000/metrics
//! cargo run --example metrics -- --once          # a few signatures, the metrics on stdout, and the end
//! ```

#[path = "support/cli.rs"]
mod cli;
#[path = "support/key.rs"]
mod key;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use alloy_signer::Signer;
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use clap::Parser;
use cli::Outcome;
use key::KeyArgs;
use kms_signer::{KmsSigner, MetricsObserver};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, time::MissedTickBehavior};

/// KMS answers in milliseconds from near by; a call ends after 10 s unless its client says otherwise.
const SECONDS: [f64; 11] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How many signatures `--once` makes.
const A_FEW: u32 = 3;

/// Serve a signer's metrics to Prometheus, on loopback.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Print the metrics once after a few signatures, and serve nothing.
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    // Without buckets the exporter makes summaries, which cannot be added up over several processes.
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;

    let signer = args.key.connect().await?;
    let client = signer.client().clone().with_observer(MetricsObserver);
    let signer = KmsSigner::builder(client, signer.key()).connect().await?;

    if args.once {
        for number in 0..A_FEW {
            signer.sign_message(format!("message {number}").as_bytes()).await?;
        }
        print!("{}", metrics.render());
        return Ok(());
    }
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)))
        .await
        .map_err(|error| format!("127.0.0.1:{}: {error}", args.port))?;
    println!("http://{}/metrics", listener.local_addr()?);
    eprintln!("One signature a second is made. Ctrl-C ends it.");

    let signing = tokio::spawn(sign_every_second(signer, metrics.clone()));
    let text = move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()) };
    axum::serve(listener, Router::new().route("/metrics", get(text)))
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    signing.abort();
    Ok(())
}

async fn sign_every_second(signer: KmsSigner, metrics: PrometheusHandle) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        if let Err(error) = signer.sign_message(b"hello").await {
            eprintln!("{error}");
        }
        // The exporter keeps every observation until it is asked to add them up. Nobody may ever scrape it.
        metrics.run_upkeep();
    }
}
