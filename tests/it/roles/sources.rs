//! Whose credentials a role is taken on with, and that nobody else is asked for any.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use kms_signer::{AssumeRole, Error, ErrorKind, KmsClient, KmsSigner, aws_sdk_kms::config::Credentials};

use super::{
    ROLE,
    servers::{Kms, Sts},
    signer, signs, user_of,
};

/// A source of the caller's own, whose credentials are new each time: `AKIAOWN0`, `AKIAOWN1` and so on.
#[derive(Clone, Debug, Default)]
struct Own(Arc<AtomicUsize>);

impl ProvideCredentials for Own {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        future::ProvideCredentials::ready(Ok(Credentials::new(
            format!("AKIAOWN{number}"),
            "secret",
            Some("OWNTOKEN".to_owned()),
            None,
            "own",
        )))
    }
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("the vault is sealed")))
    }
}

#[tokio::test]
async fn a_source_in_code_goes_before_the_clients_own() {
    let (kms, sts) = (Kms::new(), Sts::new());
    let token = Some("SOURCETOKEN".to_owned());
    signs(&signer(&kms, sts.role().source_static_credentials("AKIASOURCE", "secret", token)).await).await;
    signs(&signer(&kms, sts.role().source_provider(Own::default())).await).await;
    // Without one it is the client's: fixed ones, or a provider.
    let key = kms.fake.create_key().unwrap();
    let client = user_of(&kms, &key).credentials_provider(Own::default()).assume_role(sts.role());
    signs(&KmsSigner::new(client.build().await.unwrap(), key, None).await.unwrap()).await;

    let asked: Vec<_> = sts.asked().into_iter().map(|asked| (asked.access_key, asked.token)).collect();
    let asked: Vec<_> = asked.iter().map(|(key, token)| (key.as_str(), token.as_deref())).collect();
    assert_eq!(
        asked,
        [("AKIASOURCE", Some("SOURCETOKEN")), ("AKIAOWN0", Some("OWNTOKEN")), ("AKIAOWN0", Some("OWNTOKEN"))]
    );
    assert_eq!(kms.access_keys(), ["ASIA0", "ASIA1", "ASIA2"]);
}

#[tokio::test]
async fn any_provider_is_taken_with_or_without_a_role() {
    let (kms, own) = (Kms::new(), Own::default());
    let key = kms.fake.create_key().unwrap();
    let client = user_of(&kms, &key).credentials_provider(own.clone()).build().await.unwrap();
    let signer = KmsSigner::new(client, &key, None).await.unwrap();
    signs(&signer).await;
    assert_eq!(kms.access_keys(), ["AKIAOWN0"]);
    assert!(kms.seen().iter().all(|seen| seen.token.as_deref() == Some("OWNTOKEN")));
    assert_eq!(own.0.load(Ordering::Relaxed), 1, "its credentials are kept");

    // A source without credentials is named, not STS.
    let sts = Sts::new();
    for builder in [
        user_of(&kms, &key).credentials_provider(Nobody),
        user_of(&kms, &key).assume_role(sts.role().source_provider(Nobody)),
    ] {
        let error = KmsSigner::new(builder.build().await.unwrap(), &key, None).await.unwrap_err();
        nobody_knows(&error);
        assert!(error.to_string().contains("the vault is sealed"), "{error}");
    }
    assert!(sts.asked().is_empty());
}

/// This test again, in a process whose environment is this and nothing else.
fn again(test: &str, environment: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("roles::sources::{test}"), "--ignored", "--nocapture"])
        .env_clear()
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

const PROFILES: &str = "
[profile treasury]
aws_access_key_id = AKIATREASURY
aws_secret_access_key = secret

[profile chained]
role_arn = arn:aws:iam::210987654321:role/first
source_profile = treasury
external_id = of-the-profile

[profile empty]
region = us-east-1
";

