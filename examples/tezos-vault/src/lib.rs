//! A remote signer for Tezos over keys in AWS KMS, configured by a `signatory.yaml`.

mod config;
mod connection;
#[cfg(feature = "demo")]
pub mod demo;
mod discover;
mod http;
mod list;
mod marks;
pub mod measure;
mod refusal;
mod server;
mod service;
#[path = "../../support/warnings.rs"]
mod warnings;
mod yaml;

pub use self::{
    config::{Config, Credentials, KeyConfig, VaultConfig},
    discover::{Found, Vault, connect, discover},
    list::show,
    marks::Marks,
    refusal::Refusal,
    server::{Server, signal},
    service::Service,
};
