//! An SDK client without HTTP client and without sleep: errors that say what to add, never a panic.

use kms_signer::{
    ErrorKind, KmsSigner,
    aws_sdk_kms::{
        Client,
        config::{BehaviorVersion, Config, Credentials, Region},
    },
};

const KEY: &str = "alias/relayer";

fn client(region: Option<&'static str>) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn without_an_http_client() {
    let error = KmsSigner::new(client(Some("us-east-1")), KEY, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("http_client"), "{error}");
    assert!(!error.is_retryable() && !error.may_have_signed());
}

#[test]
fn without_a_sleep_and_without_a_runtime() {
    let error = futures_executor::block_on(KmsSigner::new(client(Some("us-east-1")), KEY, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("sleep_impl"), "{error}");
}

#[tokio::test]
async fn without_a_region() {
    let error = KmsSigner::new(client(None), KEY, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("Region"), "{error}");
}
