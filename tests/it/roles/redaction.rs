//! No secret of a role reaches a `Debug`, an error or a log.

use std::time::Duration;

use kms_signer::{KmsSigner, TracingObserver};

use super::{
    servers::{Instead, Kms, SESSION_SECRET, SESSION_TOKEN, Sts},
    signs, user_of,
};
use crate::log::logged;

const SOURCE_SECRET: &str = "SourceSecretThatNobodyMaySee";
const SOURCE_TOKEN: &str = "SourceTokenThatNobodyMaySee";
const EXTERNAL_ID: &str = "ExternalIdBetweenTwoParties";

#[tokio::test]
async fn neither_debug_nor_errors_nor_logs_show_a_secret() {
    let (shown, logged) = logged(exercise()).await;
    assert!(logged.contains("aws_config::sts") && logged.contains("ASIA0"), "the SDK's debug logs were captured");
    let (shown, of_the_sdk) = shown;
    for (place, text) in [("Debug or an error", &shown), ("the SDK's Debug", &of_the_sdk), ("the log", &logged)] {
        for secret in ["UserSecret", SOURCE_SECRET, SOURCE_TOKEN, SESSION_SECRET, SESSION_TOKEN] {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    assert!(!shown.contains(EXTERNAL_ID), "{shown}");
}

/// What this crate shows, and what the SDK's configuration shows.
async fn exercise() -> (String, String) {
    let (kms, sts) = (Kms::new(), Sts::new());
    let key = kms.fake.create_key().unwrap();
    let role = sts.role().external_id(EXTERNAL_ID).source_static_credentials(
        "AKIASOURCE",
        SOURCE_SECRET,
        Some(SOURCE_TOKEN.to_owned()),
    );
    let mut shown = format!("{role:?}");
    let builder = user_of(&kms, &key).assume_role(role.clone()).observer(TracingObserver);
    shown += &format!("{builder:?}");
    let client = builder.build().await.unwrap();
    shown += &format!("{client:?}");
    let of_the_sdk = format!("{:?}", client.sdk().config());
    let signer = KmsSigner::new(client, &key, None).await.unwrap();
    signs(&signer).await;
    shown += &format!("{signer:?}");

    for answer in
        [Instead::Refusal(403, "AccessDenied", "no"), Instead::Body(200, "<html>welcome</html>"), Instead::Silence]
    {
        sts.answer(Some(answer));
        let builder = user_of(&kms, &key).operation_timeout(Duration::from_millis(300)).assume_role(role.clone());
        let error = KmsSigner::new(builder.build().await.unwrap(), &key, None).await.unwrap_err();
        shown += &format!("{error} {error:?}");
        let mut next = std::error::Error::source(&error);
        while let Some(error) = next {
            shown += &format!("{error} {error:?}");
            next = error.source();
        }
    }
    (shown, of_the_sdk)
}
