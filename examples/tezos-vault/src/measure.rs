//! Counters for Prometheus, through the `metrics` facade. What KMS does is counted by kms-signer's `MetricsObserver`.

use std::time::Duration;

use kms_signer::tezos::{Advance, RequestKind};
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// KMS answers in milliseconds from near by.
const SECONDS: [f64; 10] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Installs the recorder for the whole process.
///
/// # Errors
///
/// If there is one already.
pub fn install() -> Result<PrometheusHandle, String> {
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

/// A request for a signature has been answered.
pub(crate) fn answered(status: u16, took: Duration) {
    counter!("tezos_vault_sign_requests_total", "status" => status.to_string()).increment(1);
    histogram!("tezos_vault_sign_request_duration_seconds").record(took.as_secs_f64());
}

/// A request has passed the watermark.
pub(crate) fn watermark(kind: RequestKind, advance: Advance) {
    let outcome = match advance {
        Advance::None => return,
        Advance::Repeated => "repeated",
        Advance::Raised => "raised",
    };
    counter!("tezos_vault_watermarks_total", "request_type" => kind.name(), "outcome" => outcome).increment(1);
}
