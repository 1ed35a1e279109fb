//! What kms-signer promises, as one list of behaviours, and the KMSs it is run against.

pub mod behaviours;
pub mod import;
pub mod launch;
pub mod table;
pub mod target;

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
