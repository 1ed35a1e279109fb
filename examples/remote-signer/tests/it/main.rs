//! The service over HTTP: an in-process server on a free port of 127.0.0.1, a KMS in this process, and a node that is a mock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod access;
mod audit;
mod batches;
mod bounds;
mod garbage;
mod methods;
mod node;
mod program;
mod sending;
mod support;
mod tls;
