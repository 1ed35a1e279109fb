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

use kms_signer::{
    KmsClient,
    fake::FakeKms,
    keys::{Filter, Keys, NewKey, Secret},
};

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

/// How often the operation was asked for.
fn count(fake: &FakeKms, operation: &str) -> usize {
    fake.requests().iter().filter(|request| request.operation() == operation).count()
}

/// Tasks of a multi-thread runtime may hold them.
#[test]
fn futures_and_streams_can_be_sent() {
    fn sent<T: Send>(_: T) {}
    let (_, keys) = fake_and_keys();
    let secret = Secret::from_bytes(&[7; 32]).unwrap();
    sent(keys.create(NewKey::signing()));
    sent(keys.ensure("alias/a", NewKey::signing()));
    sent(keys.import(NewKey::signing(), secret));
    sent(keys.describe("alias/a"));
    sent(keys.list(Filter::new()));
    sent(keys.load_signers(Filter::new()));
    sent(keys.replicate("alias/a", "us-west-2"));
    sent(keys.grant_signing("alias/a", "arn"));
    sent(keys.set_alias("alias/a", "alias/b"));
    sent(keys.schedule_deletion("alias/a", 7));
}
