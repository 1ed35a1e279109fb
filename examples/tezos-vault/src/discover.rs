//! The vaults' keys: all of the account and Region that are on P-256 or secp256k1 and may be read.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use kms_signer::{
    Event, KmsClient, MetricsObserver, Observer, TracingObserver,
    keys::{Filter, KeySpec, KeyUsage, Keys, Listed, State},
    tezos::{PublicKey, PublicKeyHash},
};

use crate::config::VaultConfig;

/// A vault that is connected to.
#[derive(Clone, Debug)]
pub struct Vault {
    /// Its name in the configuration.
    pub name: String,
    /// Where its keys are.
    pub client: KmsClient,
}

/// A key of a vault.
#[derive(Clone, Debug)]
pub struct Found {
    /// The vault's name.
    pub vault: String,
    /// The vault's client.
    pub client: KmsClient,
    /// The key ARN.
    pub arn: String,
    /// Enabled, disabled, pending deletion, …
    pub state: State,
    /// KMS gives it of enabled keys only.
    pub public_key: Option<PublicKey>,
}

/// Logs and counts what KMS does.
fn observe(event: &Event<'_>) {
    TracingObserver.observe(event);
    MetricsObserver.observe(event);
}

/// One client for each vault.
///
/// # Errors
///
/// If there is no Region, or the client cannot be made.
pub async fn connect(vaults: &[VaultConfig]) -> Result<Vec<Vault>, String> {
    let mut connected = Vec::new();
    for VaultConfig { name, region, credentials } in vaults {
        let mut builder = KmsClient::builder().observer(observe);
        if let Some(region) = region {
            builder = builder.region(region);
        }
        if let Some(given) = credentials {
            let (id, secret) = (&given.access_key_id, &given.secret_access_key);
            builder = builder.static_credentials(id, secret, given.session_token.clone());
        }
        let client = builder.build().await.map_err(|error| format!("the vault {name}: {error}"))?;
        connected.push(Vault { name: name.clone(), client });
    }
    Ok(connected)
}

/// The keys of vaults. What may not be read is left out, with a line in the log.
///
/// # Errors
///
/// If the keys of a vault cannot be listed.
pub async fn discover(vaults: &[Vault]) -> Result<Vec<Found>, String> {
    let mut all = Vec::new();
    for Vault { name, client } in vaults {
        let wrong = |error: kms_signer::Error| format!("the vault {name}: {error}");
        let filter = Filter::new().spec(KeySpec::EccNistP256).spec(KeySpec::EccSecgP256K1);
        let mut listed = Keys::new(client.clone()).list(filter);
        let mut count = 0;
        while let Some(item) = listed.try_next().await.map_err(wrong)? {
            match item {
                Listed::Key(key) if *key.usage() == KeyUsage::SignVerify => {
                    let public_key = key.spki_der().map(PublicKey::from_spki_der).transpose();
                    match public_key {
                        Ok(public_key) => {
                            count += 1;
                            let (arn, state) = (key.arn().to_string(), key.state().clone());
                            all.push(Found { vault: name.clone(), client: client.clone(), arn, state, public_key });
                        }
                        Err(error) => tracing::warn!(vault = name, key = %key.arn(), %error, "a key is skipped"),
                    }
                }
                Listed::Skipped(key) => {
                    tracing::warn!(vault = name, key = %key.key(), error = %key.reason(), "a key is skipped");
                }
                _ => {}
            }
        }
        if count == 0 {
            tracing::error!(vault = name, "there is no key on P-256 or secp256k1 that may be read");
        }
    }
    Ok(all)
}

/// By public key hash; of two vaults with one key the first has it.
pub(crate) fn by_hash(found: Vec<Found>) -> BTreeMap<PublicKeyHash, (Found, PublicKey)> {
    let mut keys = BTreeMap::new();
    for key in found {
        if let Some(public_key) = key.public_key.clone() {
            keys.entry(public_key.hash()).or_insert((key, public_key));
        }
    }
    keys
}
