//! kms-signer

#![cfg_attr(docsrs, feature(doc_cfg))]

mod asn1;
mod error;
mod key_ref;
mod public_key;
pub mod signature;

pub use alloy_primitives;

pub use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{AliasArn, AliasName, KeyArn, KeyId, KeyRef},
    public_key::PublicKey,
};
