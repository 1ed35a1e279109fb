//! The service over HTTP: an in-process server on a free port of 127.0.0.1, a KMS in this process, and a node that is a mock.

mod access;
mod batches;
mod bounds;
mod methods;
mod node;
mod sending;
mod support;
mod tls;
