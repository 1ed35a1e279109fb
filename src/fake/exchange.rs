//! One HTTP request and its response.

use core::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http::{
    Method, Request as HttpRequest, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::{
    FakeKms,
    answer::{self, AWS_JSON},
    clock,
    fault::Spoilt,
    input::Input,
    key::merge,
    operation::{self, Call},
    refusal::Refusal,
    request::Request,
};

/// More than any request that KMS takes, of which a key policy is the largest part.
const MAX_BODY: usize = 256 * 1024;
/// What `Fault::garbage_body` sends.
const GARBAGE: &[u8] = b"\x00\xff\xfe\x80garbage\xc3\x28";

/// A response, and how long it takes to come.
pub(super) struct Reply {
    pub(super) response: Response<Bytes>,
    pub(super) latency: Duration,
}

/// The operation that a request names, or an empty text.
pub(super) fn operation(request: &HttpRequest<Bytes>) -> &str {
    header(request, "x-amz-target").and_then(|target| target.strip_prefix("TrentService.")).unwrap_or_default()
}

/// The access key id and the Region that a request is signed for (its credential scope).
pub(super) fn scope(request: &HttpRequest<Bytes>) -> Option<(&str, &str)> {
    let (_, credential) = header(request, AUTHORIZATION.as_str())?.split_once("Credential=")?;
    let mut parts = credential.split([',', ' ']).next()?.split('/');
    let (id, _date, region) = (parts.next()?, parts.next()?, parts.next()?);
    Some((id, region))
}

/// Logs the request, carries it out and answers it.
pub(super) fn respond(kms: &FakeKms, request: &HttpRequest<Bytes>, spoilt: Option<Spoilt>) -> Reply {
    let now = kms.0.clock.now();
    let late = if let Some(Spoilt::Late(latency)) = spoilt { latency } else { Duration::ZERO };
    let latency = late.saturating_add(Duration::from_micros(kms.0.latency.load(Ordering::Relaxed)));
    if request.body().len() > MAX_BODY {
        let message = format!("The body has more than {MAX_BODY} bytes.");
        let refusal = Refusal { status: 413, ..Refusal::new("RequestEntityTooLargeException", message) };
        return Reply { response: answer::refusal(&refusal, now), latency };
    }
    kms.0.log.push(Request::new(operation(request), request.body()));

    let response = match spoilt {
        Some(Spoilt::Error(refusal)) => answer::refusal(&refusal, now),
        Some(Spoilt::Status(status)) => answer::html(status, now),
        Some(Spoilt::Response { status, content_type, body }) => answer::verbatim(status, &content_type, body, now),
        spoilt => match carry_out(kms, request, now, spoilt.as_ref()) {
            Ok(fields) => answer::success(spoil(fields, spoilt), now),
            Err(refusal) => answer::refusal(&refusal, now),
        },
    };
    Reply { response, latency }
}

fn carry_out(kms: &FakeKms, request: &HttpRequest<Bytes>, now: i64, spoilt: Option<&Spoilt>) -> Result<Value, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal { status: 404, ..Refusal::new("UnknownOperationException", "The KMS API is POST only.") });
    }
    if header(request, CONTENT_TYPE.as_str()) != Some(AWS_JSON) {
        let message = format!("The Content-Type is not {AWS_JSON}.");
        return Err(Refusal { status: 404, ..Refusal::new("UnknownOperationException", message) });
    }
    if let Some(signed) = header(request, "x-amz-date") {
        clock::check(signed, now)?;
    }
    let (operation, input) = (operation(request), Input::parse(request.body())?);
    let caller = scope(request).and_then(|(id, _)| kms.1.with(|members| members.access.caller(id)));
    let call = Call { kms, store: &kms.0.store, caller, operation, input, now, spoilt };
    let answer = operation::carry_out(&call)?;
    operation::hide(&call, &answer);
    Ok(answer)
}

fn spoil(mut fields: Value, spoilt: Option<Spoilt>) -> Bytes {
    match spoilt {
        Some(Spoilt::Garbage) => return Bytes::from_static(GARBAGE),
        Some(Spoilt::Empty) => return Bytes::new(),
        Some(Spoilt::Truncated) => {
            let mut body = answer::body(&fields);
            body.truncate(body.len() / 2);
            return body;
        }
        Some(Spoilt::Without(name)) => {
            if let Some(fields) = fields.as_object_mut() {
                fields.remove(&name);
            }
        }
        Some(Spoilt::With { name, value }) => merge(&mut fields, json!({ name: value })),
        // Done elsewhere: in time, in place of the answer, or in the operation.
        Some(
            Spoilt::Late(_)
            | Spoilt::Error(_)
            | Spoilt::Status(_)
            | Spoilt::Response { .. }
            | Spoilt::Signature(_)
            | Spoilt::Unseen(_)
            | Spoilt::Creating(_)
            | Spoilt::Short(_),
        )
        | None => {}
    }
    answer::body(&fields)
}

fn header<'a>(request: &'a HttpRequest<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
