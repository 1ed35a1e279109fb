//! The clock of a FakeKms, and what it says to requests that were signed by another.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_sdk_kms::primitives::{DateTime, DateTimeFormat};

use super::refusal::Refusal;

/// How far AWS lets the time in a request's signature be off, in seconds.
const TOLERANCE: i64 = 5 * 60;

/// The machine's clock plus an offset in seconds.
#[derive(Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    pub(super) fn set(&self, offset: i64) {
        self.0.store(offset, Ordering::Relaxed);
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        let machine = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(_) => 0,
        };
        machine.saturating_add(self.0.load(Ordering::Relaxed))
    }
}

/// The time as a `Date` header has it (RFC 9110, section 5.6.7), or nothing outside the years 1 to 9999.
pub(super) fn http_date(now: i64) -> Option<String> {
    DateTime::from_secs(now).fmt(DateTimeFormat::HttpDate).ok()
}

/// Checks the `X-Amz-Date` of a request, for instance `20260714T101500Z`.
pub(super) fn check(signed: &str, now: i64) -> Result<(), Refusal> {
    let signed_at = parse_basic(signed).ok_or_else(|| {
        Refusal::new(
            "IncompleteSignatureException",
            format!(
                "Date must be in ISO-8601 'basic format'. Got '{signed}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ),
        )
    })?;
    let earliest = now.saturating_sub(TOLERANCE);
    let latest = now.saturating_add(TOLERANCE);
    let message = if signed_at < earliest {
        format!(
            "Signature expired: {signed} is now earlier than {} ({} - 5 min.)",
            format_basic(earliest),
            format_basic(now)
        )
    } else if signed_at > latest {
        format!(
            "Signature not yet current: {signed} is still later than {} ({} + 5 min.)",
            format_basic(latest),
            format_basic(now)
        )
    } else {
        return Ok(());
    };
    Err(Refusal::new("InvalidSignatureException", message))
}

fn parse_basic(text: &str) -> Option<i64> {
    if text.len() != 16 {
        return None;
    }
    let part = |range| text.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    let (t, z) = (part(8..9)?, part(15..16)?);
    let extended = format!("{year}-{month}-{day}{t}{hour}:{minute}:{second}{z}");
    DateTime::from_str(&extended, DateTimeFormat::DateTime).ok().map(|time| time.secs())
}

fn format_basic(seconds: i64) -> String {
    match DateTime::from_secs(seconds).fmt(DateTimeFormat::DateTime) {
        Ok(extended) => extended.replace(['-', ':'], ""),
        Err(_) => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_basic_format() {
        assert_eq!(parse_basic("20260714T101500Z"), Some(1_784_024_100));
        assert_eq!(format_basic(1_784_024_100), "20260714T101500Z");
        assert_eq!(http_date(1_784_024_100).as_deref(), Some("Tue, 14 Jul 2026 10:15:00 GMT"));
        for wrong in ["", "2026-07-14T10:15Z", "20260714T101500+", "20261314T101500Z", "2026071éT101500Z"] {
            assert_eq!(parse_basic(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn allows_five_minutes() {
        let now = 1_784_024_100;
        for (signed, message) in [
            ("20260714T101000Z", None),
            ("20260714T102000Z", None),
            (
                "20260714T100959Z",
                Some(
                    "Signature expired: 20260714T100959Z is now earlier than 20260714T101000Z (20260714T101500Z - 5 min.)",
                ),
            ),
            (
                "20260714T102001Z",
                Some(
                    "Signature not yet current: 20260714T102001Z is still later than 20260714T102000Z (20260714T101500Z + 5 min.)",
                ),
            ),
        ] {
            assert_eq!(check(signed, now).err().map(|refusal| refusal.message).as_deref(), message);
        }
    }
}
