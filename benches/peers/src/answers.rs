//! What the KMS of these measurements answers, made beforehand by FakeKms, so that answering costs next to nothing.

use std::collections::HashMap;

use alloy_primitives::{B256, keccak256};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use kms_signer::{KeyArn, KmsSigner, PublicKey, fake::FakeKms, signature};
use serde_json::Value;

use crate::Outcome;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const TARGET: &str = "x-amz-target";
const GET_PUBLIC_KEY: &str = "TrentService.GetPublicKey";
pub(crate) const SIGN: &str = "TrentService.Sign";
/// What precedes the digest in the body of a `Sign` request.
const MESSAGE: &str = "\"Message\":\"";

pub(crate) struct Answers {
    pub(crate) key: KeyArn,
    pub(crate) public_key: PublicKey,
    pub(crate) signed: Vec<Signed>,
    get_public_key: Bytes,
    /// By the digest as the request has it, in Base64.
    sign: HashMap<String, Bytes>,
}

/// A digest and the DER signature that is answered: high S about half the time, as KMS does.
pub(crate) struct Signed {
    pub(crate) digest: B256,
    pub(crate) der: Vec<u8>,
}

impl Answers {
    /// Answers for this many digests. The key and the signatures are others in each run, but every second signature has an
    /// odd y-parity, which costs who tries both parities twice as much.
    pub(crate) async fn make(digests: u64) -> Outcome<Self> {
        let fake = FakeKms::new();
        let key = fake.create_key()?;
        let public_key = KmsSigner::new(fake.client(), &key, None).await?.public_key().clone();
        let get_public_key = ask(&fake, "GetPublicKey", format!(r#"{{"KeyId":"{key}"}}"#)).await?;
        let mut signed = Vec::new();
        let mut sign = HashMap::new();
        for number in 0..digests {
            let digest = digest_of(number);
            let message = STANDARD.encode(digest);
            let body = format!(
                r#"{{"KeyId":"{key}","Message":"{message}","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256"}}"#
            );
            let is_odd = !number.is_multiple_of(2);
            let (answer, der) = loop {
                let answer = ask(&fake, "Sign", body.clone()).await?;
                let der = signature_in(&answer)?;
                if signature::recover(&der, &digest, &public_key)?.v() == is_odd {
                    break (answer, der);
                }
            };
            signed.push(Signed { digest, der });
            sign.insert(message, answer);
        }
        Ok(Self { key, public_key, signed, get_public_key, sign })
    }

    pub(crate) fn digests(&self) -> Vec<B256> {
        self.signed.iter().map(|signed| signed.digest).collect()
    }

    /// The answer to a request with this `X-Amz-Target` and body. What is not known is refused.
    pub(crate) fn answer(&self, target: Option<&str>, body: &[u8]) -> Response<Bytes> {
        let known = match target {
            Some(GET_PUBLIC_KEY) => Some(&self.get_public_key),
            Some(SIGN) => message(body).and_then(|message| self.sign.get(message)),
            _ => None,
        };
        match known {
            Some(body) => json(body.clone()),
            None => refusal(Bytes::from_static(br#"{"__type":"ValidationException"}"#)),
        }
    }
}

/// The digests that are signed, by their number from 0.
pub(crate) fn digest_of(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// An error as AWS JSON 1.1 has it. The body has its `__type`.
pub(crate) fn refusal(body: Bytes) -> Response<Bytes> {
    let mut refusal = json(body);
    *refusal.status_mut() = http::StatusCode::BAD_REQUEST;
    refusal
}

fn json(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// The `X-Amz-Target` of a request: which operation it asks for.
pub(crate) fn target(headers: &http::HeaderMap) -> Option<&str> {
    headers.get(TARGET).and_then(|value| value.to_str().ok())
}

fn message(body: &[u8]) -> Option<&str> {
    let (_, rest) = str::from_utf8(body).ok()?.split_once(MESSAGE)?;
    rest.split_once('"').map(|(message, _)| message)
}

fn signature_in(answer: &[u8]) -> Outcome<Vec<u8>> {
    let fields: Value = serde_json::from_slice(answer)?;
    let der = fields.get("Signature").and_then(Value::as_str).ok_or("FakeKms answered without a signature")?;
    Ok(STANDARD.decode(der)?)
}

async fn ask(fake: &FakeKms, operation: &str, body: String) -> Outcome<Bytes> {
    let request = Request::post("/")
        .header(http::header::CONTENT_TYPE, CONTENT_TYPE)
        .header(TARGET, format!("TrentService.{operation}"))
        .body(Bytes::from(body))?;
    let response = fake.handle(request).await;
    if !response.status().is_success() {
        return Err(format!("FakeKms refused {operation}: {:?}", response.body()).into());
    }
    Ok(response.into_body())
}
