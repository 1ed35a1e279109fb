//! What a validator of Hyperlane signs, and the JSON it publishes: field for field that of Hyperlane's agents, whose relayers read it.

use core::str::FromStr;

use alloy_primitives::{Address, B256, FixedBytes, Signature, U256, keccak256};
use alloy_signer::Signer;
use kms_signer::{
    KmsSigner,
    signature::{V, to_eth_bytes},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// The root of a mailbox's Merkle tree after the message at `index`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    #[serde(deserialize_with = "padded")]
    pub(crate) merkle_tree_hook_address: B256,
    pub(crate) mailbox_domain: u32,
    pub(crate) root: B256,
    pub(crate) index: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointWithMessageId {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) message_id: B256,
}

/// Where a validator's checkpoints are found.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announcement {
    pub(crate) validator: Address,
    pub(crate) mailbox_address: B256,
    pub(crate) mailbox_domain: u32,
    pub(crate) storage_location: String,
}

/// A value with its signature, twice: in parts for Hyperlane's programs, in 65 bytes for its contracts.
#[derive(Serialize, Deserialize)]
pub(crate) struct Signed<T> {
    pub(crate) value: T,
    signature: Parts,
    pub(crate) serialized_signature: FixedBytes<65>,
}

/// r and s are numbers in hexadecimal, without leading zeros. v is 27 or 28.
#[derive(Serialize, Deserialize)]
struct Parts {
    r: U256,
    s: U256,
    v: u64,
}

pub(crate) trait Signable {
    /// What is signed is the EIP-191 hash of these 32 bytes.
    fn signing_hash(&self) -> B256;
}

impl Signable for CheckpointWithMessageId {
    fn signing_hash(&self) -> B256 {
        let Checkpoint { merkle_tree_hook_address, mailbox_domain, root, index } = &self.checkpoint;
        let domain = domain_hash(*mailbox_domain, merkle_tree_hook_address, "HYPERLANE");
        keccak256([&domain[..], &root[..], &index.to_be_bytes(), &self.message_id[..]].concat())
    }
}

impl Signable for Announcement {
    fn signing_hash(&self) -> B256 {
        let domain = domain_hash(self.mailbox_domain, &self.mailbox_address, "HYPERLANE_ANNOUNCEMENT");
        keccak256([&domain[..], self.storage_location.as_bytes()].concat())
    }
}

fn domain_hash(domain: u32, address: &B256, purpose: &str) -> B256 {
    keccak256([&domain.to_be_bytes(), &address[..], purpose.as_bytes()].concat())
}

impl<T: Signable> Signed<T> {
    pub(crate) async fn new(signer: &KmsSigner, value: T) -> alloy_signer::Result<Self> {
        let signature = signer.sign_message(value.signing_hash().as_slice()).await?;
        let parts = Parts { r: signature.r(), s: signature.s(), v: 27 + u64::from(signature.v()) };
        let serialized_signature = to_eth_bytes(&signature, V::Legacy).into();
        Ok(Self { value, signature: parts, serialized_signature })
    }

    /// Whose signature it is.
    pub(crate) fn signer(&self) -> Option<Address> {
        let Parts { r, s, v } = self.signature;
        let signature = Signature::new(r, s, v == 28);
        signature.recover_address_from_msg(self.value.signing_hash()).ok()
    }
}

/// An address as Hyperlane has it: 32 bytes, of which an Ethereum address is the last 20.
pub(crate) fn parse_address(text: &str) -> Result<B256, String> {
    let parsed = match text.strip_prefix("0x").unwrap_or(text).len() {
        40 => Address::from_str(text).map(|address| address.into_word()).ok(),
        64 => B256::from_str(text).ok(),
        _ => None,
    };
    parsed.ok_or_else(|| "an address is 20 or 32 bytes in hexadecimal".to_owned())
}

fn padded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<B256, D::Error> {
    parse_address(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
