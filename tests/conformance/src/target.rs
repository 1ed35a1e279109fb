//! A KMS to run against: FakeKms, the ministack emulator, or AWS itself.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use kms_signer::{
    KmsClient, KmsSigner,
    aws_sdk_kms::{
        Client,
        types::{KeySpec, KeyUsageType},
    },
    fake::FakeKms,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kms {
    Fake,
    Ministack,
    Aws,
}

#[derive(Clone)]
pub struct Target {
    pub kms: Kms,
    sdk: Client,
    created: Arc<Mutex<Vec<String>>>,
    aliases: Arc<Mutex<Vec<String>>>,
}

impl Target {
    pub fn fake() -> Self {
        let fake = FakeKms::new();
        fake.join(&FakeKms::in_region("us-west-2")).unwrap();
        Self::new(Kms::Fake, fake.client())
    }

    pub async fn ministack(endpoint: &str) -> Self {
        let client = KmsClient::builder()
            .region("us-east-1")
            .endpoint_url(endpoint)
            .static_credentials("test", "test", None)
            .build()
            .await
            .unwrap();
        Self::new(Kms::Ministack, client.sdk().clone())
    }

    /// With the environment's credentials. Creates keys, which cost money until [`clean_up`](Self::clean_up) and beyond.
    pub async fn aws() -> Self {
        Self::new(Kms::Aws, KmsClient::from_env().await.unwrap().sdk().clone())
    }

    fn new(kms: Kms, sdk: Client) -> Self {
        Self { kms, sdk, created: Arc::default(), aliases: Arc::default() }
    }

    pub fn sdk(&self) -> &Client {
        &self.sdk
    }

    pub async fn signer(&self, key: impl AsRef<str>) -> kms_signer::Result<KmsSigner> {
        KmsSigner::new(&self.sdk, key, None).await
    }

    /// A new signing key, by its ARN.
    pub async fn signing_key(&self) -> String {
        self.key(KeySpec::EccSecgP256K1, KeyUsageType::SignVerify, false).await
    }

    pub async fn key(&self, spec: KeySpec, usage: KeyUsageType, multi_region: bool) -> String {
        let request = self.sdk.create_key().key_spec(spec).key_usage(usage).multi_region(multi_region);
        let created = request.description("kms-signer conformance test").send().await.unwrap();
        let arn = created.key_metadata().unwrap().arn().unwrap().to_owned();
        self.remember(&arn);
        self.settle().await;
        arn
    }

    /// AWS shows a change after about a second, the others at once.
    pub async fn settle(&self) {
        if self.kms == Kms::Aws {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    pub(crate) fn remember(&self, arn: &str) {
        self.created.lock().unwrap().push(arn.to_owned());
    }

    /// A new alias of its own for a key, by its name.
    pub async fn alias(&self, key: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("alias/conformance-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.sdk.create_alias().alias_name(&name).target_key_id(key).send().await.unwrap();
        self.aliases.lock().unwrap().push(name.clone());
        self.settle().await;
        name
    }

    /// Deletes every alias that was created, and schedules the deletion of every key in seven days, the shortest that
    /// KMS allows.
    pub async fn clean_up(&self) {
        let aliases = std::mem::take(&mut *self.aliases.lock().unwrap());
        for alias in aliases {
            self.sdk.delete_alias().alias_name(alias).send().await.unwrap();
        }
        let created = std::mem::take(&mut *self.created.lock().unwrap());
        for arn in created {
            // Behaviours leave keys in states that KMS does not delete again.
            let _ = self.sdk.schedule_key_deletion().key_id(arn).pending_window_in_days(7).send().await;
        }
    }
}
