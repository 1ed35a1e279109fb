//! The clients that are compared.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::{B256, Signature};
use alloy_signer::Signer;
use alloy_signer_aws::AwsSigner;
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use clap::ValueEnum;
use kms_signer::{KeyArn, KmsClient, KmsSigner, PublicKey};
use tokio::task::JoinSet;

use crate::{Outcome, recovery::WARM_UP};

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// `AwsSigner::sign_hash`.
    AlloySignerAws,
    /// `AwsSigner::sign_digest`: the same without finding the y-parity.
    AlloySignerAwsNoParity,
    /// `KmsSigner::sign_hash`.
    KmsSigner,
    /// The same with a key that has no table yet, as each has not the first 32 times. Recovery only.
    KmsSignerNoTable,
    /// The SDK's `Sign`, its answer unread.
    Sdk,
    /// libsecp256k1: recovery with both parities in turn. No client.
    Libsecp256k1,
    /// libsecp256k1: verification, without a parity. No client.
    Libsecp256k1Verify,
}

pub(crate) enum Contender {
    Peer(AwsSigner),
    PeerNoParity(AwsSigner),
    Ours(KmsSigner),
    Sdk(Client, String),
}

impl Contender {
    /// Both signers ask for the public key, as they do with a key they do not know.
    pub(crate) async fn connect(who: Who, client: &Client, key: &KeyArn) -> Outcome<Self> {
        let peer = || AwsSigner::new(client.clone(), key.to_string(), None);
        Ok(match who {
            Who::AlloySignerAws => Self::Peer(peer().await?),
            Who::AlloySignerAwsNoParity => Self::PeerNoParity(peer().await?),
            Who::KmsSigner => Self::ours(client, key).await?,
            Who::Sdk => Self::Sdk(client.clone(), key.to_string()),
            other => return Err(format!("{other:?} is no client").into()),
        })
    }

    /// Ours, over a client that is set up already.
    pub(crate) async fn ours(client: impl Into<KmsClient>, key: &KeyArn) -> Outcome<Self> {
        Ok(Self::Ours(KmsSigner::new(client, key, None).await?))
    }

    /// Ours, with a public key it is told: it asks nothing. The peer has no such way.
    pub(crate) async fn known_key(client: &Client, key: &KeyArn, public_key: PublicKey) -> Outcome<Self> {
        Ok(Self::Ours(KmsSigner::builder(client, key).public_key(public_key).connect().await?))
    }

    /// Nothing where the client gives no Ethereum signature.
    pub(crate) async fn sign(&self, digest: &B256) -> Outcome<Option<Signature>> {
        match self {
            Self::Peer(signer) => Ok(Some(signer.sign_hash(digest).await?)),
            Self::PeerNoParity(signer) => {
                signer.sign_digest(digest).await?;
                Ok(None)
            }
            Self::Ours(signer) => Ok(Some(signer.sign_hash(digest).await?)),
            Self::Sdk(client, key) => {
                client
                    .sign()
                    .key_id(key)
                    .message(Blob::new(digest.as_slice()))
                    .message_type(MessageType::Digest)
                    .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
                    .send()
                    .await?;
                Ok(None)
            }
        }
    }

    /// Signs until our key has its table; the others do the same.
    pub(crate) async fn warm_up(&self, digests: &[B256]) -> Outcome {
        for digest in digests.iter().cycle().take(WARM_UP) {
            self.sign(digest).await?;
        }
        Ok(())
    }

    /// Signs all digests, so many of them at a time.
    pub(crate) async fn sign_all(self: &Arc<Self>, digests: &Arc<[B256]>, in_flight: usize) -> Outcome {
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..in_flight {
            let (contender, digests, next) = (self.clone(), digests.clone(), next.clone());
            workers.spawn(async move {
                while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    contender.sign(digest).await?;
                }
                Outcome::Ok(())
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended??;
        }
        Ok(())
    }
}
