//! How an envelope is written and read. What it means is its parent's business.

use core::fmt;

use super::{super::MAX_CIPHERTEXT, MAX_SECRET};

const MAGIC: [u8; 4] = *b"KMSE";
const VERSION: u8 = 1;
/// In bytes, as the next two.
pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;
const BEFORE_DATA_KEY: usize = 7;

/// What comes before the secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// Encrypted.
    pub(super) data_key: &'a [u8],
    pub(super) nonce: [u8; NONCE],
}

/// An envelope, taken apart. Nothing of it has been verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) header: Header<'a>,
    pub(super) header_bytes: &'a [u8],
    pub(super) encrypted: &'a [u8],
    pub(super) tag: [u8; TAG],
}

/// Why bytes are no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    Magic,
    Version(u8),
    DataKey(usize),
    Short,
    Long(usize),
}

impl Header<'_> {
    pub(super) fn len(&self) -> usize {
        BEFORE_DATA_KEY + self.data_key.len() + NONCE
    }

    /// Nothing if the data key is longer than any of KMS's.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        let length = u16::try_from(self.data_key.len()).ok()?;
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.data_key);
        out.extend_from_slice(&self.nonce);
        Some(())
    }
}

impl<'a> Parts<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (magic, rest) = bytes.split_first_chunk().ok_or(Malformed::Magic)?;
        if *magic != MAGIC {
            return Err(Malformed::Magic);
        }
        let ([version], rest) = rest.split_first_chunk().ok_or(Malformed::Short)?;
        if *version != VERSION {
            return Err(Malformed::Version(*version));
        }
        let (length, rest) = rest.split_first_chunk().ok_or(Malformed::Short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > MAX_CIPHERTEXT {
            return Err(Malformed::DataKey(length));
        }
        let (data_key, rest) = rest.split_at_checked(length).ok_or(Malformed::Short)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(Malformed::Short)?;
        let (encrypted, tag) = rest.split_last_chunk().ok_or(Malformed::Short)?;
        if encrypted.len() > MAX_SECRET {
            return Err(Malformed::Long(encrypted.len()));
        }
        let header = Header { data_key, nonce: *nonce };
        let header_bytes = bytes.get(..header.len()).ok_or(Malformed::Short)?;
        Ok(Self { header, header_bytes, encrypted, tag: *tag })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("this is no envelope: it does not begin with KMSE"),
            Self::Version(version) => {
                write!(f, "the envelope is of version {version}, and this crate reads version {VERSION}")
            }
            Self::DataKey(length) => write!(f, "the envelope's data key has {length} bytes, not 1 to {MAX_CIPHERTEXT}"),
            Self::Short => f.write_str("the envelope is cut off"),
            Self::Long(length) => write!(f, "the envelope's secret has {length} bytes, more than {MAX_SECRET}"),
        }
    }
}
