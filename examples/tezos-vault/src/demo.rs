//! `--demo`: a key on P-256 in a KMS of this process, for whoever asks on loopback.

use std::net::SocketAddr;

use kms_signer::{
    KmsClient,
    fake::FakeKms,
    keys::{Keys, NewKey},
};

use crate::{
    config::Config,
    discover::{Vault, discover},
    marks::Marks,
    service::Service,
};

/// What the demo's key may sign. `KEY` stands for its public key hash.
const RULES: &str = "
vaults:
  demo:
    driver: awskms
watermark:
  driver: mem
tezos:
  KEY:
    log_payloads: true
    allow:
      block:
      preattestation:
      attestation:
      generic: [reveal, transaction]
";

/// A transaction of 1 tez's millionth part, and a delegation, without the source, which is the demo's key.
const TRANSACTION: &str = "ba0801e8070001000002298c03ed7d454a101eb7022bc95f7e5f41ac7800";
const DELEGATION: &str = "ba0801e80700ff0002298c03ed7d454a101eb7022bc95f7e5f41ac78";

/// A demo to serve.
#[derive(Debug)]
pub struct Demo {
    /// The signer.
    pub service: Service,
    /// The demo's rules.
    pub rules: String,
    /// What to try.
    pub commands: String,
}

/// Starts one.
///
/// # Errors
///
/// If the address is not on loopback.
pub async fn start(listen: SocketAddr) -> Result<Demo, String> {
    if !listen.ip().is_loopback() {
        return Err(format!("{listen} is not loopback: the demo knows no callers, and serves this machine only"));
    }
    let client = KmsClient::from(FakeKms::new().client());
    Keys::new(client.clone()).create(NewKey::p256()).await.map_err(|error| error.to_string())?;
    let found = discover(&[Vault { name: "demo".to_owned(), client }]).await?;
    let key = found.iter().find_map(|key| key.public_key.as_ref()).ok_or("the demo has no key")?.hash();
    let rules = RULES.replace("KEY", &key.to_string());
    let service = Service::new(Config::parse(&rules)?, found, Marks::in_memory()).await?;
    let source = key.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let operation = |tag: &str, rest: &str| format!("03{}{tag}{source}{rest}", "00".repeat(32));
    let post = |bytes: &str| format!("curl -s http://{listen}/keys/{key} -d '\"{bytes}\"'\n");
    let commands = [
        format!("curl -s http://{listen}/keys/{key}\n"),
        "# a transaction, and a delegation, which the rules refuse\n".to_owned(),
        post(&operation("6c", TRANSACTION)),
        post(&operation("6e", DELEGATION)),
        format!("octez-client import secret key demo http://{listen}/{key}\n"),
    ];
    Ok(Demo { service, rules, commands: commands.concat() })
}
