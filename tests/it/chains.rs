//! Other chains: keys, addresses, signatures.

mod ed25519;
mod solana;
mod stellar;
