//! The crate as its users see it, offline: everything runs against FakeKms.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod chain_id;
mod codes;
mod connect;
mod deadlines;
mod faults;
mod features;
mod layering;
mod redaction;
mod runtimes;
mod signing;
mod transactions;
mod wallets;

use kms_signer::{Error, ErrorKind, KmsSigner, fake::FakeKms};

/// A fake with one key, and a signer for it.
async fn fake_and_signer() -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let signer = KmsSigner::new(fake.client(), key, None).await.unwrap();
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
