//! The first commands of a newcomer, on an emulator's key and a real node. `cargo test` at the root builds the examples.

use std::{path::PathBuf, process::Command};

use conformance::{endpoint, target::Target};

fn example(name: &str, key: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing; run cargo build --examples", path.display());
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("KMS_KEY_ID", key)
        .env("AWS_ENDPOINT_URL", endpoint("KMS_ENDPOINT"))
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["--rpc-url", &endpoint("ETH_RPC_URL")]);
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
