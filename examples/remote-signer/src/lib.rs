//! A JSON-RPC signer over keys in AWS KMS, for programs that are not Rust: a client points at it as if it were its node.
//!
//! A request goes `connection` → `http` → `service` → `methods`, and there to a guarded signer or to the node. README.md tells how
//! it is set up.

mod audit;
mod callers;
mod connect;
mod connection;
#[cfg(feature = "demo")]
pub mod demo;
pub mod error;
mod health;
mod http;
pub mod measure;
mod methods;
mod rpc;
mod secret;
mod server;
mod service;
mod settings;
pub mod tls;
mod upstream;
#[path = "../../support/warnings.rs"]
mod warnings;

pub use crate::{
    callers::{Account, Caller, Callers, Key},
    connect::{connect, observe},
    health::Health,
    methods::Forwarding,
    secret::{Fingerprint, new_token},
    server::{Server, signal},
    service::{Request, Service},
    settings::{Audit, CallerSettings, Hidden, KeySettings, Limits, RulesSource, Settings, Tls},
    upstream::Upstream,
};
