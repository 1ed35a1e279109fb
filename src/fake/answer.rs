//! HTTP responses: AWS JSON 1.1, and what a load balancer says.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, DATE},
};
use serde_json::{Value, json};

use super::{clock, random, refusal::Refusal};

pub(super) const AWS_JSON: &str = "application/x-amz-json-1.1";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An answer with this body. `now` is in seconds since 1970.
pub(super) fn success(body: impl Into<Bytes>, now: i64) -> Response<Bytes> {
    respond(200, body.into(), now)
}

/// The body of an operation's answer. Operations that answer nothing have null for it, and send no body.
pub(super) fn body(fields: &Value) -> Bytes {
    if fields.is_null() { Bytes::new() } else { fields.to_string().into() }
}

pub(super) fn refusal(refusal: &Refusal, now: i64) -> Response<Bytes> {
    let fields = json!({ "__type": refusal.code, "message": refusal.message });
    respond(refusal.status, body(&fields), now)
}

/// As a load balancer answers: HTML, and no request id.
pub(super) fn html(status: u16, now: i64) -> Response<Bytes> {
    let status = status_code(status);
    let page = format!(
        "<html>\n<head><title>{status}</title></head>\n<body>\n<center><h1>{status}</h1></center>\n</body>\n</html>\n"
    );
    verbatim(status.as_u16(), "text/html", page.into(), now)
}

/// What was scripted, and no request id.
pub(super) fn verbatim(status: u16, content_type: &str, body: Bytes, now: i64) -> Response<Bytes> {
    let mut response = dated(status_code(status), body, now);
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}

fn respond(status: u16, body: Bytes, now: i64) -> Response<Bytes> {
    let mut response = dated(status_code(status), body, now);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(AWS_JSON));
    if let Ok(id) = HeaderValue::try_from(random::request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn dated(status: StatusCode, body: Bytes, now: i64) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(date) = clock::http_date(now).and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
