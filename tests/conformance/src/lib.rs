//! What kms-signer promises, as one list of behaviours, and the KMSs it is run against.

pub mod behaviours;
pub mod import;
pub mod launch;
pub mod table;
pub mod target;

use std::{future::Future, time::Duration};

/// What takes longer hangs. It is more than any program here gives itself to end.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Awaits what may wait for ever, as a provider of alloy does.
///
/// # Panics
///
/// If it hangs.
pub async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes too long")
}

/// An address from the environment that `tests/stack.sh up` wrote, for instance `KMS_ENDPOINT`.
///
/// # Panics
///
/// If it is not set: a test that needs a component must not pass without it.
pub fn endpoint(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set; start the components with tests/stack.sh up, and export what it prints")
    })
}
