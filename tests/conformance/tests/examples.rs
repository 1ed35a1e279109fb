//! The first commands of a newcomer, on an emulator's key and a real node. `cargo test` at the root builds the examples.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use conformance::{behaviours::ACCOUNT_0, endpoint, launch, target::Target};

fn example(name: &str, key: &str) -> Command {
    let mut command = launch::example(name, &endpoint("KMS_ENDPOINT"));
    command.env("KMS_KEY_ID", key).args(["--rpc-url", &endpoint("ETH_RPC_URL")]);
    command
}

/// Runs it, prints and returns what it printed.
fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{out}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    out
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn quickstart_and_send_transaction() {
    let target = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    let arn = target.signing_key().await;
    let alias = target.alias(&arn).await;
    let address = target.signer(&alias).await.unwrap().address();

    // The node funds the address on the way.
    let out = output(example("quickstart", &alias));
    for line in [
        format!("key      {arn}"),
        format!("address  {address}"),
        "status     1".to_owned(),
        format!("sender     {address}"),
    ] {
        assert!(out.lines().any(|printed| printed == line), "{line:?} is missing");
    }
    assert_eq!(out.matches(&format!("recovered  {address}")).count(), 3);

    let mut send = example("send_transaction", &alias);
    send.args(["--value", "0.01"]);
    assert!(output(send).lines().any(|line| line == "status  1"));
}

/// The key of a wallet that exists goes into KMS, and its next transaction comes from there.
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and ETH_RPC_URL, started by tests/stack.sh"]
async fn an_imported_wallet_sends_a_transaction() {
    let alias = format!("alias/examples-{}/deployer", std::process::id());
    let prefix = alias.trim_end_matches("deployer").to_owned();
    let wallets = |words: &[&str]| {
        let mut command = launch::example("wallets", &endpoint("KMS_ENDPOINT"));
        command.args(words);
        command
    };
    let mut import = wallets(&["import", "--json", "--alias", &alias, "--tag", "run=examples", "--secret-stdin"]);
    let mut child = import.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", ACCOUNT_0.0).unwrap();
    let imported = child.wait_with_output().unwrap();
    assert!(imported.status.success());
    let imported = String::from_utf8(imported.stdout).unwrap();
    assert!(imported.contains(&ACCOUNT_0.1.to_string()), "{imported}");

    let other = output(wallets(&["create", "--json", "--alias", &format!("{prefix}other"), "--multi-region"]));
    let listed = output(wallets(&["list", "--json", "--prefix", &prefix]));
    for line in [imported.trim(), other.trim()] {
        assert!(listed.lines().any(|listed| listed == line), "{line} is not listed");
    }
    assert_eq!(listed.lines().count(), 2);
    assert!(output(wallets(&["ensure", &alias, "--json"])).contains(&ACCOUNT_0.1.to_string()));

    let mut send = example("send_transaction", &alias);
    send.args(["--value", "0.01"]);
    let out = output(send);
    assert!(out.lines().any(|line| line == "status  1"));
    assert!(out.contains(&ACCOUNT_0.1.to_string()));
}
