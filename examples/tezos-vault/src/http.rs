//! The remote-signer protocol over HTTP, as octez-client and Taquito speak it (octez's `src/lib_signer_services/signer_services.ml`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use kms_signer::{
    alloy_primitives::hex,
    tezos::{MAX_REQUEST, PublicKeyHash},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};

use crate::{measure, refusal::Refusal, service::Service, warnings::Warnings};

/// A JSON text of hexadecimal digits, with some room for white space.
const MOST_BYTES: usize = 2 * MAX_REQUEST + 1024;
/// A body comes at once.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// KMS is given up after 10 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// So many requests are looked at, at a time.
const AT_ONCE: usize = 64;

#[derive(Clone)]
struct App {
    service: Arc<Service>,
    places: Arc<Semaphore>,
    strangers: Arc<Warnings>,
}

pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/authorized_keys", get(authorized_keys))
        .route("/keys/{key}", get(public_key).post(sign))
        .fallback(async || refused(&Refusal::new(404, "there is nothing here")))
        .with_state(App { service, places: Arc::new(Semaphore::new(AT_ONCE)), strangers: Arc::new(Warnings::new()) })
}

/// Health, and metrics where there are any.
pub(crate) fn utility_router(service: Arc<Service>, metrics: Option<PrometheusHandle>) -> Router {
    let healthz = async move || {
        let ready = service.is_ready();
        answer(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &json!({ "ready": ready }))
    };
    let metrics = async move || {
        let mut response =
            Response::new(Body::from(metrics.as_ref().map(PrometheusHandle::render).unwrap_or_default()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
        response
    };
    Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics))
}

async fn authorized_keys(State(app): State<App>) -> Response {
    let keys = app.service.authorized_keys();
    let keys = keys.map(|keys| keys.iter().map(ToString::to_string).collect::<Vec<_>>());
    answer(StatusCode::OK, &keys.map_or_else(|| json!({}), |keys| json!({ "authorized_keys": keys })))
}

async fn public_key(State(app): State<App>, Path(key): Path<String>) -> Response {
    let found = parse(&key).and_then(|hash| app.service.public_key(&hash).map(ToString::to_string));
    match found {
        Ok(public_key) => answer(StatusCode::OK, &json!({ "public_key": public_key })),
        Err(refusal) => refused(&refusal),
    }
}

async fn sign(State(app): State<App>, Path(key): Path<String>, request: Request) -> Response {
    let begun = Instant::now();
    let outcome = match timeout(ANSWER_WITHIN, signature(&app, &key, request)).await {
        Ok(outcome) => outcome,
        // A caller's: for others nothing takes as long.
        Err(_) => Err(Refusal::new(503, "there was no signature in time; try again").of_caller()),
    };
    let response = match outcome {
        Ok(signature) => answer(StatusCode::OK, &json!({ "signature": signature })),
        Err(refusal) => {
            let told = if refusal.is_callers { Some(None) } else { app.strangers.next() };
            if let Some(left_out) = told {
                tracing::warn!(key, status = refusal.status, reason = refusal.message, left_out, "refused");
            }
            refused(&refusal)
        }
    };
    measure::answered(response.status().as_u16(), begun.elapsed());
    response
}

async fn signature(app: &App, key: &str, request: Request) -> Result<String, Refusal> {
    let hash = parse(key)?;
    let (head, body) = request.into_parts();
    // A page in a browser of this machine reaches loopback, too.
    if head.headers.contains_key(header::ORIGIN) && !app.service.needs_caller(&hash) {
        return Err(Refusal::new(403, "pages of browsers need authorized_keys"));
    }
    if length(&head.headers).is_some_and(|length| length > MOST_BYTES) {
        return Err(too_large());
    }
    let body = timeout(BODY_WITHIN, to_bytes(body, MOST_BYTES)).await;
    let body = body.map_err(|_| Refusal::new(408, "the body did not come in time"))?.map_err(|_| too_large())?;
    let text: String = serde_json::from_slice(&body).map_err(|_| Refusal::new(400, "the body is no JSON string"))?;
    let bytes = Some(&text).filter(|text| !text.starts_with("0x")).and_then(|text| hex::decode(text).ok());
    let bytes = bytes.ok_or_else(|| Refusal::new(400, "the body is not in hexadecimal"))?;
    let authentication = head.uri.query().and_then(authentication);
    // Only what was read: slow bodies must not take the places of a baker.
    let _place =
        app.places.try_acquire().map_err(|_| Refusal::new(503, "too many requests are under way; try again"))?;
    app.service.sign(&hash, bytes, authentication).await.map(|signature| signature.to_string())
}

/// Base58 has nothing that a URL must write in another way.
fn authentication(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("authentication="))
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> Refusal {
    Refusal::new(413, format!("the request has more than {MAX_REQUEST} bytes"))
}

fn parse(key: &str) -> Result<PublicKeyHash, Refusal> {
    key.parse().map_err(|_| Refusal::new(400, "this is no public key hash: tz1…, tz2…, tz3… or tz4…"))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    json_response(status, body.to_string())
}

fn refused(refusal: &Refusal) -> Response {
    json_response(StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), refusal.body())
}

fn json_response(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
