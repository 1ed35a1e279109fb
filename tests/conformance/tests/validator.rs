//! The example `validator` on an emulator's key. `cargo test` at the root builds the example and checks more.

use std::{io::Write, process::Stdio};

use alloy_primitives::{Address, B256, Signature, keccak256};
use conformance::{endpoint, launch, target::Target};
use serde_json::Value;

const CHECKPOINTS: u32 = 100;

fn root(index: u32) -> B256 {
    keccak256(format!("root {index}"))
}

fn message(index: u32) -> B256 {
    keccak256(format!("message {index}"))
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn checkpoints_recover_to_the_key_of_an_emulator() {
    let target = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    let alias = target.alias(&target.signing_key().await).await;
    let address = target.signer(&alias).await.unwrap().address();
    let folder = std::env::temp_dir().join(format!("kms-signer-conformance-validator-{}", std::process::id()));
    let hook = Address::repeat_byte(0x22).into_word();

    let mut child = launch::example("validator", &endpoint("KMS_ENDPOINT"))
        .args(["--key-id", &alias, "--out"])
        .arg(&folder)
        .arg("sign")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for index in 0..CHECKPOINTS {
        let (root, message) = (root(index), message(index));
        writeln!(
            stdin,
            r#"{{"checkpoint":{{"merkle_tree_hook_address":"{hook}","mailbox_domain":1,"root":"{root}","index":{index}}},"message_id":"{message}"}}"#
        )
        .unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());

    let domain = keccak256([&1_u32.to_be_bytes(), &hook[..], b"HYPERLANE"].concat());
    for index in 0..CHECKPOINTS {
        let name = format!("checkpoint_{index}_with_id.json");
        let file: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let signature: Signature = file["serialized_signature"].as_str().unwrap().parse().unwrap();
        let hash = keccak256([&domain[..], &root(index)[..], &index.to_be_bytes(), &message(index)[..]].concat());
        assert_eq!(signature.recover_address_from_msg(hash).unwrap(), address, "{index}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
