//! What to expect in operation, and set-ups from the first command to the last. Text only: there is no code here.
//!
//! - [`faults`]: what goes wrong between a signer and KMS, and what becomes of each fault.
#![cfg_attr(feature = "keys", doc = "- [`hyperlane`]: run a Hyperlane agent on a KMS key.")]
#![cfg_attr(feature = "keys", doc = "- [`crossmint`]: sign for a Crossmint treasury wallet, from a Lambda function.")]
#![cfg_attr(
    all(feature = "connect", feature = "keys"),
    doc = "- [`wallets`]: sign with keys in your customers' accounts, one by its ARN or many that you make, as Starton does."
)]
#![cfg_attr(
    all(feature = "connect", feature = "seal"),
    doc = "- [`infisical`]: let a service encrypt with your key, by a role and an external id, as Infisical does."
)]

#[cfg(feature = "keys")]
#[doc = include_str!("guide/crossmint.md")]
/// [`Keys::ensure`]: crate::keys::Keys::ensure
pub mod crossmint {}

#[doc = include_str!("guide/faults.md")]
pub mod faults {}

#[cfg(feature = "keys")]
#[doc = include_str!("guide/hyperlane.md")]
pub mod hyperlane {}

#[cfg(all(feature = "connect", feature = "seal"))]
#[doc = include_str!("guide/infisical.md")]
pub mod infisical {}

#[cfg(all(feature = "connect", feature = "keys"))]
#[doc = include_str!("guide/wallets.md")]
/// [`grantee`]: crate::iam::KeyManagerBuilder::grantee
/// [limits]: crate::iam::KeyManagerBuilder#what-it-cannot-keep-out
/// [record]: crate::keys::KeyRecord
/// [`Replica::policy`]: crate::keys::Replica::policy
pub mod wallets {}
