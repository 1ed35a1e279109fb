//! Keys from code, on FakeKms: what is made, what is found, and what is left behind when a step fails.

mod create;
mod ensure;
mod grant;
mod import;
mod list;
mod load;
mod replicate;
mod retire;
mod rights;

use kms_signer::{KmsClient, fake::FakeKms, keys::Keys};

fn fake_and_keys() -> (FakeKms, Keys) {
    let fake = FakeKms::new();
    let keys = Keys::new(fake.client());
    (fake, keys)
}

/// The same, with a client that has been changed.
fn keys_with(change: impl FnOnce(KmsClient) -> KmsClient) -> (FakeKms, Keys) {
    let fake = FakeKms::new();
    let keys = Keys::new(change(fake.client().into()));
    (fake, keys)
}

/// How often each operation was asked for since `before` requests.
fn count(fake: &FakeKms, operation: &str) -> usize {
    fake.requests().iter().filter(|request| request.operation() == operation).count()
}
