//! The configuration file.

mod limits;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use serde::{Deserialize, Deserializer};

pub use self::limits::Limits;
use crate::{methods::Forwarding, secret::Fingerprint};

/// The file, as it is written. Every key is described in `remote-signer.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the service listens.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Whether tokens may go over a network without TLS.
    #[serde(default)]
    pub plain_http: bool,
    /// The chain.
    pub chain_id: Option<u64>,
    /// The node's URL.
    pub upstream: Option<Hidden>,
    /// Methods that are forwarded although they control the node.
    #[serde(default)]
    pub forward: Vec<String>,
    /// The record of decisions and signatures.
    pub audit: Option<Audit>,
    /// Certificates.
    pub tls: Option<Tls>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Keys in KMS.
    #[serde(default)]
    pub keys: Vec<KeySettings>,
    /// Who may ask.
    #[serde(default)]
    pub callers: Vec<CallerSettings>,
}

/// A URL that may have a secret in it.
#[derive(Clone)]
pub struct Hidden(pub String);

/// The file that every decision and signature is written to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Made if it is not there.
    pub file: PathBuf,
    /// Whether a line is on the disk before a signature is returned.
    #[serde(default = "yes")]
    pub fsync: bool,
}

/// PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate, then those up to the authority.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
    /// The authorities of client certificates.
    pub client_ca: Option<PathBuf>,
}

/// A key in KMS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// What callers' lists, logs and `/readyz` call it.
    pub name: String,
    /// A key id, key ARN, alias name or alias ARN.
    pub key: String,
    /// Its Region, where `key` is no ARN. The default is the environment's.
    pub region: Option<String>,
    /// The address it must have.
    pub expected_address: Option<Address>,
}

/// Who may ask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerSettings {
    /// The name in logs and records.
    pub name: String,
    /// The SHA-256 of its token.
    pub token_sha256: Option<Fingerprint>,
    /// The SHA-256 of its certificate's DER.
    pub certificate_sha256: Option<Fingerprint>,
    /// Its keys, by their names.
    pub keys: Vec<String>,
    /// What may be signed for it.
    pub rules: RulesSource,
}

/// Rules in a file of their own, or in place.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "rules are the path of a file, or a table")]
pub enum RulesSource {
    /// Beside the configuration file, unless the path is absolute.
    File(PathBuf),
    /// A table, as the file would be.
    Here(toml::Table),
}

impl Settings {
    /// Reads a file. Paths in it are taken from its folder.
    ///
    /// # Errors
    ///
    /// What is wrong, where: the line and the key, without the value, which may be a secret.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut settings = Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        settings.paths().for_each(|path| *path = folder.join(&*path));
        Ok(settings)
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = |span: Option<std::ops::Range<usize>>| {
            let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let document = toml::Deserializer::parse(text)
            .map_err(|error| format!("line {}: {}", line(error.span()), error.message()))?;
        let settings: Self = serde_path_to_error::deserialize(document).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.into_inner());
            format!("line {}, {path}: {}", line(inner.span()), without_value(inner.message()))
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        if self.keys.is_empty() || self.callers.is_empty() {
            return Err("there must be at least one of [[keys]] and one of [[callers]]".to_owned());
        }
        for (place, key) in self.keys.iter().enumerate() {
            if self.keys.iter().skip(place + 1).any(|other| other.name == key.name) {
                return Err(format!("two keys have the name {}", key.name));
            }
        }
        for caller in &self.callers {
            let name = &caller.name;
            if caller.token_sha256.is_none() && caller.certificate_sha256.is_none() {
                return Err(format!("the caller {name} needs token_sha256 or certificate_sha256"));
            }
            if caller.certificate_sha256.is_some() && self.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
                return Err(format!("the caller {name} has a certificate, and there is no client_ca in [tls]"));
            }
            if caller.keys.is_empty() {
                return Err(format!("the caller {name} has no keys"));
            }
            for (place, key) in caller.keys.iter().enumerate() {
                if !self.keys.iter().any(|known| known.name == *key) {
                    return Err(format!("the caller {name} has a key {key}, which is none of [[keys]]"));
                }
                if caller.keys.iter().skip(place + 1).any(|other| other == key) {
                    return Err(format!("the caller {name} has the key {key} twice"));
                }
            }
        }
        self.limits.check()?;
        Forwarding::also(self.forward.clone())?;
        self.check_listen(self.listen)
    }

    /// # Errors
    ///
    /// If tokens would go over a network in plain sight.
    pub fn check_listen(&self, listen: SocketAddr) -> Result<(), String> {
        if listen.ip().is_loopback() || self.tls.is_some() || self.plain_http {
            return Ok(());
        }
        Err(format!(
            "{listen} is not loopback, so tokens would go over the network in plain sight: add [tls], or plain_http = true where something in front of it has TLS"
        ))
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let tls = self
            .tls
            .iter_mut()
            .flat_map(|tls| [Some(&mut tls.certificate), Some(&mut tls.key), tls.client_ca.as_mut()]);
        let rules = self.callers.iter_mut().filter_map(|caller| match &mut caller.rules {
            RulesSource::File(path) => Some(path),
            RulesSource::Here(_) => None,
        });
        self.audit.iter_mut().map(|audit| &mut audit.file).chain(tls.flatten()).chain(rules)
    }
}

/// Serde's text on a wrong type has the value in it: `invalid type: string "…", expected …`.
fn without_value(message: &str) -> String {
    match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((what, _)), Some((_, expected))) if what.starts_with("invalid ") => {
            format!("{what}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

fn default_listen() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8550).into()
}

fn yes() -> bool {
    true
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests;
