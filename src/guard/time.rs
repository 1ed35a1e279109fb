//! Times as text.

use std::time::{Duration, SystemTime};

/// The last millisecond that has four digits for its year, after 1970.
const LAST: Duration = Duration::from_millis(253_402_300_799_999);

/// A time by RFC 3339, in UTC, with milliseconds. Of one that this cannot say, before 1970 or after 9999, the nearest that it can.
pub(in crate::guard) fn rfc3339(at: SystemTime) -> String {
    let first = SystemTime::UNIX_EPOCH;
    let at = at.clamp(first, first.checked_add(LAST).unwrap_or(first));
    humantime::format_rfc3339_millis(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_anywhere() {
        let epoch = SystemTime::UNIX_EPOCH;
        for (at, text) in [
            (epoch + Duration::from_millis(1_800_000_000_123), "2027-01-15T08:00:00.123Z"),
            (epoch, "1970-01-01T00:00:00.000Z"),
            (epoch - Duration::from_secs(1), "1970-01-01T00:00:00.000Z"),
            (epoch - Duration::from_secs(1 << 30), "1970-01-01T00:00:00.000Z"),
            (epoch + LAST, "9999-12-31T23:59:59.999Z"),
            (epoch + LAST + Duration::from_millis(1), "9999-12-31T23:59:59.999Z"),
            (epoch + 2 * LAST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(at), text);
        }
    }
}
