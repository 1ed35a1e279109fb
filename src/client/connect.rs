//! Building a client from the environment or from settings in code.

mod role;
mod watched;

use core::{fmt, time::Duration};
use std::{panic::catch_unwind, sync::Arc};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::config::{Credentials, IdentityCache};

pub use self::role::AssumeRole;
use self::watched::Watched;

use super::{KmsClient, Policy, attempt::tokio_timer_runs, limit::Limits, misconfigured, transport::Transport};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
    observe::Observer,
};

impl KmsClient {
    /// A client with the AWS SDK's default chain: environment, profiles, web identity, container and instance roles.
    ///
    /// `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_KMS` and the SDK's other variables are honoured.
    /// With no Region or credentials configured the SDK asks the instance metadata service; set
    /// `AWS_EC2_METADATA_DISABLED=true` where there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is no Region, or no tokio runtime with a timer.
    /// Credentials are looked up with the first request.
    pub async fn from_env() -> Result<Self> {
        Self::builder().build().await
    }

    /// A client with settings in code. What is not set comes from the default chain, as in
    /// [`from_env`](Self::from_env).
    pub fn builder() -> KmsClientBuilder {
        KmsClientBuilder::default()
    }
}

/// Settings for a [`KmsClient`].
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use core::time::Duration;
/// use kms_signer::KmsClient;
///
/// let client = KmsClient::builder()
///     .region("eu-central-1")
///     .endpoint_url("http://127.0.0.1:4566")
///     .static_credentials("AKIDEXAMPLE", "secret", None)
///     .operation_timeout(Duration::from_secs(5))
///     .build()
///     .await?;
/// assert_eq!(client.region(), Some("eu-central-1"));
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until build()"]
pub struct KmsClientBuilder {
    region: Option<String>,
    key: Option<String>,
    endpoint_url: Option<String>,
    profile: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    role: Option<AssumeRole>,
    policy: Policy,
    limits: Limits,
    failover: Vec<Failover>,
    observer: Option<Arc<dyn Observer>>,
}

/// A Region to turn to.
#[derive(Clone)]
enum Failover {
    Region(String),
    Client(aws_sdk_kms::Client),
}

impl KmsClientBuilder {
    /// The Region requests go to. Any name is taken: new Regions need no new release of this crate.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Takes the Region of this key, where its reference is an ARN. It goes before the Region of profile and
    /// environment; a different [`region`](Self::region) is an error.
    pub fn for_key(mut self, key: impl AsRef<str>) -> Self {
        self.key = Some(key.as_ref().to_owned());
        self
    }

