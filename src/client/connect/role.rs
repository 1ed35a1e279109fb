//! Credentials of a role, taken on with other credentials.

use core::{fmt, time::Duration};
use std::{error::Error as _, time::SystemTime};

use aws_config::{
    SdkConfig, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig, sts::AssumeRoleProvider,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future};
use aws_sdk_kms::config::Credentials;

use super::{super::transport::Transport, misconfigured};
use crate::error::Result;

/// What STS gives where nothing is said.
const DEFAULT_DURATION: Duration = Duration::from_secs(3600);
const DEFAULT_SESSION_NAME: &str = "kms-signer";

/// A role to take on, with `AssumeRole` of the STS API. Its credentials are refreshed before they expire.
///
/// The credentials to take it on with are those of the client's builder: [`static_credentials`], [`credentials_provider`], or the
/// default chain with its [`profile`]. A source of its own goes before them. They need `sts:AssumeRole` on the role, and the role's trust policy must
/// let them in.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kms_signer::{AssumeRole, KmsClient};
///
/// let role = AssumeRole::new("arn:aws:iam::210987654321:role/signer").external_id("4c1b7f9e").session_name("relayer");
/// let client = KmsClient::builder()
///     .region("eu-central-1")
///     .static_credentials("AKIDEXAMPLE", "secret", None)
///     .assume_role(role)
///     .build()
///     .await?;
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
///
/// [`static_credentials`]: super::KmsClientBuilder::static_credentials
/// [`credentials_provider`]: super::KmsClientBuilder::credentials_provider
/// [`profile`]: super::KmsClientBuilder::profile
#[derive(Clone)]
#[must_use = "it does nothing until it is given to `assume_role`"]
pub struct AssumeRole {
    arn: String,
    external_id: Option<String>,
    session_name: Option<String>,
    duration: Option<Duration>,
    endpoint_url: Option<String>,
    source: Option<Source>,
}

#[derive(Clone)]
enum Source {
    Profile(String),
    Provider(SharedCredentialsProvider),
}

impl AssumeRole {
    /// The role's ARN, `arn:aws:iam::<account>:role/<name>`.
    pub fn new(arn: impl Into<String>) -> Self {
        let (external_id, session_name, duration, endpoint_url, source) = Default::default();
        Self { arn: arn.into(), external_id, session_name, duration, endpoint_url, source }
    }

    /// The external id that the role's trust policy asks for, 2 to 1,224 characters.
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// The session's name, 2 to 64 letters, digits and `+=,.@-_`. CloudTrail shows it. The default is `kms-signer`.
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// How long a session lasts: 900 s to 43,200 s, and no longer than the role allows. The default is 3,600 s.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// The endpoint of STS, for instance a VPC endpoint or an emulator. The client's own endpoint is KMS's, and is not used for STS.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// Takes the role on with the credentials of this profile of the AWS configuration files, whatever the environment says.
    pub fn source_profile(mut self, name: impl Into<String>) -> Self {
        self.source = Some(Source::Profile(name.into()));
        self
    }

    /// Takes the role on with fixed credentials. The session token belongs to temporary ones.
    pub fn source_static_credentials(
        self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        self.source_provider(Credentials::new(access_key_id, secret_access_key, session_token, None, "static"))
    }

    /// Takes the role on with what this provider gives.
    pub fn source_provider(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.source = Some(Source::Provider(SharedCredentialsProvider::new(provider)));
        self
    }

