//! The methods: what is for the signer, what is for the node, and what is for nobody.

mod forward;
mod message;
mod transaction;

use std::sync::Arc;

use serde_json::value::RawValue;

pub use self::forward::Forwarding;
use crate::{
    error::RpcError,
    rpc::{Answer, Params, result},
    service::{Progress, Request, Service, Stage},
    upstream::Upstream,
};

pub(crate) async fn answer(
    service: &Arc<Service>,
    request: &Request,
    method: &str,
    params: Option<&RawValue>,
    progress: &Arc<Progress>,
) -> Answer {
    match method {
        "eth_accounts" | "eth_requestAccounts" => {
            Params::parse(params, 0)?;
            result(&request.caller.addresses())
        }
        "eth_chainId" => {
            Params::parse(params, 0)?;
            result(&format!("{:#x}", service.chain_id().await?))
        }
        "net_version" => {
            Params::parse(params, 0)?;
            result(&service.chain_id().await?.to_string())
        }
        "eth_sign" => message::eth_sign(service, request, params).await,
        "personal_sign" => message::personal_sign(service, request, params).await,
        "eth_signTypedData_v4" => message::typed_data(service, request, params).await,
        "eth_signTransaction" => transaction::sign(service, request, params).await,
        "eth_sendTransaction" => transaction::send(service, request, params, progress).await,
        _ => match &service.upstream {
            Some(upstream) if service.forwarding.allows(method) => {
                if sends(method) {
                    progress.set(Stage::Begun);
                }
                upstream.forward(method, params).await
            }
            _ => Err(RpcError::method_not_found(method)),
        },
    }
}

/// Whether a method changes what the next one of the same client is answered.
pub(crate) fn sends(method: &str) -> bool {
    method.starts_with("eth_send")
}

/// The method's name for logs and metrics. Any client can make up names, and each would be a time series of its own.
pub(crate) fn label(method: &str) -> &'static str {
    const OURS: [&str; 9] = [
        "eth_accounts",
        "eth_requestAccounts",
        "eth_chainId",
        "net_version",
        "eth_sign",
        "personal_sign",
        "eth_signTypedData_v4",
        "eth_signTransaction",
        "eth_sendTransaction",
    ];
    OURS.into_iter().find(|ours| *ours == method).unwrap_or("other")
}

impl Service {
    /// The chain of the configuration, else the node's.
    pub(crate) async fn chain_id(&self) -> Result<u64, RpcError> {
        match (self.chain_id, &self.upstream) {
            (Some(chain_id), _) => Ok(chain_id),
            (None, Some(upstream)) => upstream.chain_id().await,
            (None, None) => {
                Err(RpcError::unavailable("there is no upstream to ask, and no chain_id in the configuration"))
            }
        }
    }

    /// Whether the node answers now, and is on the right chain.
    pub(crate) async fn check_upstream(&self, upstream: &Upstream) -> Result<(), RpcError> {
        let found: u64 = upstream.quantity("eth_chainId", &[(); 0]).await?;
        let expected = self.upstream_chain_id(upstream).await?;
        if found != expected {
            return Err(RpcError::unavailable(format!("the node is on chain {found}, not on {expected}")));
        }
        Ok(())
    }

    /// The node's chain, which must be the configuration's.
    pub(crate) async fn upstream_chain_id(&self, upstream: &Upstream) -> Result<u64, RpcError> {
        let found = upstream.chain_id().await?;
        match self.chain_id {
            Some(expected) if expected != found => {
                Err(RpcError::unavailable(format!("the node is on chain {found}, not on {expected}")))
            }
            _ => Ok(found),
        }
    }
}