    /// The endpoint of KMS, for instance a VPC endpoint or an emulator on `http://127.0.0.1:4566`. A role is taken on elsewhere:
    /// [`AssumeRole::endpoint_url`].
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// The profile of the AWS configuration files. Credentials in the environment go before those of a profile. The default is `AWS_PROFILE`, else `default`.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Fixed credentials, which are neither looked up nor refreshed. The session token belongs to temporary ones.
    pub fn static_credentials(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "static");
        self.credentials = Some(SharedCredentialsProvider::new(credentials));
        self
    }

    /// Credentials from a source of your own. They are cached until shortly before they expire. It takes the place of
    /// [`static_credentials`](Self::static_credentials).
    pub fn credentials_provider(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// Takes on a role with these credentials, and signs with the role's, which are refreshed before they expire.
    ///
    /// What STS refuses becomes the error of the first call: [`ErrorKind::AccessDenied`] for a wrong ARN, trust policy or external
    /// id, which STS does not tell apart; [`ErrorKind::Credentials`] where it does not accept the credentials it is asked with.
    pub fn assume_role(mut self, role: AssumeRole) -> Self {
        self.role = Some(role);
        self
    }

    /// Bounds a call with all its attempts and pauses. The default is 10 s.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.policy.operation_timeout = timeout;
        self
    }

    /// Bounds one attempt from its transmission on, within what is left of the operation timeout. The default is 5 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.policy.attempt_timeout = timeout;
        self
    }

    /// Bounds the number of attempts, the first one included. The default is 4; 0 is taken as 1.
    ///
    /// Throttled attempts are not counted: they wait for their turn again until the deadline. With 1 nothing is tried again.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.policy.max_attempts = attempts.max(1);
        self
    }

    /// Bounds the requests let out per second, in each Region. There is no bound by default; 0 is taken as 1.
    pub fn requests_per_second(mut self, requests: u32) -> Self {
        self.limits.requests_per_second = Some(requests.max(1));
        self
    }

    /// Bounds the requests under way at a time, in each Region. The default is 64; 0 is taken as 1.
    pub fn max_in_flight(mut self, requests: u32) -> Self {
        self.limits.max_in_flight = requests.max(1);
        self
    }

    /// Bounds the calls that wait for their turn. The default is 10,000; with 0 a call that cannot go at once fails.
    pub fn max_queued(mut self, calls: u32) -> Self {
        self.limits.max_queued = calls;
        self
    }

    /// Adds a Region to turn to when those before it fail, with the same credentials. May be called more than once. Signers of
    /// this client need multi-Region keys (`mrk-…`) with a replica in that Region.
    ///
    /// An [`endpoint_url`](Self::endpoint_url) holds for all Regions, as an emulator's does. Where each Region has its own, for
    /// instance a VPC endpoint, use [`failover_client`](Self::failover_client).
    pub fn failover(mut self, region: impl Into<String>) -> Self {
        self.failover.push(Failover::Region(region.into()));
        self
    }

    /// Adds a Region to turn to by an SDK client for it, which is used as it is. As
    /// [`KmsClient::with_failover_client`].
    pub fn failover_client(mut self, sdk: impl Into<aws_sdk_kms::Client>) -> Self {
        self.failover.push(Failover::Client(sdk.into()));
        self
    }

    /// Asks the next Region, too, when an attempt has taken this long. As [`KmsClient::with_hedge_after`].
    pub fn hedge_after(mut self, delay: Duration) -> Self {
        self.policy.hedge_after = Some(delay);
        self
    }

    /// Tells this observer of every call.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Builds the client. Nothing is sent; a missing Region may be asked of the instance metadata service.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Config`]: no Region anywhere, `region` and `for_key` contradict each other, the endpoint is no URL, the
    ///   role's ARN, duration, session name or external id is none that STS takes, or no
    ///   tokio runtime with timer and I/O is running. (The last is found by catching a panic of tokio's, which a program built
    ///   with `panic = "abort"` does not survive.)
    /// - [`ErrorKind::Timeout`]: the configuration was not loaded within the operation timeout, for instance because the
    ///   Region was asked of the instance metadata service.
    /// - [`ErrorKind::InvalidKeyRef`]: what `for_key` was given is not a key reference.
    pub async fn build(self) -> Result<KmsClient> {
        tokio_timer_runs()?;
        tokio_io_runs()?;
        let region = self.explicit_region()?;
        self.endpoint_url.as_deref().map_or(Ok(()), check_url)?;
        self.role.as_ref().map_or(Ok(()), AssumeRole::check)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(Transport::new());
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = self.credentials.clone() {
            loader = loader.credentials_provider(credentials);
        }
        // Of its own accord the SDK gives up on slow credentials long before the operation timeout can be set to end.
        let load_timeout = self.policy.operation_timeout.max(Duration::from_secs(10));
        loader = loader.identity_cache(IdentityCache::lazy().load_timeout(load_timeout).build());
        let config = tokio::time::timeout(self.policy.operation_timeout, loader.load())
            .await
            .map_err(|_| self.not_loaded_in_time())?;
        if config.region().is_none_or(|region| region.as_ref().is_empty()) {
            return Err(self.no_region());
        }
        let config = self.with_role_and_watch(config).await;
        let mut settings = aws_sdk_kms::config::Builder::from(&config);
        // For KMS alone: a role is taken on at STS's own.
        if let Some(url) = &self.endpoint_url {
            settings = settings.endpoint_url(url);
        }
        let mut client = KmsClient::from(aws_sdk_kms::Client::from_conf(settings.clone().build()))
            .with_policy(|policy| *policy = self.policy)
            .with_limits(|limits| *limits = self.limits);
        for failover in self.failover {
            client = client.with_failover_client(match failover {
                Failover::Client(sdk) => sdk,
                Failover::Region(region) => {
                    aws_sdk_kms::Client::from_conf(settings.clone().region(Region::new(region)).build())
                }
            });
        }
        Ok(client.with_shared_observer(self.observer))
    }

    /// The Region given in code, if any.
    fn explicit_region(&self) -> Result<Option<String>> {
        let key = self.key.as_deref().map(str::parse::<KeyRef>).transpose().map_err(while_connecting)?;
        match (self.region.as_deref(), key.as_ref().and_then(KeyRef::region)) {
            (Some(region), Some(of_key)) if region != of_key => Err(misconfigured(format!(
                "the Region {region} contradicts the key, which is in {of_key}; leave one of them out"
            ))),
            (region, of_key) => Ok(region.or(of_key).map(str::to_owned)),
        }
    }

    /// The role's credentials instead of those it is taken on with; and an observer that is told when they are loaded.
    async fn with_role_and_watch(&self, config: SdkConfig) -> SdkConfig {
        let mut provider = config.credentials_provider();
        if let Some(role) = &self.role {
            provider = Some(role.provider(&config).await);
        }
        if let (Some(source), Some(observer)) = (&provider, &self.observer) {
            provider = Some(SharedCredentialsProvider::new(Watched::new(source.clone(), Arc::clone(observer))));
        }
        let mut config = config.into_builder();
        config.set_credentials_provider(provider);
        config.build()
    }

    fn no_region(&self) -> Error {
        misconfigured(match &self.profile {
            Some(profile) => format!(
                "no Region is set, and the profile {profile} does not exist or has none; give region(..), a key ARN or AWS_REGION"
            ),
            None => "no Region is set; give region(..), a key ARN, AWS_REGION, or a profile with one".to_owned(),
        })
    }

    fn not_loaded_in_time(&self) -> Error {
        let message = format!("the configuration was not loaded within {:.1?}", self.policy.operation_timeout);
        let error = Error::new(ErrorKind::Timeout, Operation::Connect, message);
        error.with_remedy(if self.region.is_some() || self.key.is_some() {
            "check the AWS configuration files"
        } else {
            "give region(..), a key ARN or AWS_REGION; without them the instance metadata service is asked"
        })
    }
}

/// tokio cannot be asked whether connections work; making a socket panics where they do not.
fn tokio_io_runs() -> Result<()> {
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    // A machine that gives no socket gives its own error at the first request.
    let Ok(socket) = socket else { return Ok(()) };
    catch_unwind(|| drop(tokio::net::UdpSocket::from_std(socket)))
        .map_err(|_| misconfigured("the tokio runtime has no I/O; build it with enable_io() or enable_all()"))
}

/// The SDK takes any text and fails at the first request.
fn check_url(url: &str) -> Result<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Ok(());
    }
    Err(misconfigured("the endpoint URL does not begin with http:// or https:// and a host"))
}

fn while_connecting(error: Error) -> Error {
    error.with_operation(Operation::Connect)
}

/// Never the secret access key or the session token, nor what may hold a secret by mistake: the key and the endpoint's URL.
impl fmt::Debug for KmsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsClientBuilder")
            .field("region", &self.region)
            .field("has_endpoint_url", &self.endpoint_url.is_some())
            .field("profile", &self.profile)
            .field("has_credentials", &self.credentials.is_some())
            .field("role", &self.role)
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