#[test]
fn profiles_and_the_environment_are_sources_too() {
    let folder = std::env::temp_dir().join(format!("kms-signer-roles-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("config");
    std::fs::write(&config, PROFILES).unwrap();
    let environment = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    again("with_profiles", &environment);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
#[ignore = "run by the test above, with profiles in its environment"]
async fn with_profiles() {
    let (kms, sts) = (Kms::new(), Sts::new());
    let key = kms.fake.create_key().unwrap();
    let builder = || KmsClient::builder().for_key(&key).endpoint_url(kms.url());
    let connect = async |role| KmsSigner::new(builder().assume_role(role).build().await.unwrap(), &key, None).await;

    signs(&connect(sts.role()).await.unwrap()).await;
    signs(&connect(sts.role().source_profile("treasury")).await.unwrap()).await;
    let asked: Vec<_> = sts.asked().into_iter().map(|asked| asked.access_key).collect();
    assert_eq!(asked, ["AKIAENVIRONMENT", "AKIATREASURY"]);

    for profile in ["tresury", "empty"] {
        let error = connect(sts.role().source_profile(profile)).await.unwrap_err();
        nobody_knows(&error);
        assert!(error.to_string().contains(profile), "{error}");
    }
    assert_eq!(sts.asked().len(), 2);
}

/// The SDK's own variable leads to STS, also for a profile that is a role itself.
#[test]
fn a_profile_with_a_role_is_a_source() {
    let folder = std::env::temp_dir().join(format!("kms-signer-chained-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("config");
    std::fs::write(&config, PROFILES).unwrap();
    let (kms, sts) = (Kms::new(), Sts::new());
    let key = kms.fake.create_key().unwrap();
    let environment = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
        ("AWS_ENDPOINT_URL_KMS", &kms.url()),
        ("KEY", key.as_ref()),
    ];
    again("by_a_chained_profile", &environment);
    std::fs::remove_dir_all(&folder).unwrap();

    let asked: Vec<_> =
        sts.asked().into_iter().map(|asked| (asked.access_key, asked.fields["RoleArn"].clone())).collect();
    let first = "arn:aws:iam::210987654321:role/first";
    assert_eq!(asked, [("AKIATREASURY", first), ("ASIA0", ROLE)].map(|(key, role)| (key.to_owned(), role.to_owned())));
    assert_eq!(sts.asked()[0].field("ExternalId"), Some("of-the-profile"));
    assert_eq!(kms.access_keys(), ["ASIA1"]);
}

#[tokio::test]
#[ignore = "run by the test above, with profiles and endpoints in its environment"]
async fn by_a_chained_profile() {
    let key = std::env::var("KEY").unwrap();
    let role = AssumeRole::new(ROLE).source_profile("chained");
    let client = KmsClient::builder().for_key(&key).assume_role(role).build().await.unwrap();
    signs(&KmsSigner::new(client, &key, None).await.unwrap()).await;
}

/// Counts the connections that the instance metadata service would get.
#[test]
fn the_instance_metadata_service_is_asked_by_nobody_who_has_region_and_credentials() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    let environment = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())];
    again("with_region_and_credentials", &environment);
    assert_eq!(connections.load(Ordering::Relaxed), 0);
    again("without_credentials", &environment);
    assert!(connections.load(Ordering::Relaxed) > 0, "the count counts nothing");
}

#[tokio::test]
#[ignore = "run by the test above, which counts connections"]
async fn with_region_and_credentials() {
    let (kms, sts) = (Kms::new(), Sts::new());
    let key = kms.fake.create_key().unwrap();
    let builder = || KmsClient::builder().region("us-east-1").endpoint_url(kms.url());
    for builder in [
        builder().static_credentials("AKIAUSER", "secret", None),
        builder().credentials_provider(Own::default()),
        builder().static_credentials("AKIAUSER", "secret", None).assume_role(sts.role()),
        builder().assume_role(sts.role().source_static_credentials("AKIASOURCE", "secret", None)),
        builder().assume_role(sts.role().source_provider(Own::default())),
    ] {
        signs(&KmsSigner::new(builder.build().await.unwrap(), &key, None).await.unwrap()).await;
    }
}

#[tokio::test]
#[ignore = "run by the test above, which counts connections"]
async fn without_credentials() {
    let builder = || KmsClient::builder().region("us-east-1").endpoint_url("http://127.0.0.1:1");
    let role = AssumeRole::new(ROLE).endpoint_url("http://127.0.0.1:1");
    for builder in [builder(), builder().assume_role(role)] {
        let client = builder.build().await.unwrap();
        nobody_knows(&KmsSigner::new(client, "alias/relayer", None).await.unwrap_err());
    }
}

/// There are no credentials, and trying again will not find any.
fn nobody_knows(error: &Error) {
    let text = error.to_string();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Credentials, false), "{text}");
    assert!(text.contains("set AWS_ACCESS_KEY_ID") && !text.contains("an error occurred while loading"), "{text}");
}
