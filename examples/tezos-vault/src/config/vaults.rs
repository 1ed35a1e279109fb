//! `vaults`: accounts and Regions of AWS.

use std::fmt;

use super::unsupported;
use crate::yaml::At;

/// A vault of the driver `awskms`.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Its name in the file.
    pub name: String,
    /// The Region, else the environment's.
    pub region: Option<String>,
    /// Its own, else the environment's.
    pub credentials: Option<Credentials>,
}

/// An access key.
#[derive(Clone)]
pub struct Credentials {
    /// Of an IAM user, or of a session.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// Of a session.
    pub session_token: Option<String>,
}

/// Never the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

pub(super) fn read(name: &str, at: &At<'_>) -> Result<VaultConfig, String> {
    let mut vault = VaultConfig { name: name.to_owned(), region: None, credentials: None };
    let (mut is_awskms, mut id, mut secret, mut token) = (false, None, None, None);
    for (key, at) in at.entries()? {
        match key {
            "driver" => match at.text()? {
                "awskms" => is_awskms = true,
                other => return Err(at.error(format_args!("the driver {other} is not supported: awskms"))),
            },
            "config" => {
                for (key, at) in at.entries()? {
                    let value = (!at.is_null()).then(|| at.text().map(str::to_owned)).transpose()?;
                    let value = value.filter(|value| !value.is_empty());
                    match key {
                        // Older files have it. KMS asks for no name.
                        "user_name" => {}
                        "region" => vault.region = value,
                        "access_key_id" => id = value,
                        "secret_access_key" => secret = value,
                        "session_token" => token = value,
                        _ => return Err(unsupported(&at)),
                    }
                }
            }
            _ => return Err(unsupported(&at)),
        }
    }
    if !is_awskms {
        return Err(at.error("driver is missing: awskms"));
    }
    vault.credentials = match (id, secret) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Some(Credentials { access_key_id, secret_access_key, session_token: token })
        }
        (None, None) if token.is_some() => {
            return Err(at.error("session_token needs access_key_id and secret_access_key"));
        }
        (None, None) => None,
        _ => return Err(at.error("access_key_id and secret_access_key belong together")),
    };
    Ok(vault)
}
