//! kms-signer

#![cfg_attr(docsrs, feature(doc_cfg))]

mod asn1;
#[cfg(feature = "aws")]
mod client;
mod error;
mod key_ref;
mod public_key;
pub mod signature;
#[cfg(feature = "aws")]
mod signer;

pub use alloy_primitives;

#[cfg(feature = "connect")]
pub use crate::client::KmsClientBuilder;
#[cfg(feature = "aws")]
pub use crate::{
    client::KmsClient,
    signer::{KmsSigner, KmsSignerBuilder},
};
pub use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{AliasArn, AliasName, KeyArn, KeyId, KeyRef},
    public_key::PublicKey,
};
