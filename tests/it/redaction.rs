//! Secrets reach no `Debug`, no error and no log, the SDK's own debug logs included.

use alloy_primitives::{B256, b256, hex};
use alloy_signer::Signer;
use kms_signer::{
    KmsClient, KmsSigner,
    fake::{FakeKms, Fault},
};

use crate::log::logged;

const SECRET: B256 = b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");
const ACCESS_KEY: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
const SESSION: &str = "IQoJb3JpZ2luX2VjEXAMPLESESSION";

#[tokio::test]
async fn neither_debug_nor_logs_show_credentials_or_keys() {
    let (shown, logged) = logged(exercise()).await;
    assert!(logged.contains("aws_smithy_runtime"), "the SDK's debug logs were captured");
    for (place, text) in [("Debug or an error", &shown), ("the log", &logged)] {
        for secret in [ACCESS_KEY, SESSION, &hex::encode(SECRET)] {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
}

/// Uses everything that has a `Debug` or makes an error, and returns the texts.
async fn exercise() -> String {
    let fake = FakeKms::new();
    let key = fake.import_key(SECRET).unwrap();
    let builder = KmsClient::builder()
        .region("us-east-1")
        .endpoint_url("http://127.0.0.1:1")
        .static_credentials("AKIDEXAMPLE", ACCESS_KEY, Some(SESSION.to_owned()))
        .max_attempts(1);
    let mut shown = format!("{builder:?}");
    let client = builder.build().await.unwrap();
    shown += &format!("{client:?}");
    let error = KmsSigner::new(&client, &key, None).await.unwrap_err();
    shown += &format!("{error} {error:?}");

    let signer = KmsSigner::builder(fake.client(), &key).grant_token(SESSION);
    shown += &format!("{signer:?}");
    let signer = signer.connect().await.unwrap();
    shown += &format!("{signer:?} {fake:?} {:?}", signer.client());
    for fault in [Fault::garbage_body(), Fault::error("AccessDeniedException", 400, "no"), Fault::disconnect().times(4)]
    {
        fake.inject(fault);
        let error = signer.sign_message(b"x").await.unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    for text in [hex::encode(SECRET), hex::encode_prefixed(SECRET)] {
        let error = KmsSigner::new(fake.client(), text, None).await.unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    shown
}

#[tokio::test]
async fn the_debug_of_an_error_is_no_dump_of_the_exchange() {
    let fake = FakeKms::new();
    let signer = KmsSigner::new(fake.client(), fake.create_key().unwrap(), None).await.unwrap();
    fake.inject(Fault::error("AccessDeniedException", 400, "no"));
    let error = signer.sign_message(b"x").await.unwrap_err();
    let debug = format!("{error:?}");
    assert!(debug.contains("AccessDenied") && debug.len() < 1500, "{} characters: {debug}", debug.len());
    for word in ["headers", "authorization", "Signature=", "SdkBody"] {
        assert!(!debug.contains(word), "{word} in {debug}");
    }
}
