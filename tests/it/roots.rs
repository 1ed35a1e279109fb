//! A machine without CA root certificates.

use std::process::Command;

use kms_signer::{ErrorKind, KmsClient, KmsSigner};

use crate::assert_kind;

/// The trust store is read once in a process, so this runs the test below in another one, with an empty store.
#[test]
fn without_ca_roots_is_an_error_that_says_so() {
    let empty = std::env::temp_dir().join(format!("kms-signer-no-roots-{}", std::process::id()));
    std::fs::create_dir_all(&empty).unwrap();
    std::fs::write(empty.join("bundle.pem"), "").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "roots::in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", empty.join("bundle.pem"))
        .env("SSL_CERT_DIR", &empty)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&empty).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "run by the test above, with an empty trust store"]
async fn in_a_process_of_its_own() {
    let client = KmsClient::builder()
        .region("us-east-1")
        .endpoint_url("https://127.0.0.1:1")
        .static_credentials("AKIDEXAMPLE", "secret", None)
        .build()
        .await
        .unwrap();
    let error = KmsSigner::new(client, "alias/relayer", None).await.unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("ca-certificates"), "{error}");
}
