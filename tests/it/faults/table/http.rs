//! Responses of what is not KMS: load balancers, proxies, portals, other services.

use kms_signer::{ErrorKind::*, fake::Fault};

use super::{Row, both, discarded, lost, not_now};

const JSON: &str = "application/x-amz-json-1.1";
const PAGE: &str = "<!DOCTYPE html><html><body>Please log in</body></html>";
/// As S3 answers.
const S3: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"#;
/// As STS answers.
const STS: &str = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>sorry</Message></Error>
<RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>"#;

pub(super) fn rows() -> Vec<Row> {
    let json = |body: &str| Fault::response(200, JSON, body);
    vec![
        both("HTTP 429", Fault::status(429), not_now(Throttled)),
        both("HTTP 500", Fault::status(500), lost(Unavailable)),
        both("HTTP 502", Fault::status(502), lost(Unavailable)),
        both("HTTP 503", Fault::status(503), lost(Unavailable)),
        both("HTTP 504", Fault::status(504), lost(Unavailable)),
        both("HTTP 307", Fault::status(307), discarded(InvalidResponse)),
        both("HTTP 403", Fault::status(403), discarded(InvalidResponse)),
        both("HTTP 404", Fault::status(404), discarded(InvalidResponse)),
        both("HTTP 407", Fault::status(407), discarded(InvalidResponse)),
        both(
            "HTTP 403, an error of S3 in XML",
            Fault::response(403, "application/xml", S3),
            discarded(InvalidResponse),
        ),
        both("HTTP 500, an error of STS in XML", Fault::response(500, "text/xml", STS), lost(Unavailable)),
        both("HTTP 400, an empty body", Fault::response(400, JSON, ""), discarded(InvalidResponse)),
        both(
            "HTTP 400, JSON whose code is a number",
            Fault::response(400, JSON, r#"{"__type":5}"#),
            discarded(InvalidResponse),
        ),
        both("HTTP 503, an empty body", Fault::response(503, "text/plain", ""), lost(Unavailable)),
        both("HTTP 204", Fault::response(204, JSON, ""), discarded(InvalidResponse)),
        both("HTTP 200, a page in HTML", Fault::response(200, "text/html", PAGE), discarded(InvalidResponse)),
        both(
            "HTTP 200, an error of S3 in XML",
            Fault::response(200, "application/xml", S3),
            discarded(InvalidResponse),
        ),
        both("an empty body", Fault::empty_body(), discarded(InvalidResponse)),
        both("garbage", Fault::garbage_body(), discarded(InvalidResponse)),
        both("half of the JSON", Fault::truncated_body(), discarded(InvalidResponse)),
        both("an empty JSON object", json("{}"), discarded(InvalidResponse)),
        both("a JSON array", json("[]"), discarded(InvalidResponse)),
        both("a JSON text", json(r#""KeyId""#), discarded(InvalidResponse)),
        both("JSON null", json("null"), discarded(InvalidResponse)),
        both("a number for `KeyId`", json(r#"{"KeyId":5}"#), discarded(InvalidResponse)),
        both("an object for `KeyId`", json(r#"{"KeyId":{"Arn":"x"}}"#), discarded(InvalidResponse)),
        both("JSON nested 100,000 deep", json(&"[".repeat(100_000)), discarded(InvalidResponse)),
    ]
}
