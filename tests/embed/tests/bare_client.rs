//! An SDK client without HTTP client and without sleep: errors that say what to add, never a panic.

use kms_signer::{
    ErrorKind, KmsSigner,
    aws_sdk_kms::{
        Client,
        config::{
            BehaviorVersion, Builder, Config, Credentials, IdentityCache, Region, StalledStreamProtectionConfig,
            retry::RetryConfig, timeout::TimeoutConfig,
        },
    },
};

const KEY: &str = "alias/relayer";

/// The SDK builds a client without sleep only if nothing of its own needs one.
fn config(region: Option<&'static str>) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new))
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

fn client(region: Option<&'static str>) -> Client {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    Client::from_conf(config(region).credentials_provider(credentials).build())
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

#[tokio::test]
async fn without_a_credentials_provider() {
    let sdk = Client::from_conf(config(Some("us-east-1")).build());
    let error = KmsSigner::new(sdk, KEY, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert!(error.to_string().contains("credentials_provider"), "{error}");
    assert!(!error.is_retryable());
}
