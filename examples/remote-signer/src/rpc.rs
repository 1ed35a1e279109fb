//! The envelope of JSON-RPC 2.0: requests, batches, notifications and their answers.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::error::{INVALID_REQUEST, PARSE_ERROR, RpcError};

/// The result of a method, as JSON.
pub(crate) type Answer = Result<Box<RawValue>, RpcError>;

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Single(&'a RawValue),
    Batch(Vec<&'a RawValue>),
}

/// One call. Without an id it is a notification, which gets no answer.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) method: String,
    pub(crate) params: Option<&'a RawValue>,
}

/// A call that is none, and its id where it has one.
#[derive(Debug)]
pub(crate) struct NoCall<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) error: RpcError,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    jsonrpc: String,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: String,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct IdOnly<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

/// An id that is null is an id; serde takes it for none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a body. An empty batch, or one of more calls than `most`, is an error.
pub(crate) fn parse(body: &[u8], most: usize) -> Result<Body<'_>, RpcError> {
    let no_json = |error: serde_json::Error| {
        // Without serde's text, which repeats what was sent.
        RpcError::new(PARSE_ERROR, format!("line {}, column {}: this is no JSON", error.line(), error.column()))
    };
    if body.trim_ascii_start().first() != Some(&b'[') {
        return serde_json::from_slice(body).map(Body::Single).map_err(no_json);
    }
    let calls: Vec<&RawValue> = serde_json::from_slice(body).map_err(no_json)?;
    match calls.len() {
        0 => Err(RpcError::new(INVALID_REQUEST, "the batch is empty")),
        length if length > most => {
            Err(RpcError::new(INVALID_REQUEST, format!("the batch has {length} calls; {most} is the most")))
        }
        _ => Ok(Body::Batch(calls)),
    }
}

/// Reads one call.
pub(crate) fn parse_call(raw: &RawValue) -> Result<Call<'_>, NoCall<'_>> {
    let no_call = |message: &str| NoCall {
        id: serde_json::from_str(raw.get()).ok().and_then(|IdOnly { id }| id).filter(|id| is_id(id)),
        error: RpcError::new(INVALID_REQUEST, message),
    };
    // Serde reads a struct from an array, too.
    if !raw.get().starts_with('{') {
        return Err(no_call("a request is a JSON object"));
    }
    let Ok(Envelope { jsonrpc, id, method, params }) = serde_json::from_str(raw.get()) else {
        return Err(no_call("a request has the members jsonrpc, method, params and id, each once"));
    };
    if jsonrpc != "2.0" {
        return Err(no_call("jsonrpc must be \"2.0\""));
    }
    if !id.is_none_or(is_id) {
        return Err(no_call("the id must be a string, a number or null"));
    }
    Ok(Call { id, method, params })
}

fn is_id(id: &RawValue) -> bool {
    !id.get().starts_with(['{', '[', 't', 'f'])
}

/// An answer as it is sent. Without an id it says null, as JSON-RPC has it for what was no request.
pub(crate) fn response(id: Option<&RawValue>, answer: &Answer) -> Vec<u8> {
    let (result, error) = match answer {
        Ok(result) => (Some(&**result), None),
        Err(error) => (None, Some(error)),
    };
    serde_json::to_vec(&Response { jsonrpc: "2.0", id, result, error }).unwrap_or_default()
}

/// A value as a method's result.
pub(crate) fn result(value: &impl Serialize) -> Answer {
    serde_json::value::to_raw_value(value)
        .map_err(|error| RpcError::new(crate::error::INTERNAL_ERROR, format!("the answer is no JSON: {error}")))
}

/// A method's positional parameters.
#[derive(Debug)]
pub(crate) struct Params<'a>(Vec<&'a RawValue>);

