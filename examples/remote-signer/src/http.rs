//! HTTP: who is let in, how much is read, and how long it may take.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, BodyDataStream, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use futures_util::StreamExt;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    callers::{Caller, is_bearer},
    connection::Peer,
    error::{INVALID_REQUEST, LIMIT_EXCEEDED, RpcError, UNAUTHORIZED, UNAVAILABLE},
    health::Health,
    measure, rpc,
    service::{self, Service},
    settings::Limits,
    warnings::Warnings,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is read of a body that is not wanted, so that its sender sees the answer.
const DRAINED: (usize, Duration) = (8 << 20, Duration::from_secs(1));

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Option<PrometheusHandle>,
    /// Whether `/metrics` is for everybody: on loopback it is.
    pub(crate) open_metrics: bool,
    pub(crate) limits: Limits,
    pub(crate) places: Arc<Semaphore>,
    /// Those who are no caller.
    pub(crate) strangers: Arc<Warnings>,
}

/// Why a request is not looked at.
struct Refusal {
    status: StatusCode,
    error: RpcError,
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", post(rpc))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(app))
}

async fn rpc(State(app): State<Arc<App>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut body = body.into_data_stream();
    match answer(&app, &head.headers, &peer, &mut body).await {
        Ok(Some(answer)) => json(StatusCode::OK, answer),
        Ok(None) => empty(StatusCode::NO_CONTENT),
        Err(refusal) => {
            if refusal.status != StatusCode::REQUEST_TIMEOUT {
                drain(body).await;
            }
            refusal.response()
        }
    }
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    peer: &Peer,
    body: &mut BodyDataStream,
) -> Result<Option<Vec<u8>>, Refusal> {
    let caller = admit(app, headers, peer)?;
    let Ok(place) = app.places.clone().try_acquire_owned() else {
        let error = RpcError::new(LIMIT_EXCEEDED, "too many requests are under way; try again");
        return Err(Refusal { status: StatusCode::SERVICE_UNAVAILABLE, error });
    };
    let _counted = measure::InFlight::begin();
    let deadline = Instant::now() + app.limits.request();
    let request = service::Request { caller, deadline, place: Some(Arc::new(place)) };
    let bytes = read(app, body).await?;
    Ok(app.service.answer(&request, &bytes).await)
}

/// Before a byte of the body is read.
fn admit(app: &App, headers: &HeaderMap, peer: &Peer) -> Result<Arc<Caller>, Refusal> {
    let Some(caller) = app.service.callers.find(headers, peer.certificate.as_ref()) else {
        if let Some(left_out) = app.strangers.next() {
            tracing::warn!(peer = %peer.address, left_out, "a request without a token, or with one that is nobody's");
        }
        let error = RpcError::new(UNAUTHORIZED, "no token, or one that is nobody's");
        return Err(Refusal { status: StatusCode::UNAUTHORIZED, error });
    };
    // A browser sends certificates and passwords by itself, whatever page asks it to, and reaches loopback.
    let of_a_page = headers.contains_key(header::ORIGIN) && !is_bearer(headers);
    if of_a_page || (caller.is_anonymous() && !is_loopback(headers)) {
        let error = RpcError::new(UNAUTHORIZED, "this is not for pages of browsers");
        return Err(Refusal { status: StatusCode::FORBIDDEN, error });
    }
    // Forms of other sites cannot be sent as JSON.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let error = RpcError::new(INVALID_REQUEST, "the Content-Type must be application/json");
        return Err(Refusal { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, error });
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > app.limits.body_bytes as u64) {
        return Err(Refusal::too_large(app.limits.body_bytes));
    }
    Ok(caller.clone())
}

/// Whether the host that was asked for is this machine: a name of somebody's that leads here is how a page would read what is for nobody else.
fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// The body, if it is small enough and comes in time.
async fn read(app: &App, chunks: &mut BodyDataStream) -> Result<Vec<u8>, Refusal> {
    let most = app.limits.body_bytes;
    let deadline = Instant::now() + app.limits.read();
    let mut bytes = Vec::new();
    loop {
        let chunk: Bytes = match timeout_at(deadline, chunks.next()).await {
            Ok(None) => return Ok(bytes),
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(_))) => {
                let error = RpcError::new(INVALID_REQUEST, "the body did not come to its end");
                return Err(Refusal { status: StatusCode::BAD_REQUEST, error });
            }
            Err(_) => {
                let error = RpcError::new(UNAVAILABLE, "the body did not come in time");
                return Err(Refusal { status: StatusCode::REQUEST_TIMEOUT, error });
            }
        };
        if bytes.len() + chunk.len() > most {
            return Err(Refusal::too_large(most));
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// An answer that comes while its client still sends may never be seen by it.
async fn drain(mut chunks: BodyDataStream) {
    let (most, patience) = DRAINED;
    let all = async {
        let mut seen = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            seen += chunk.len();
            if seen > most {
                break;
            }
        }
    };
    // Whoever is slower than that does not see it.
    let _ = timeout(patience, all).await;
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    let Some(report) = app.health.report().await else { return empty(StatusCode::SERVICE_UNAVAILABLE) };
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, serde_json::to_vec(&*report).unwrap_or_default())
}

async fn metrics(State(app): State<Arc<App>>, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    let is_open = app.open_metrics && is_loopback(&headers);
    if !is_open && app.service.callers.find(&headers, peer.certificate.as_ref()).is_none() {
        let error = RpcError::new(UNAUTHORIZED, "no token, or one that is nobody's");
        return Refusal { status: StatusCode::UNAUTHORIZED, error }.response();
    }
    let Some(metrics) = &app.metrics else { return empty(StatusCode::NOT_FOUND) };
    let mut response = Response::new(Body::from(metrics.render()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    response
}

impl Refusal {
    fn too_large(most: usize) -> Self {
        let error = RpcError::new(LIMIT_EXCEEDED, format!("the body has more than {most} bytes"));
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, error }
    }

    fn response(self) -> Response {
        measure::refused(self.status.as_u16());
        let mut response = json(self.status, rpc::response(None, &Err(self.error)));
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let schemes = "Bearer realm=\"remote-signer\", Basic realm=\"remote-signer\", charset=\"UTF-8\"";
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(schemes));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
