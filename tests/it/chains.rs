//! Other chains: keys, addresses, signatures.

mod ed25519;
mod files;
mod solana;
mod stellar;
