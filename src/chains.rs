//! Front ends for other chains than Ethereum, over the same client.

#[cfg(any(feature = "solana", feature = "stellar"))]
pub mod ed25519;
mod kms_key;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "solana")]
pub mod solana;
#[cfg(feature = "stellar")]
pub mod stellar;
#[cfg(feature = "tezos")]
pub mod tezos;
