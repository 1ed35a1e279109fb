//! `--demo`: a key in a KMS of this process, for whoever asks on loopback, with rules that allow small transfers.

use std::{env::temp_dir, net::SocketAddr, path::PathBuf, sync::Arc};

use alloy_primitives::{Address, U256};
use kms_signer::{KmsClient, KmsSigner, fake::FakeKms, guard::Guard};

use crate::{
    audit,
    callers::{Account, Caller, Callers, Key},
    connect,
    health::Health,
    methods::Forwarding,
    server::Server,
    settings::{Audit, Limits},
    upstream::Upstream,
};

/// What the demo's caller may have signed. `CHAIN` stands for the node's chain.
pub const RULES: &str = include_str!("../demo-rules.toml");

/// The chain where there is no node: anvil's.
const CHAIN: u64 = 31337;

/// A demo to serve.
#[derive(Debug)]
pub struct Demo {
    /// The server.
    pub server: Server,
    /// The address of the demo's key.
    pub address: Address,
    /// Its rules.
    pub rules: String,
    /// The audit file.
    pub audit: PathBuf,
}

/// Starts one, and funds its address if the node is an anvil.
///
/// # Errors
///
/// If the address is not on loopback, or the node does not answer.
pub async fn start(listen: SocketAddr, upstream: Option<&str>, audit: Option<PathBuf>) -> Result<Demo, String> {
    if !listen.ip().is_loopback() {
        return Err(format!("{listen} is not loopback: the demo asks for no token, and serves this machine only"));
    }
    let limits = Limits::default();
    let fake = FakeKms::new();
    let arn = fake.create_key().map_err(|error| error.to_string())?;
    let client = KmsClient::from(fake.client()).with_observer(connect::observe);
    let signer = KmsSigner::builder(client.clone(), &arn).connect().await.map_err(|error| error.to_string())?;
    let key = Key::new("demo", signer);
    let address = key.address();
    let chain_id = match upstream {
        Some(url) => {
            let node = Upstream::new(url, limits.upstream(), limits.upstream_bytes)?;
            fund(&node, address).await;
            node.chain_id().await.map_err(|error| format!("{node}: {}", error.message))?
        }
        None => CHAIN,
    };
    let rules = RULES.replace("CHAIN", &chain_id.to_string());
    let guard = Guard::from_toml(&rules).map_err(|error| error.to_string())?;
    let file = audit.unwrap_or_else(|| temp_dir().join(format!("remote-signer-demo-{}.jsonl", std::process::id())));
    let audit = audit::open(&Audit { file, fsync: true }, vec![("demo".to_owned(), guard.clone())]).await?;
    let file = audit.path().to_owned();
    let caller = Caller::new("demo", vec![Account::new(&key, "demo", guard, Some(&audit))]);
    // On a developer's node its owner may do as they like.
    let forwarding = Forwarding::also(["anvil_*", "evm_*", "hardhat_*", "debug_*"].map(str::to_owned).to_vec())?;
    let service = connect::service(vec![key], Callers::new(vec![caller])?, upstream, &limits)?
        .with_chain_id(Some(chain_id))
        .with_forwarding(forwarding);
    let service = Arc::new(service);
    let health = Health::new(service.clone(), Some(audit));
    let server =
        Server { service, health, metrics: None, tls: None, behind_proxy: false, limits, clients: vec![client] };
    Ok(Demo { server, address, rules, audit: file })
}

/// Ten ether, which an anvil makes out of nothing. Other nodes are left alone.
async fn fund(node: &Upstream, address: Address) {
    let ten = U256::from(10).pow(U256::from(19));
    let Ok(version) = node.call::<String>("web3_clientVersion", &[(); 0]).await else { return };
    if version.starts_with("anvil/") {
        let funded = node.call::<serde_json::Value>("anvil_setBalance", &(address, ten)).await;
        tracing::info!(%address, funded = funded.is_ok(), "an anvil's ether");
    }
}

/// What to try.
pub fn commands(listen: SocketAddr, address: Address, has_node: bool) -> String {
    let call = |method: &str, params: String| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        format!("curl -s http://{listen} -H 'Content-Type: application/json' -d '{body}'\n")
    };
    let transfer = |wei: &str| {
        format!(r#"[{{"from":"{address}","to":"0x4242424242424242424242424242424242424242","value":"{wei}"}}]"#)
    };
    let mut text = call("eth_accounts", "[]".to_owned());
    text += &call("personal_sign", format!(r#"["0x68656c6c6f","{address}"]"#));
    if has_node {
        text += "# 0.01 ether, and 5 ether, which the rules refuse\n";
        text += &call("eth_sendTransaction", transfer("0x2386f26fc10000"));
        text += &call("eth_sendTransaction", transfer("0x4563918244f40000"));
        text += &format!(
            "cast send --unlocked --from {address} --rpc-url http://{listen} --value 0.01ether 0x4242424242424242424242424242424242424242\n"
        );
    }
    text
}
