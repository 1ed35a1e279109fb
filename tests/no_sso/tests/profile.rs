//! A profile that needs SSO, in a program built without it.

use std::process::Command;

use kms_signer::{ErrorKind, KmsClient, KmsSigner};

/// The configuration file is named by the environment, so this runs the test below in a process of its own.
#[test]
fn an_sso_profile_names_the_missing_feature() {
    let config = std::env::temp_dir().join(format!("kms-signer-sso-{}", std::process::id()));
    std::fs::write(
        &config,
        "[profile developer]\n\
         region = us-east-1\n\
         sso_start_url = https://example.awsapps.com/start\n\
         sso_region = us-east-1\n\
         sso_account_id = 111122223333\n\
         sso_role_name = Developer\n",
    )
    .unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .output()
        .unwrap();
    std::fs::remove_file(&config).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "run by the test above, with a configuration file in its environment"]
async fn in_a_process_of_its_own() {
    let client = KmsClient::builder().profile("developer").build().await.unwrap();
    let error = KmsSigner::new(client, "alias/relayer", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert!(error.to_string().contains("feature `sso` of kms-signer"), "{error}");
}
