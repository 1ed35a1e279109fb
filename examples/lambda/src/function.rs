//! From a request to an answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, hex};
use base64::{Engine, prelude::BASE64_STANDARD};
use kms_signer::{
    Error, ErrorKind, KmsClient, KmsSigner,
    alloy_signer::Signer,
    signature::{V, to_eth_bytes},
};
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{HeaderValue, StatusCode, header},
    tracing,
};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::settings::Settings;

/// What remains of the time Lambda allows when the function answers by itself.
const MARGIN: Duration = Duration::from_millis(250);

/// One for all invocations of a process: its connections, its queue and its key are theirs.
pub(crate) struct Function {
    settings: Settings,
    client: KmsClient,
    /// Empty until KMS has told the key, unless it was known.
    signer: OnceCell<KmsSigner>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    digest: String,
    address: Address,
}

#[derive(Serialize)]
struct Signed {
    signature: String,
}

/// Why there is no signature. `error` is a word for programs, `message` a text for people, and `request_id` that of KMS.
#[derive(Serialize)]
struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    message: String,
    request_id: Option<String>,
}

impl Function {
    pub(crate) fn new(client: KmsClient, settings: Settings) -> Self {
        Self { settings, client, signer: OnceCell::new() }
    }

    /// Connects to the key before there is a request, so that what is wrong is in the log of the start. It is no reason to end: what
    /// passes has passed by the next request, and what does not is the answer to it.
    pub(crate) async fn warm_up(&self) {
        match self.signer().await {
            Ok(signer) => tracing::info!(key = %signer.key(), address = %signer.address(), "ready"),
            Err(error) => tracing::error!(%error, "not ready"),
        }
    }

    pub(crate) async fn answer(&self, request: &Request) -> Response<Body> {
        match self.within_time(request).await {
            Ok(signed) => response(StatusCode::OK, &signed),
            Err(refusal) => {
                tracing::warn!(status = refusal.status.as_u16(), error = refusal.error, "{}", refusal.message);
                let mut response = response(refusal.status, &refusal);
                if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&refusal.status) {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                }
                response
            }
        }
    }

    /// Lambda ends a function that is late without a word, so this one ends before.
    async fn within_time(&self, request: &Request) -> Result<Signed, Refusal> {
        let signing = self.sign(request.body());
        match time_left(request) {
            None => signing.await,
            Some(left) => tokio::time::timeout(left, signing).await.unwrap_or_else(|_| {
                let message = "the function's time is over; try again, or raise its timeout above KMS's".to_owned();
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorKind::Timeout, message))
            }),
        }
    }

    async fn sign(&self, body: &[u8]) -> Result<Signed, Refusal> {
        let Input { digest, address } =
            serde_json::from_slice(body).map_err(|error| Refusal::bad_request(format!("the body: {error}")))?;
        let digest = parse_digest(&digest)?;
        let signer = self.signer().await.map_err(|error| Refusal::from_kms(&error))?;
        if signer.address() != address {
            let message = format!("the key's address is {}, not {address}", signer.address());
            return Err(Refusal::new(StatusCode::CONFLICT, ErrorKind::AddressMismatch, message));
        }
        let signature = signer.sign_hash(&digest).await.map_err(|error| match Error::find(&error) {
            Some(ours) => Refusal::from_kms(ours),
            None => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Other, error.to_string()),
        })?;
        Ok(Signed { signature: hex::encode_prefixed(to_eth_bytes(&signature, V::Legacy)) })
    }

    async fn signer(&self) -> kms_signer::Result<&KmsSigner> {
        self.signer.get_or_try_init(|| self.settings.signer(self.client.clone()).connect()).await
    }
}

impl Refusal {
    fn new(status: StatusCode, kind: ErrorKind, message: String) -> Self {
        Self { status, error: format!("{kind:?}"), message, request_id: None }
    }

    fn bad_request(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: "BadRequest".to_owned(), message, request_id: None }
    }

    fn from_kms(error: &Error) -> Self {
        let status = match error.kind() {
            ErrorKind::AccessDenied | ErrorKind::GuardDenied => StatusCode::FORBIDDEN,
            ErrorKind::AddressMismatch | ErrorKind::KeyChanged => StatusCode::CONFLICT,
            ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let request_id = error.request_id().map(str::to_owned);
        Self { request_id, ..Self::new(status, error.kind(), error.to_string()) }
    }
}

/// Standard base64 with its padding (RFC 4648, section 4), of 32 bytes.
fn parse_digest(text: &str) -> Result<B256, Refusal> {
    let bytes =
        BASE64_STANDARD.decode(text).map_err(|_| Refusal::bad_request("the digest is not base64".to_owned()))?;
    B256::try_from(&*bytes)
        .map_err(|_| Refusal::bad_request(format!("the digest has {} bytes, not the 32 of a hash", bytes.len())))
}

/// How long this invocation may still take. A deadline that has passed is none: `cargo lambda watch` counts it from 1970.
fn time_left(request: &Request) -> Option<Duration> {
    let deadline = Duration::from_millis(request.lambda_context_ref()?.deadline);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    deadline.checked_sub(now).map(|left| left.saturating_sub(MARGIN))
}

fn response(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let (status, body) = match serde_json::to_string(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
    };
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
