//! Counters and latencies for Prometheus, through the `metrics` facade. What KMS does is counted by kms-signer's `MetricsObserver`.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{error, rpc::Answer};

/// KMS answers in milliseconds from near by; a request ends after 30 s unless the configuration says otherwise.
const SECONDS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Installs the recorder for the whole process.
///
/// # Errors
///
/// If there is one already.
pub fn install() -> Result<PrometheusHandle, String> {
    // Without buckets the exporter makes summaries, which cannot be added up over several processes.
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| format!("metrics: {error}"))
}

/// The exporter keeps every observation until it is asked to add them up, and nobody may ever scrape it.
pub(crate) async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// A call has been answered. `method` is one of few.
pub(crate) fn call(method: &'static str, answer: &Answer, took: Duration) {
    let outcome = outcome(answer);
    counter!("remote_signer_calls_total", "method" => method, "outcome" => outcome).increment(1);
    histogram!("remote_signer_call_duration_seconds", "method" => method).record(took.as_secs_f64());
}

/// An HTTP request was refused before its body was read as JSON.
pub(crate) fn refused(status: u16) {
    counter!("remote_signer_refused_total", "status" => status.to_string()).increment(1);
}

/// Counts a request among those under way, until it is dropped.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn begin() -> Self {
        gauge!("remote_signer_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("remote_signer_requests_in_flight").decrement(1.0);
    }
}

/// A word for the code: the node's own codes are many.
fn outcome(answer: &Answer) -> &'static str {
    match answer.as_ref().err().map(|error| error.code) {
        None => "success",
        Some(error::PARSE_ERROR | error::INVALID_REQUEST | error::INVALID_PARAMS) => "invalid",
        Some(error::METHOD_NOT_FOUND) => "no_method",
        Some(error::TRANSACTION_REJECTED | error::UNAUTHORIZED) => "denied",
        Some(error::LIMIT_EXCEEDED) => "limited",
        Some(error::UNAVAILABLE) => "unavailable",
        Some(_) => "failed",
    }
}
