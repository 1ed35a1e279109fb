//! Events as metrics, through the `metrics` facade.

use metrics::{counter, gauge, histogram};

use super::{CallEvent, Event, Observer, RegionEvent};

/// Counts and measures KMS calls through the [`metrics`] facade, for whichever recorder the program installs.
///
/// | metric | type | labels |
/// |---|---|---|
/// | `kms_signer_calls_total` | counter | `operation`, `region`, `outcome`: `success`, `cancelled` or an [`ErrorKind`](crate::ErrorKind) |
/// | `kms_signer_requests_total` | counter | `operation`, `region`: requests made, all attempts |
/// | `kms_signer_throttled_total` | counter | `operation`, `region`: requests that KMS throttled |
/// | `kms_signer_call_seconds` | histogram | `operation`, `region`: what the caller waited |
/// | `kms_signer_queue_wait_seconds` | histogram | `operation`, `region`: what of that was this client's own queue |
/// | `kms_signer_credentials_total` | counter | `outcome`: times credentials were loaded |
/// | `kms_signer_guard_total` | counter | `asked`: `transaction` and so on, `stage`: `denied`, `allowed`, `signed`, `failed` or `unrecorded` |
/// | `kms_signer_region_up` | gauge | `region`: 0 while it is left for having failed, 1 once it answers again |
///
/// No label holds a key, so that many keys make no more series.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricsObserver;

impl Observer for MetricsObserver {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Call(call) => record(call),
            Event::Region(RegionEvent { region, left_for }) => {
                let up = if left_for.is_none() { 1.0 } else { 0.0 };
                gauge!("kms_signer_region_up", "region" => label(*region)).set(up);
            }
            #[cfg(feature = "guard")]
            Event::Guard(event) => {
                counter!("kms_signer_guard_total", "asked" => event.asked, "stage" => event.stage.as_label())
                    .increment(1);
            }
            Event::Credentials(event) => {
                counter!("kms_signer_credentials_total", "outcome" => event.outcome.as_label()).increment(1);
            }
        }
    }
}

fn record(call: &CallEvent<'_>) {
    let labels = [("operation", call.operation.to_string()), ("region", label(call.region))];
    let outcome = call.outcome.as_label();
    counter!("kms_signer_calls_total", "operation" => call.operation.to_string(), "region" => label(call.region), "outcome" => outcome)
        .increment(1);
    counter!("kms_signer_requests_total", &labels).increment(call.attempts.into());
    counter!("kms_signer_throttled_total", &labels).increment(call.throttled.into());
    histogram!("kms_signer_call_seconds", &labels).record(call.latency);
    histogram!("kms_signer_queue_wait_seconds", &labels).record(call.queue_wait);
}

fn label(region: Option<&str>) -> String {
    region.unwrap_or("unknown").to_owned()
}
