//! The quota of the loopback KMS: a token bucket before `Sign`, and a count of what came and what was refused.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Response};

use crate::answers::{self, SIGN};

const REFUSAL: Bytes = Bytes::from_static(br#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#);
const REQUEST_ID: &str = "x-amzn-requestid";

pub(crate) struct Throttle {
    bucket: Mutex<Bucket>,
    latency: Duration,
    requests: AtomicUsize,
    throttled: AtomicUsize,
    opened: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// What the KMS has seen.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    /// `Sign` requests, the throttled ones included.
    pub(crate) requests: usize,
    pub(crate) throttled: usize,
    /// Connections, one after the other or at the same time.
    pub(crate) opened: usize,
    /// Connections that were open at the same time.
    pub(crate) most_open: usize,
}

impl Throttle {
    /// `quota` signatures a second from a bucket of `depth`, which is full at first. Every answer takes `latency`.
    pub(crate) fn new(quota: u32, depth: u32, latency: Duration) -> Self {
        Self {
            bucket: Mutex::new(Bucket::full(quota, depth)),
            latency,
            requests: AtomicUsize::default(),
            throttled: AtomicUsize::default(),
            opened: AtomicUsize::default(),
            open: AtomicUsize::default(),
            most_open: AtomicUsize::default(),
        }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Traffic {
            requests: count(&self.requests),
            throttled: count(&self.throttled),
            opened: count(&self.opened),
            most_open: count(&self.most_open),
        }
    }

    /// Counts a connection, as open until what this returns is dropped.
    pub(crate) fn connection(self: &Arc<Self>) -> Connection {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Connection(self.clone())
    }

    /// After the latency: the answer to a request that is refused, nothing to one that may pass.
    pub(crate) async fn refuse(&self, target: Option<&str>) -> Option<Response<Bytes>> {
        // KMS counts public keys against another quota.
        let refusal = if target == Some(SIGN) { self.take() } else { None };
        // The token is taken when the request arrives, as a service does that refuses before it works.
        tokio::time::sleep(self.latency).await;
        refusal
    }

    fn take(&self) -> Option<Response<Bytes>> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
            return None;
        }
        self.throttled.fetch_add(1, Ordering::Relaxed);
        Some(refusal(number))
    }
}

fn refusal(number: usize) -> Response<Bytes> {
    let mut response = answers::refusal(REFUSAL);
    if let Ok(id) = HeaderValue::from_str(&format!("00000000-0000-4000-8000-{number:012x}")) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

pub(crate) struct Connection(Arc<Throttle>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tokens that come continuously, up to a depth.
struct Bucket {
    per_second: f64,
    depth: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn full(per_second: u32, depth: u32) -> Self {
        Self { per_second: per_second.into(), depth: depth.into(), tokens: depth.into(), filled: Instant::now() }
    }

    fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.filled = now;
        self.tokens = (self.tokens + gained).min(self.depth);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_depth_at_once_and_then_the_quota() {
        let mut bucket = Bucket::full(500, 50);
        let start = bucket.filled;
        let taken = |bucket: &mut Bucket, at: Duration| (0..1000).filter(|_| bucket.take(start + at)).count();
        assert_eq!(taken(&mut bucket, Duration::ZERO), 50);
        assert_eq!(taken(&mut bucket, Duration::from_millis(1)), 0);
        assert_eq!(taken(&mut bucket, Duration::from_millis(20)), 10);
        assert_eq!(taken(&mut bucket, Duration::from_secs(60)), 50, "it overflows at its depth");
    }
}
