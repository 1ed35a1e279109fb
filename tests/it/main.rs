//! The crate as its users see it, offline: everything runs against FakeKms.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod audit;
mod chain_id;
mod chains;
mod codes;
mod connect;
mod credentials;
mod deadlines;
mod examples;
mod fake_keys;
mod faults;
mod features;
mod guard;
mod iam;
mod keys;
mod layering;
mod life;
mod limits;
mod log;
mod observer;
mod redaction;
mod regions;
mod roles;
mod roots;
mod runtimes;
mod seal;
mod signing;
mod sockets;
mod tezos;
mod transactions;
mod validator;
mod wallets;
mod wallets_example;

use std::net::{Ipv4Addr, SocketAddr};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use kms_signer::{Error, ErrorKind, KmsClient, KmsSigner, fake::FakeKms};

/// A fake with one key, and a signer for it.
async fn fake_and_signer() -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let signer = KmsSigner::new(fake.client(), key, None).await.unwrap();
    (fake, signer)
}

/// A fake with one key, and a signer for it whose client has been changed.
async fn signer_with(change: impl FnOnce(KmsClient) -> KmsClient) -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let client = change(KmsClient::from(fake.client()));
    let signer = KmsSigner::new(client, fake.create_key().unwrap(), None).await.unwrap();
    (fake, signer)
}

/// The error of this crate inside whatever alloy made of it.
fn ours<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a Error {
    Error::find(error).unwrap_or_else(|| panic!("none of ours in {error}"))
}

#[track_caller]
fn assert_kind(error: &(dyn std::error::Error + 'static), kind: ErrorKind) {
    let error = ours(error);
    assert_eq!(error.kind(), kind, "{error}");
}

/// Serves a fake over HTTP on loopback.
fn serve(fake: &FakeKms) -> SocketAddr {
    async fn answer(State(fake): State<FakeKms>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        fake.handle(Request::from_parts(parts, bytes)).await.map(Body::from)
    }
    host(Router::new().fallback(answer).with_state(fake.clone()))
}

/// Hosts a server on loopback, in a thread with a runtime of its own, for as long as the process lives.
fn host(app: Router) -> SocketAddr {
    let (ready, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    address.recv().unwrap()
}
