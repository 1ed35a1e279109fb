//! Connections that break, stay silent or never end. All but FakeKms's own are real sockets.

use std::time::Duration;

use kms_signer::{ErrorKind::*, fake::Fault};

use super::{super::wire::Wire, Expected::Accepted, Make, Row, both, discarded, lost, not_now};

pub(super) fn rows() -> Vec<Row> {
    vec![
        both("the connection is refused", Make::Refused, not_now(Transport)),
        both("it is closed before anything is read", Wire::ClosedAtOnce, lost(Transport)),
        both("it is reset before the request is read", Wire::ResetUnread, lost(Transport)),
        both("it is closed after the request was read", Wire::ClosedRead, lost(Transport)),
        both("it is reset after the request was read", Wire::ResetRead, lost(Transport)),
        both("it is reset within the answer", Wire::ResetInBody, lost(Transport)),
        both("nothing comes back", Wire::Silent, lost(Timeout)),
        both("the answer is slow, and in time", Fault::latency(Duration::from_millis(300)), Accepted),
        both("the answer comes too late", Fault::latency(Duration::from_secs(60)), lost(Timeout)),
        both("the headers come a byte every 50 ms", Wire::HeadersDripping, lost(Timeout)),
        both("the body comes a byte every 50 ms", Wire::BodyDripping, lost(Timeout)),
        both("what comes back is not HTTP", Wire::NotHttp, lost(Transport)),
        both("the body is shorter than its content length", Wire::LengthTooLong, lost(Transport)),
        both("the body is longer than its content length", Wire::LengthTooShort, discarded(InvalidResponse)),
        both("a chunked body is cut off", Wire::ChunksCutOff, lost(Transport)),
        both("a chunked body ends half-way", Wire::ChunksEndedEarly, discarded(InvalidResponse)),
        both("the body never ends", Wire::Endless, discarded(InvalidResponse)),
        both("the body has 100 MB", Wire::Huge, discarded(InvalidResponse)),
    ]
}
