//! Bounds on what comes from outside.

use std::time::Duration;

use serde::Deserialize;

/// Bounds on what comes from outside.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most bytes of a request's body.
    pub body_bytes: usize,
    /// The most calls of a batch.
    pub batch: usize,
    /// How many requests may be under way.
    pub in_flight: usize,
    /// How many connections may be open.
    pub connections: usize,
    /// How long a request's head may take, and a connection be idle.
    pub head_seconds: f64,
    /// How long its body may take.
    pub read_seconds: f64,
    /// How long all of a request may take.
    pub request_seconds: f64,
    /// How long the node may take for an answer.
    pub upstream_seconds: f64,
    /// The most bytes of the node's answer, and of a batch's.
    pub upstream_bytes: usize,
    /// How long requests get to end after a signal.
    pub shutdown_seconds: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            batch: 100,
            in_flight: 256,
            connections: 1024,
            head_seconds: 30.0,
            read_seconds: 10.0,
            request_seconds: 30.0,
            upstream_seconds: 15.0,
            upstream_bytes: 16 << 20,
            shutdown_seconds: 40.0,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            ("body_bytes", self.body_bytes),
            ("batch", self.batch),
            ("in_flight", self.in_flight),
            ("connections", self.connections),
            ("upstream_bytes", self.upstream_bytes),
        ];
        for (name, count) in counts {
            if !(1..=1 << 30).contains(&count) {
                return Err(format!("limits.{name} must be 1 at least, and 1073741824 at most"));
            }
        }
        let times = [
            ("head_seconds", self.head_seconds),
            ("read_seconds", self.read_seconds),
            ("request_seconds", self.request_seconds),
            ("upstream_seconds", self.upstream_seconds),
            ("shutdown_seconds", self.shutdown_seconds),
        ];
        for (name, seconds) in times {
            if !(0.001..=86400.0).contains(&seconds) {
                return Err(format!("limits.{name} must be more than 0, and a day at most"));
            }
        }
        Ok(())
    }

    pub(crate) fn head(&self) -> Duration {
        seconds(self.head_seconds)
    }

    pub(crate) fn read(&self) -> Duration {
        seconds(self.read_seconds)
    }

    pub(crate) fn request(&self) -> Duration {
        seconds(self.request_seconds)
    }

    /// How long the node may take for an answer.
    pub fn upstream(&self) -> Duration {
        seconds(self.upstream_seconds)
    }

    pub(crate) fn shutdown(&self) -> Duration {
        seconds(self.shutdown_seconds)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
