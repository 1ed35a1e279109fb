//! A `signatory.yaml` for the `awskms` driver, as Signatory documents it (`docs/start.md`, `docs/aws_kms.md`, `docs/watermarks.md`).
//!
//! What this program does not support is an error that names the key and the line: a rule that is not understood would not be kept.

mod address;
mod keys;
mod vaults;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use kms_signer::tezos::{PublicKey, PublicKeyHash};

pub use self::{
    keys::KeyConfig,
    vaults::{Credentials, VaultConfig},
};
use crate::yaml::{self, At};

/// Signatory's ports, and its folder.
const ADDRESS: &str = ":6732";
const UTILITY_ADDRESS: &str = ":9583";
const BASE_DIR: &str = "/var/lib/signatory";

/// The whole file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where requests are answered.
    pub address: SocketAddr,
    /// Where metrics and health are.
    pub utility_address: SocketAddr,
    /// Whose signature a request must have, if anybody's.
    pub callers: Option<Vec<PublicKey>>,
    /// Accounts and Regions of AWS.
    pub vaults: Vec<VaultConfig>,
    /// What may be signed with which key.
    pub keys: BTreeMap<PublicKeyHash, KeyConfig>,
    /// Where watermarks are kept: below `watermark_v2`.
    pub base_dir: PathBuf,
    /// Whether they are kept in memory only.
    pub in_memory: bool,
    /// What the reader should know, though it is no mistake.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// What is wrong or not supported, with its line and key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let node = yaml::parse(text)?;
        let mut config = Self {
            address: address::parse(ADDRESS)?.0,
            utility_address: address::parse(UTILITY_ADDRESS)?.0,
            callers: None,
            vaults: Vec::new(),
            keys: BTreeMap::new(),
            base_dir: BASE_DIR.into(),
            in_memory: false,
            warnings: Vec::new(),
        };
        for (key, at) in node.root().entries()? {
            match key {
                "server" => config.server(&at)?,
                "vaults" => {
                    config.vaults =
                        at.entries()?.iter().map(|(name, at)| vaults::read(name, at)).collect::<Result<_, _>>()?;
                }
                "tezos" => config.tezos(&at)?,
                "base_dir" => config.base_dir = at.text()?.into(),
                "watermark" => config.watermark(&at)?,
                // Where anchors are defined that are used elsewhere.
                key if key.starts_with("x-") || key.starts_with('.') => {}
                _ => return Err(unsupported(&at)),
            }
        }
        if config.vaults.is_empty() {
            return Err("there are no vaults in the configuration".to_owned());
        }
        Ok(config)
    }

    fn server(&mut self, at: &At<'_>) -> Result<(), String> {
        for (key, at) in at.entries()? {
            match key {
                "address" => self.address = self.address_at(&at)?,
                "utility_address" => self.utility_address = self.address_at(&at)?,
                "authorized_keys" => self.callers = keys::callers(&at)?,
                _ => return Err(unsupported(&at)),
            }
        }
        Ok(())
    }

    fn address_at(&mut self, at: &At<'_>) -> Result<SocketAddr, String> {
        let text = at.text()?;
        let (address, is_narrowed) = address::parse(text).map_err(|error| at.error(error))?;
        if is_narrowed {
            self.warnings.push(at.error(format_args!(
                "{text} names no host: {address} is taken, which is this machine only; give 0.0.0.0{text} to listen everywhere"
            )));
        }
        Ok(address)
    }

    fn tezos(&mut self, at: &At<'_>) -> Result<(), String> {
        for (key, at) in at.entries()? {
            let hash: PublicKeyHash =
                key.parse().map_err(|_| at.error("this is no public key hash: tz1…, tz2…, tz3… or tz4…"))?;
            self.keys.insert(hash, keys::read(&at)?);
        }
        Ok(())
    }

    fn watermark(&mut self, at: &At<'_>) -> Result<(), String> {
        for (key, at) in at.entries()? {
            match (key, at.is_null()) {
                ("driver", _) => {
                    match at.text()? {
                        "file" => self.in_memory = false,
                        "mem" => {
                            self.in_memory = true;
                            self.warnings.push(at.error(
                                "watermarks are lost when the program ends: two blocks may be signed at one level",
                            ));
                        }
                        other => return Err(at.error(format_args!("{other} is not supported: file or mem"))),
                    }
                }
                ("config", true) => {}
                _ => return Err(unsupported(&at)),
            }
        }
        Ok(())
    }
}

fn unsupported(at: &At<'_>) -> String {
    at.error("this is not supported")
}
