//! FakeKms answers any sequence of requests with what the KMS protocol has: a JSON object or nothing, or a refusal with
//! a code and a message. It logs each of them.
//!
//! Input: requests, separated by a zero byte. The first line of one is `<method> <X-Amz-Target> [<X-Amz-Date>
//! [<Content-Type>]]`, the rest is its body, in which `$KEY` is the id of the newest key. The clock starts at `NOW`.

#![no_main]

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response};
use kms_signer::{KeyArn, alloy_primitives::B256, fake::FakeKms};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const AWS_JSON: &str = "application/x-amz-json-1.1";
/// 2026-07-14T10:15:00Z.
const NOW: i64 = 1_784_024_100;

fuzz_target!(|input: &[u8]| {
    let Some((kms, mut key)) = start() else { return };
    let mut bodies = Vec::new();
    for text in input.split(|&byte| byte == 0) {
        let Some(request) = request(text, &key) else { continue };
        bodies.push(String::from_utf8_lossy(request.body()).into_owned());
        let fields = check(&block_on(kms.handle(request)));
        if let Some(id) = fields.get("KeyMetadata").and_then(|metadata| metadata.get("KeyId")).and_then(Value::as_str) {
            id.clone_into(&mut key);
        }
    }
    let logged = kms.requests();
    assert_eq!(logged.len(), bodies.len());
    for (logged, sent) in logged.iter().zip(&bodies) {
        // A plaintext is the one thing that is left out.
        assert!(logged.body() == sent || (has_plaintext(sent) && !has_plaintext(logged.body())));
    }
});

fn has_plaintext(body: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(body).is_ok_and(|fields| fields.contains_key("Plaintext"))
}

/// A KMS with one key, which has an alias, and the id of the key.
fn start() -> Option<(FakeKms, String)> {
    let kms = FakeKms::new();
    let machine = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    kms.set_clock(NOW - machine);
    let key = kms.import_key(B256::repeat_byte(0x46)).ok()?;
    kms.alias("alias/fuzz", &key).ok()?;
    Some((kms, key.key_id().to_string()))
}

/// Nothing where no HTTP server would have let it pass.
fn request(text: &[u8], key: &str) -> Option<Request<Bytes>> {
    let mut halves = text.splitn(2, |&byte| byte == b'\n');
    let mut words = halves.next()?.splitn(4, |&byte| byte == b' ');
    let mut request = Request::builder().uri("/").method(words.next()?).header("x-amz-target", words.next()?);
    if let Some(date) = words.next().filter(|date| !date.is_empty()) {
        request = request.header("x-amz-date", date);
    }
    request = request.header("content-type", words.next().unwrap_or(AWS_JSON.as_bytes()));
    let body = halves.next().unwrap_or_default();
    let body = match str::from_utf8(body) {
        Ok(text) => text.replace("$KEY", key).into_bytes(),
        Err(_) => body.to_vec(),
    };
    request.body(body.into()).ok()
}

/// The fields of the answer.
fn check(response: &Response<Bytes>) -> Map<String, Value> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some(AWS_JSON));
    assert!(header("date").is_some_and(|date| date.starts_with("Tue, 14 Jul 2026 10:15:")));
    assert_eq!(header("x-amzn-requestid").map(str::len), Some(36));

    let body = response.body();
    let fields = serde_json::from_slice::<Map<String, Value>>(body);
    match response.status().as_u16() {
        200 => {
            assert!(body.is_empty() || fields.is_ok(), "{body:?}");
            if let Some(id) = fields.as_ref().ok().and_then(|fields| fields.get("KeyId")) {
                assert!(id.as_str().is_some_and(|id| id.parse::<KeyArn>().is_ok()), "{body:?}");
            }
        }
        400 | 404 => {
            let is_text = |name| fields.as_ref().is_ok_and(|fields| fields.get(name).is_some_and(Value::is_string));
            assert!(is_text("__type") && is_text("message"), "{body:?}");
        }
        status => assert_eq!(status, 200, "{body:?}"),
    }
    fields.unwrap_or_default()
}
