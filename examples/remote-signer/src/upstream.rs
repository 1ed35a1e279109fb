//! The Ethereum node behind the signer.

use std::{fmt, time::Duration};

use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::OnceCell;

use crate::{
    error::{INTERNAL_ERROR, LIMIT_EXCEEDED, RpcError},
    rpc::Answer,
};

/// A node by its URL. What may be a secret in it (user, path, query) is never shown.
pub struct Upstream {
    http: Client,
    url: Url,
    most_bytes: usize,
    chain_id: OnceCell<u64>,
}

/// Why there is no result.
pub(crate) struct Failure {
    pub(crate) error: RpcError,
    /// The node itself said so, and nothing between; else it may have done what it was asked.
    pub(crate) is_the_nodes: bool,
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: u8,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<RpcError>,
}

/// A result of null is a result.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl Upstream {
    /// Nothing is sent. An answer may take as long as `timeout` and have as many bytes as `most_bytes`.
    ///
    /// # Errors
    ///
    /// If the URL is none of http or https; the text does not repeat it.
    pub fn new(url: &str, timeout: Duration, most_bytes: usize) -> Result<Self, String> {
        let url: Url = url.parse().map_err(|error| format!("the upstream's URL: {error}"))?;
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
            return Err("the upstream's URL is none of http:// or https://".to_owned());
        }
        let mut http = Client::builder().timeout(timeout).connect_timeout(timeout).redirect(Policy::none());
        if matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| format!("the upstream's client: {}", error.without_url()))?;
        Ok(Self { http, url, most_bytes, chain_id: OnceCell::new() })
    }

    /// The chain it is on, asked until it has answered once.
    pub(crate) async fn chain_id(&self) -> Result<u64, RpcError> {
        let ask = || async { self.quantity("eth_chainId", &[(); 0]).await };
        self.chain_id.get_or_try_init(ask).await.copied()
    }

    /// A call whose answer is a quantity, as `0x7a69`.
    pub(crate) async fn quantity<N: TryFrom<u128>>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<N, RpcError> {
        let number: alloy_primitives::U128 = self.call(method, params).await?;
        N::try_from(number.to()).map_err(|_| not_understood(method))
    }

    /// A call whose answer is read.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: &impl Serialize) -> Result<T, RpcError> {
        self.try_call(method, params).await.map_err(|failure| failure.error)
    }

    /// The same, with whose failure it is.
    pub(crate) async fn try_call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, Failure> {
        let params = to_raw_value(params)
            .map_err(|error| RpcError::new(INTERNAL_ERROR, format!("{method}'s params are no JSON: {error}")))?;
        let answer = self.exchange(method, Some(&params)).await?;
        Ok(serde_json::from_str(answer.get()).map_err(|_| not_understood(method))?)
    }

    /// Passes a call on as it is, and its answer, be it a result or an error.
    pub(crate) async fn forward(&self, method: &str, params: Option<&RawValue>) -> Answer {
        self.exchange(method, params).await.map_err(|failure| failure.error)
    }

    async fn exchange(&self, method: &str, params: Option<&RawValue>) -> Result<Box<RawValue>, Failure> {
        let request = Request { jsonrpc: "2.0", id: 1, method, params };
        let body = serde_json::to_vec(&request).map_err(|_| RpcError::invalid_params("params are no JSON"))?;
        let request = self.http.post(self.url.clone()).header("content-type", "application/json").body(body);
        let mut response = request.send().await.map_err(|error| self.not_reached(error))?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.not_reached(error))? {
            if bytes.len() + chunk.len() > self.most_bytes {
                let message = format!("the node's answer has more than {} bytes", self.most_bytes);
                return Err(RpcError::new(LIMIT_EXCEEDED, message).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        match serde_json::from_slice(&bytes) {
            // A gateway before the node writes such an error, too, when it waited in vain.
            Ok(Response { error: Some(error), .. }) => Err(Failure { error, is_the_nodes: status.is_success() }),
            Ok(Response { result: Some(result), .. }) => Ok(result),
            _ if status == StatusCode::TOO_MANY_REQUESTS => {
                Err(RpcError::new(LIMIT_EXCEEDED, "the node is asked too often; try again").into())
            }
            _ => {
                tracing::warn!(upstream = %self, status = status.as_u16(), "the node's answer is no JSON-RPC");
                Err(RpcError::unavailable(format!("the node answered with HTTP status {status} and no JSON-RPC"))
                    .into())
            }
        }
    }

    fn not_reached(&self, error: reqwest::Error) -> RpcError {
        let late = error.is_timeout();
        let error = error.without_url();
        let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
        tracing::warn!(upstream = %self, %error, cause = cause.map(tracing::field::display), "the node was not reached");
        RpcError::unavailable(if late { "the node did not answer in time" } else { "the node was not reached" })
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self { error, is_the_nodes: false }
    }
}

fn not_understood(method: &str) -> RpcError {
    RpcError::unavailable(format!("the node's answer to {method} is not what the method answers"))
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({self})")
    }
}
