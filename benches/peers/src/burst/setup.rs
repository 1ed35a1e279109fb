//! The clients that meet the burst, each as its users set it up.

use std::net::SocketAddr;

use aws_sdk_kms::{
    Client,
    config::retry::{RetryConfig, RetryPartition},
};
use clap::ValueEnum;
use kms_signer::{KeyArn, KmsClient};

use crate::{
    Outcome,
    contender::{Contender, Who},
    loopback,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Setup {
    /// alloy-signer-aws over an SDK client with the SDK's defaults.
    Peer,
    /// The same with ten attempts.
    PeerTenAttempts,
    /// The same with the SDK's adaptive retry mode.
    PeerAdaptive,
    /// kms-signer, told the quota.
    QuotaConfigured,
    /// kms-signer with its defaults.
    QuotaUnknown,
}

impl Setup {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Peer => "alloy-signer-aws, the SDK's defaults",
            Self::PeerTenAttempts => "alloy-signer-aws, 10 attempts",
            Self::PeerAdaptive => "alloy-signer-aws, adaptive retries",
            Self::QuotaConfigured => "kms-signer, quota configured",
            Self::QuotaUnknown => "kms-signer, quota unknown",
        }
    }

    pub(super) async fn connect(self, server: SocketAddr, key: &KeyArn, quota: u32, round: u32) -> Outcome<Contender> {
        let sdk = self.sdk(server, round);
        match self {
            Self::Peer | Self::PeerTenAttempts | Self::PeerAdaptive => {
                Contender::connect(Who::AlloySignerAws, &sdk, key).await
            }
            Self::QuotaConfigured => Contender::ours(KmsClient::from(sdk).with_requests_per_second(quota), key).await,
            Self::QuotaUnknown => Contender::ours(KmsClient::from(sdk), key).await,
        }
    }

    fn sdk(self, server: SocketAddr, round: u32) -> Client {
        let config = loopback::config(server);
        // All SDK clients of a process share one account of retries per service and Region. Here each has its own, as
        // in a process of its own, so that nobody inherits what the one before has used up.
        let config = config.retry_partition(RetryPartition::new(format!("{self:?} {round}")));
        let config = match self {
            Self::PeerTenAttempts => config.retry_config(RetryConfig::standard().with_max_attempts(10)),
            Self::PeerAdaptive => config.retry_config(RetryConfig::adaptive()),
            Self::Peer | Self::QuotaConfigured | Self::QuotaUnknown => config,
        };
        Client::from_conf(config.build())
    }
}
