//! Events as events of `tracing`. No spans: around the SDK's futures they once overflowed the compiler's query depth.

use tracing::{debug, info, warn};

use super::{CallEvent, CredentialsEvent, Event, Observer, Outcome, RegionEvent};

/// Logs KMS calls and the loading of credentials as [`tracing`] events of the target `kms_signer`: successes at `DEBUG`, failures
/// and a Region that is left at `WARN`, its return at `INFO`. A guard's denials and failures are `WARN`, the rest of it `DEBUG`.
///
/// Times are in milliseconds. No credential, digest or signature is in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Call(call) => log(call),
            Event::Region(RegionEvent { region, left_for: Some(left_for) }) => {
                warn!(target: "kms_signer", region, left_for_ms = millis(*left_for), "Region left");
            }
            Event::Region(RegionEvent { region, left_for: None }) => {
                info!(target: "kms_signer", region, "Region answers again");
            }
            Event::Credentials(event) => log_credentials(event),
            #[cfg(feature = "guard")]
            Event::Guard(event) => log_guard(event),
        }
    }
}

fn log(call: &CallEvent<'_>) {
    macro_rules! event {
        ($level:ident) => {
            $level!(
                target: "kms_signer",
                operation = %call.operation,
                key = call.key,
                region = call.region,
                attempts = call.attempts,
                throttled = call.throttled,
                queue_wait_ms = millis(call.queue_wait),
                latency_ms = millis(call.latency),
                request_id = call.request_id,
                outcome = %call.outcome,
                "KMS call"
            )
        };
    }
    match call.outcome {
        Outcome::Success | Outcome::Cancelled => event!(debug),
        Outcome::Failure(_) => event!(warn),
    }
}

fn log_credentials(event: &CredentialsEvent) {
    let (latency_ms, outcome) = (millis(event.latency), event.outcome);
    let expires_in_s =
        event.expires.and_then(|at| at.duration_since(std::time::SystemTime::now()).ok()).map(|left| left.as_secs());
    match outcome {
        Outcome::Failure(_) => warn!(target: "kms_signer", latency_ms, %outcome, "credentials"),
        _ => debug!(target: "kms_signer", latency_ms, expires_in_s, %outcome, "credentials"),
    }
}

#[cfg(feature = "guard")]
fn log_guard(event: &super::GuardEvent<'_>) {
    macro_rules! event {
        ($level:ident) => {
            $level!(
                target: "kms_signer",
                stage = %event.stage,
                id = format_args!("{:016x}", event.id),
                caller = event.caller,
                signer = %event.signer,
                key = event.key,
                asked = event.asked,
                rule = event.rule,
                reason = event.reason,
                request_id = event.request_id,
                latency_ms = millis(event.latency),
                "guard"
            )
        };
    }
    match event.stage {
        super::Stage::Allowed | super::Stage::Signed => event!(debug),
        super::Stage::Denied | super::Stage::Failed | super::Stage::Unrecorded => event!(warn),
    }
}

fn millis(duration: core::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
