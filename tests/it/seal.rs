//! Symmetric keys, envelopes and sealed signers, offline.

mod encrypt;
mod envelope;
mod plain;
mod signer;
mod validate;

use kms_signer::{
    fake::FakeKms,
    keys::{Keys, NewKey},
    seal::{EncryptionContext, SymmetricKey},
};

const ALIAS: &str = "alias/secrets";

/// A fake with a symmetric key.
async fn fake_and_key() -> (FakeKms, SymmetricKey) {
    let fake = FakeKms::new();
    let key = SymmetricKey::ensure(&Keys::new(fake.client()), ALIAS, NewKey::symmetric()).await.unwrap();
    (fake, key)
}

/// Another key of the same KMS.
async fn another(fake: &FakeKms) -> SymmetricKey {
    let info = Keys::new(fake.client()).create(NewKey::symmetric()).await.unwrap();
    SymmetricKey::new(fake.client(), info.arn()).unwrap()
}

fn context() -> EncryptionContext {
    EncryptionContext::from([("tenant", "17"), ("purpose", "test")])
}

fn operations(fake: &FakeKms) -> Vec<String> {
    fake.requests().iter().map(|request| request.operation().to_owned()).collect()
}
