//! STS on loopback, which gives sessions or refuses to; and a FakeKms on loopback that notes who asks.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use kms_signer::{
    AssumeRole,
    aws_sdk_kms::primitives::{DateTime, DateTimeFormat},
    fake::FakeKms,
};

use crate::host;

/// How far AWS lets a request's time be off, in seconds.
const TOLERANCE: i64 = 300;
pub(super) const REQUEST_ID: &str = "1f9f4ad4-1111-2222-3333-444455556666";
pub(super) const SESSION_SECRET: &str = "SessionSecretThatNobodyMaySee";
pub(super) const SESSION_TOKEN: &str = "SessionTokenThatNobodyMaySee";

/// STS. The access keys of its sessions are `ASIA0`, `ASIA1` and so on.
#[derive(Clone)]
pub(super) struct Sts {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<Behaviour>>,
}

struct Behaviour {
    /// How long its sessions last, whatever is asked for; none for what is asked for.
    lasts: Option<i64>,
    /// Its clock, in seconds after this machine's.
    clock: i64,
    instead: Option<Instead>,
    asked: Vec<Asked>,
    /// When the sessions it gave end, in seconds since 1970 by its own clock.
    ends: Vec<i64>,
}

/// What it answers instead of a session.
#[derive(Clone, Copy)]
pub(super) enum Instead {
    Refusal(u16, &'static str, &'static str),
    Body(u16, &'static str),
    Silence,
}

/// An `AssumeRole` request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) access_key: String,
    pub(super) token: Option<String>,
    pub(super) fields: HashMap<String, String>,
}

impl Asked {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Sts {
    pub(super) fn new() -> Self {
        let behaviour = Behaviour { lasts: None, clock: 0, instead: None, asked: Vec::new(), ends: Vec::new() };
        let state = Arc::new(Mutex::new(behaviour));
        let app = Router::new().fallback(assume_role).with_state(state.clone());
        Self { address: host(app), state }
    }

    pub(super) fn lasting(self, seconds: i64) -> Self {
        self.state.lock().unwrap().lasts = Some(seconds);
        self
    }

    pub(super) fn with_clock(self, offset: i64) -> Self {
        self.state.lock().unwrap().clock = offset;
        self
    }

    pub(super) fn answer(&self, instead: Option<Instead>) {
        self.state.lock().unwrap().instead = instead;
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// When the session with this access key ends.
    pub(super) fn end_of(&self, access_key: &str) -> SystemTime {
        let number: usize = access_key.strip_prefix("ASIA").unwrap().parse().unwrap();
        UNIX_EPOCH + Duration::from_secs(self.state.lock().unwrap().ends[number].try_into().unwrap())
    }

    /// A role of this STS.
    pub(super) fn role(&self) -> AssumeRole {
        AssumeRole::new(super::ROLE).endpoint_url(self.url())
    }
}

async fn assume_role(State(state): State<Arc<Mutex<Behaviour>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let fields = form(&String::from_utf8_lossy(&body));
    assert_eq!(fields["Action"], "AssumeRole");
    let (access_key, token) = caller(&parts.headers);
    let instead = {
        let mut state = state.lock().unwrap();
        state.asked.push(Asked { access_key, token, fields: fields.clone() });
        state.instead
    };
    if let Some(Instead::Silence) = instead {
        std::future::pending::<()>().await;
    }
    let mut state = state.lock().unwrap();
    let now = seconds(SystemTime::now()) + state.clock;
    let signed = signed_at(&parts.headers);
    let (status, body) = match instead {
        _ if signed < now - TOLERANCE => refusal(403, "SignatureDoesNotMatch", "Signature expired: it is too old"),
        _ if signed > now + TOLERANCE => refusal(403, "SignatureDoesNotMatch", "Signature not yet current: it is new"),
        Some(Instead::Refusal(status, code, message)) => refusal(status, code, message),
        Some(Instead::Body(status, body)) => (status, body.to_owned()),
        _ => {
            let end = now
                + state
                    .lasts
                    .unwrap_or_else(|| fields.get("DurationSeconds").map_or(3600, |text| text.parse().unwrap()));
            state.ends.push(end);
            (200, session(state.ends.len() - 1, end))
        }
    };
    Response::builder()
        .status(status)
        .header("content-type", "text/xml")
        .header("x-amzn-requestid", REQUEST_ID)
        .header("date", DateTime::from_secs(now).fmt(DateTimeFormat::HttpDate).unwrap())
        .body(Body::from(body))
        .unwrap()
}

fn session(number: usize, end: i64) -> String {
    let end = DateTime::from_secs(end).fmt(DateTimeFormat::DateTime).unwrap();
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>{SESSION_SECRET}</SecretAccessKey>\
         <SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>{end}</Expiration></Credentials>\
         </AssumeRoleResult><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></AssumeRoleResponse>"
    )
}

fn refusal(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    );
    (status, body)
}

/// The access key id and the session token that a request is signed with.
fn caller(headers: &HeaderMap) -> (String, Option<String>) {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let authorization = text("authorization").unwrap_or_default();
    let credential = authorization.split_once("Credential=").unwrap().1;
    (credential.split_once('/').unwrap().0.to_owned(), text("x-amz-security-token"))
}

/// When a request was signed, in seconds since 1970.
fn signed_at(headers: &HeaderMap) -> i64 {
    let basic = headers["x-amz-date"].to_str().unwrap();
    let (day, time) = (&basic[..8], &basic[9..15]);
    let dashed = format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..]);
    DateTime::from_str(&dashed, DateTimeFormat::DateTime).unwrap().secs()
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

fn form(body: &str) -> HashMap<String, String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        out += &part[2..];
    }
    out
}

/// A FakeKms over HTTP.
#[derive(Clone)]
pub(super) struct Kms {
    pub(super) fake: FakeKms,
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request that arrived, and who signed it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) access_key: String,
    pub(super) token: Option<String>,
    pub(super) key: String,
    pub(super) at: SystemTime,
}

impl Kms {
    pub(super) fn new() -> Self {
        let (fake, seen) = (FakeKms::new(), Arc::default());
        let app = Router::new().fallback(note).with_state((fake.clone(), Arc::clone(&seen)));
        Self { fake, address: host(app), seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The access keys it has seen, each once, in order.
    pub(super) fn access_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.seen().into_iter().map(|seen| seen.access_key).collect();
        keys.dedup();
        keys
    }
}

async fn note(State((fake, seen)): State<(FakeKms, Arc<Mutex<Vec<Seen>>>)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let (access_key, token) = caller(&parts.headers);
    let fields: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let key = fields["KeyId"].as_str().unwrap().to_owned();
    seen.lock().unwrap().push(Seen { access_key, token, key, at: SystemTime::now() });
    fake.handle(Request::from_parts(parts, body)).await.map(Body::from)
}