impl<'a> Params<'a> {
    /// At most `most` of them. None at all is an empty list.
    pub(crate) fn parse(raw: Option<&'a RawValue>, most: usize) -> Result<Self, RpcError> {
        let Some(raw) = raw else { return Ok(Self(Vec::new())) };
        let list: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| RpcError::invalid_params("params must be an array"))?;
        if list.len() > most {
            return Err(RpcError::invalid_params(format!("there are {} params; {most} is the most", list.len())));
        }
        Ok(Self(list))
    }

    /// The parameter at a place. The error repeats nothing of it: it may be a secret sent by mistake.
    pub(crate) fn get<T: DeserializeOwned>(&self, place: usize, what: &str) -> Result<T, RpcError> {
        let wrong = || RpcError::invalid_params(format!("params[{place}] must be {what}"));
        self.0.get(place).and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or_else(wrong)
    }

    pub(crate) fn raw(&self, place: usize, what: &str) -> Result<&'a RawValue, RpcError> {
        let missing = || RpcError::invalid_params(format!("params[{place}] must be {what}"));
        self.0.get(place).copied().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Result<(Option<String>, String), (Option<String>, i64)> {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let text = |id: Option<&RawValue>| id.map(|id| id.get().to_owned());
        match parse_call(raw) {
            Ok(call) => Ok((text(call.id), call.method)),
            Err(no_call) => Err((text(no_call.id), no_call.error.code)),
        }
    }

    #[test]
    fn an_id_of_null_is_an_id_and_none_is_a_notification() {
        let id = |text: &str| call(text).unwrap().0;
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"m"}"#), None);
        for given in ["null", "1", "-1.5e300", r#""a\u0020b""#] {
            assert_eq!(id(&format!(r#"{{"jsonrpc":"2.0","method":"m","id":{given}}}"#)).unwrap(), given);
        }
    }

    #[test]
    fn what_is_no_request_is_told_with_its_id() {
        for (text, id) in [
            (r#"{"jsonrpc":"2.0","id":1}"#, Some("1")),
            (r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, Some("1")),
            (r#"{"method":"m","id":"x"}"#, Some("\"x\"")),
            (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"m"}"#, None),
            (r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, None),
            (r#"["2.0", 1, "m", []]"#, None),
            ("1", None),
            ("null", None),
        ] {
            assert_eq!(call(text).unwrap_err(), (id.map(str::to_owned), INVALID_REQUEST), "{text}");
        }
    }

    #[test]
    fn a_batch_has_bounds() {
        assert!(matches!(parse(b" [1,2]", 2), Ok(Body::Batch(calls)) if calls.len() == 2));
        assert_eq!(parse(b"[]", 2).unwrap_err().code, INVALID_REQUEST);
        assert_eq!(parse(b"[1,2,3]", 2).unwrap_err().code, INVALID_REQUEST);
        for text in ["", "[", "{", "[1,]", "{} {}", "nul", "\u{feff}{}"] {
            assert_eq!(parse(text.as_bytes(), 2).unwrap_err().code, PARSE_ERROR, "{text}");
        }
        assert_eq!(parse(&[0xff], 2).unwrap_err().code, PARSE_ERROR);
        // Deeper than any stack.
        assert!(parse("[".repeat(100_000).as_bytes(), 2).is_err());
        assert!(parse(("[".repeat(100_000) + &"]".repeat(100_000)).as_bytes(), 2).is_ok());
    }

    #[test]
    fn an_answer_has_a_result_or_an_error() {
        let id: &RawValue = serde_json::from_str("7").unwrap();
        let text = |id, answer: &Answer| String::from_utf8(response(id, answer)).unwrap();
        assert_eq!(text(Some(id), &result(&"0x1")), r#"{"jsonrpc":"2.0","id":7,"result":"0x1"}"#);
        assert_eq!(text(Some(id), &result(&())), r#"{"jsonrpc":"2.0","id":7,"result":null}"#);
        assert_eq!(
            text(None, &Err(RpcError::new(-1, "m"))),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}"#
        );
    }
}
