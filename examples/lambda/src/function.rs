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
use serde_json::error::Category;
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
    address: String,
}

#[derive(Serialize)]
struct Signed {
    signature: String,
}

/// Why there is no signature. `error` is a word for programs, `message` a text for people, and `request_id` that of KMS.
///
/// No part of it is the caller's input, which may be a secret sent here by mistake, or a text of AWS, which names role, account and key.
#[derive(Serialize)]
struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    message: String,
    request_id: Option<String>,
    /// What only the log is told.
    #[serde(skip)]
    detail: Option<String>,
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
                let text = refusal.detail.as_ref().unwrap_or(&refusal.message);
                tracing::warn!(status = refusal.status.as_u16(), error = refusal.error, "{text}");
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
                let message = "the function's time is over; try again, or raise its timeout above KMS's";
                Err(Refusal { message: message.to_owned(), ..Refusal::new(ErrorKind::Timeout) })
            }),
        }
    }

    async fn sign(&self, body: &[u8]) -> Result<Signed, Refusal> {
        let (digest, address) = parse(body)?;
        let signer = self.signer().await.map_err(|error| Refusal::from_kms(&error))?;
        if signer.address() != address {
            let detail = format!("the key's address is {}, not {address}", signer.address());
            return Err(Refusal { detail: Some(detail), ..Refusal::new(ErrorKind::AddressMismatch) });
        }
        let signature = signer.sign_hash(&digest).await.map_err(|error| match Error::find(&error) {
            Some(ours) => Refusal::from_kms(ours),
            None => Refusal { detail: Some(error.to_string()), ..Refusal::new(ErrorKind::Other) },
        })?;
        Ok(Signed { signature: hex::encode_prefixed(to_eth_bytes(&signature, V::Legacy)) })
    }

    async fn signer(&self) -> kms_signer::Result<&KmsSigner> {
        self.signer.get_or_try_init(|| self.settings.signer(self.client.clone()).connect()).await
    }
}

impl Refusal {
    fn new(kind: ErrorKind) -> Self {
        let (status, message) = match kind {
            ErrorKind::AccessDenied => (StatusCode::FORBIDDEN, "the function's role may not use the key"),
            ErrorKind::AddressMismatch => (StatusCode::CONFLICT, "the key has another address"),
            ErrorKind::KeyChanged => {
                (StatusCode::CONFLICT, "another key answered than the one the function started with")
            }
            ErrorKind::Throttled => (StatusCode::TOO_MANY_REQUESTS, "KMS is asked too often; try again"),
            ErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "KMS did not answer in time; try again"),
            ErrorKind::Transport => (StatusCode::SERVICE_UNAVAILABLE, "KMS was not reached; try again"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "KMS cannot answer now; try again"),
            ErrorKind::KeyNotFound => (StatusCode::INTERNAL_SERVER_ERROR, "the key does not exist"),
            ErrorKind::KeyUnusable => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the key is disabled, or about to be deleted")
            }
            ErrorKind::Credentials => {
                (StatusCode::INTERNAL_SERVER_ERROR, "AWS does not accept the function's credentials")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the function's log tells why"),
        };
        Self { status, error: format!("{kind:?}"), message: message.to_owned(), request_id: None, detail: None }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        let (status, error) = (StatusCode::BAD_REQUEST, "BadRequest".to_owned());
        Self { status, error, message: message.into(), request_id: None, detail: None }
    }

    fn from_kms(error: &Error) -> Self {
        let (request_id, detail) = (error.request_id().map(str::to_owned), Some(error.to_string()));
        Self { request_id, detail, ..Self::new(error.kind()) }
    }
}

fn parse(body: &[u8]) -> Result<(B256, Address), Refusal> {
    // Serde reads a struct from an array, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::bad_request("the body is no JSON object"));
    }
    let Input { digest, address } = serde_json::from_slice(body).map_err(|error| {
        let category = match error.classify() {
            Category::Io | Category::Syntax => "no JSON",
            Category::Eof => "not complete",
            Category::Data => "not an object of the strings `digest` and `address` alone",
        };
        Refusal::bad_request(format!("line {}, column {}: the body is {category}", error.line(), error.column()))
    })?;
    let digest = parse_digest(&digest)?;
    let address = address.parse().map_err(|_| Refusal::bad_request("the address is not 20 bytes in hexadecimal"))?;
    Ok((digest, address))
}

/// Standard base64 with its padding (RFC 4648, section 4), of 32 bytes.
fn parse_digest(text: &str) -> Result<B256, Refusal> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| Refusal::bad_request("the digest is not base64"))?;
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
