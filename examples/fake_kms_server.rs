//! A KMS on loopback, for other programs, other SDKs and command-line tools to try against.
//!
//! ```text
//! cargo run --example fake_kms_server
//! cargo run --example fake_kms_server -- --port 4599 --secret 0x…   # a key you know
//! ```
//!
//! It holds keys in memory, checks no signature of a request, and is for tests and demonstrations only.

#[path = "support/cli.rs"]
mod cli;

use std::net::{Ipv4Addr, SocketAddr};

use alloy_primitives::B256;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use clap::Parser;
use cli::Outcome;
use kms_signer::{KmsSigner, fake::FakeKms};
use tokio::net::TcpListener;

/// A request of KMS is far smaller.
const MAX_BODY: usize = 1024 * 1024;

/// Serve a KMS with one signing key on loopback.
#[derive(Parser)]
struct Args {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// The key's alias.
    #[arg(long, default_value = "alias/demo")]
    alias: String,

    /// So many keys more, alias/many/0 and so on, for tools that list.
    #[arg(long, value_name = "N", default_value_t = 0)]
    more_keys: u32,

    /// The key's private key, 32 bytes in hexadecimal. For keys without value only. The default is a random one.
    #[arg(long, env = "FAKE_KMS_SECRET", hide_env_values = true)]
    secret: Option<B256>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cli::report(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let fake = FakeKms::new();
    let key = match args.secret {
        Some(secret) => fake.import_key(secret)?,
        None => fake.create_key()?,
    };
    fake.alias(&args.alias, &key)?;
    for number in 0..args.more_keys {
        fake.alias(&format!("alias/many/{number}"), &fake.create_key()?)?;
    }
    let signer = KmsSigner::new(fake.client(), &key, None).await?;

    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)))
        .await
        .map_err(|error| format!("127.0.0.1:{}: {error}", args.port))?;
    println!("# FakeKms: key {key}, address {}", signer.address());
    println!("export AWS_ENDPOINT_URL=http://{}", listener.local_addr()?);
    println!("export AWS_REGION={}", key.region());
    println!("export AWS_ACCESS_KEY_ID=fake AWS_SECRET_ACCESS_KEY=fake AWS_EC2_METADATA_DISABLED=true");
    println!("export KMS_KEY_ID={}", args.alias);
    println!("# Then: cargo run --example quickstart. Ctrl-C ends the server.");

    let app = Router::new().fallback(serve).with_state(fake);
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}

async fn serve(State(fake): State<FakeKms>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => fake.handle(Request::from_parts(parts, bytes)).await.map(Body::from),
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}