    /// What STS would refuse, or never be asked for.
    pub(super) fn check(&self) -> Result<()> {
        if !is_role_arn(&self.arn) {
            return Err(misconfigured("this is not a role's ARN, arn:aws:iam::<12 digits>:role/<name>"));
        }
        if self.duration.is_some_and(|duration| !(900..=43_200).contains(&duration.as_secs())) {
            return Err(misconfigured("a role's session lasts 900 s to 43,200 s"));
        }
        let is_bad = |text: &Option<String>, lengths: core::ops::RangeInclusive<usize>, marks: &str| {
            let fits = |text: &String| {
                lengths.contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
            };
            text.as_ref().is_some_and(|text| !fits(text))
        };
        if is_bad(&self.session_name, 2..=64, "_+=,.@-") {
            return Err(misconfigured("a role session's name is 2 to 64 letters, digits and +=,.@-_"));
        }
        if is_bad(&self.external_id, 2..=1224, "_+=,.@:/-") {
            return Err(misconfigured("an external id is 2 to 1,224 letters, digits and +=,.@:/-_"));
        }
        self.endpoint_url.as_ref().map_or(Ok(()), |url| super::check_url(url))
    }

    /// The role's credentials, refreshed by whoever caches them.
    pub(super) async fn provider(&self, config: &SdkConfig) -> SharedCredentialsProvider {
        // The client's own timeout and retries of KMS have no say here; the SDK's defaults for STS hold.
        let mut sts = config.clone().into_builder();
        if let Some(url) = &self.endpoint_url {
            sts = sts.endpoint_url(url);
        }
        match &self.source {
            Some(Source::Provider(provider)) => sts = sts.credentials_provider(provider.clone()),
            Some(Source::Profile(name)) => {
                let settings =
                    ProviderConfig::empty().with_http_client(Transport::new()).with_region(config.region().cloned());
                let profile = ProfileFileCredentialsProvider::builder().configure(&settings).profile_name(name).build();
                let source = OfProfile { name: name.clone(), profile };
                sts = sts.credentials_provider(SharedCredentialsProvider::new(source));
            }
            None => {}
        }
        let duration = self.duration.unwrap_or(DEFAULT_DURATION);
        let mut builder = AssumeRoleProvider::builder(&self.arn)
            .configure(&sts.build())
            .session_name(self.session_name.as_deref().unwrap_or(DEFAULT_SESSION_NAME))
            .session_length(duration);
        if let Some(id) = &self.external_id {
            builder = builder.external_id(id);
        }
        SharedCredentialsProvider::new(Session { role: builder.build().await, duration })
    }
}

/// A profile's credentials. Of one that exists and has none the SDK does not say which it is.
#[derive(Debug)]
struct OfProfile {
    name: String,
    profile: ProfileFileCredentialsProvider,
}

impl ProvideCredentials for OfProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.profile.provide_credentials().await.map_err(|error| match error {
                CredentialsError::CredentialsNotLoaded(_) if error.source().is_none() => {
                    CredentialsError::not_loaded(format!("the profile {} has no credentials", self.name))
                }
                error => error,
            })
        })
    }
}

/// Credentials that end sooner than this the SDK takes for ended.
const RENEWED_BEFORE_END: Duration = Duration::from_secs(10);

/// A role's credentials by this machine's clock. One that is late would use them after their end; one that is early would find
/// new ones at their end already, and take the role on for each request.
#[derive(Debug)]
struct Session {
    role: AssumeRoleProvider,
    duration: Duration,
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let latest = SystemTime::now() + self.duration;
            let mut credentials = self.role.provide_credentials().await?;
            let soonest = SystemTime::now() + RENEWED_BEFORE_END;
            let expiry = credentials.expiry_mut();
            *expiry = Some(expiry.filter(|expiry| *expiry > soonest).map_or(latest, |expiry| expiry.min(latest)));
            Ok(credentials)
        })
    }
}

fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, iam, region, account, role] = parts.as_slice() else { return false };
    *arn == "arn"
        && partition.starts_with("aws")
        && *iam == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && role.strip_prefix("role/").is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()))
}

/// The role and the session; never the source's credentials, nor the external id, which is between two parties.
impl fmt::Debug for AssumeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumeRole")
            .field("arn", &self.arn)
            .field("has_external_id", &self.external_id.is_some())
            .field("session_name", &self.session_name)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
