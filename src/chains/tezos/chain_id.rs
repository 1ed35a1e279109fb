//! Chain ids: `Net…`.

use core::{fmt, str::FromStr};

use super::base58::{self, CHAIN_ID};
use crate::error::{Error, ErrorKind, Operation, Result};

/// A chain's id, 4 bytes: `Net…`, 15 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId([u8; 4]);

impl ChainId {
    /// From its 4 bytes.
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Its 4 bytes.
    pub fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&CHAIN_ID.encode(&self.0))
    }
}

impl FromStr for ChainId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        CHAIN_ID.decode(text).map(Self).ok_or_else(|| {
            let message = format!("{} is no chain id: Net…, with its checksum", base58::shown(text));
            Error::new(ErrorKind::Config, Operation::ReadRules, message).with_remedy("correct the chain id")
        })
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainId({self})")
    }
}
