//! Who is let in, and what is told to whom.

use serde_json::{Value, json};

use crate::{
    node::Node,
    support::{Running, Setup},
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_accounts"}"#;

async fn status(server: &Running, authorization: Option<&str>) -> u16 {
    let mut request = server.http.post(&server.url).header("content-type", "application/json").body(CALL);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn without_the_right_token_there_is_nothing() {
    let server = Setup::default().start().await;
    for (value, expected) in [
        (None, 401),
        (Some("Bearer token-a"), 200),
        (Some("Bearer token-b"), 200),
        (Some("Bearer token-c"), 401),
        (Some("Bearer "), 401),
        (Some("token-a"), 401),
        // a:token-a, a:token-c
        (Some("Basic YTp0b2tlbi1h"), 200),
        (Some("Basic YTp0b2tlbi1j"), 401),
    ] {
        assert_eq!(status(&server, value).await, expected, "{value:?}");
    }
    let answer =
        server.http.post(&server.url).header("content-type", "application/json").body(CALL).send().await.unwrap();
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((&body["id"], &body["error"]["code"]), (&Value::Null, &json!(4100)));
}

#[tokio::test]
async fn another_callers_key_is_none_of_ones_own() {
    let server = Setup::default().start().await;
    let foreign = server.accounts[2];
    let (code, text, _) = server.a("personal_sign", json!(["0x68656c6c6f", foreign])).await.unwrap_err();
    assert!(code == 4100 && text.contains("none of this caller's accounts"), "{text}");
    // Two accounts, and none named.
    assert_eq!(server.code("eth_signTransaction", json!([{ "to": foreign }])).await, -32602);
    assert!(server.call("token-b", "personal_sign", json!(["0x68656c6c6f", foreign])).await.is_ok());
    assert_eq!(server.signatures(), 1);
}

#[tokio::test]
async fn only_json_is_posted_and_only_to_the_root() {
    let server = Setup::default().start().await;
    let post = |kind: &'static str| {
        server.http.post(&server.url).bearer_auth("token-a").header("content-type", kind).body(CALL)
    };
    for (kind, expected) in [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json-seq", 415),
    ] {
        assert_eq!(post(kind).send().await.unwrap().status(), expected, "{kind}");
    }
    let bare = server.http.post(&server.url).bearer_auth("token-a").body(CALL).send().await.unwrap();
    assert_eq!(bare.status(), 415);
    assert_eq!(server.http.get(&server.url).send().await.unwrap().status(), 405);
    assert_eq!(server.http.post(format!("{}/other", server.url)).send().await.unwrap().status(), 404);
}

/// A page of another site reaches loopback through a browser. It has no token, so it must not need none.
#[tokio::test]
async fn without_tokens_there_are_no_browsers() {
    let server = Setup { anonymous: true, ..Setup::default() }.start().await;
    assert_eq!(status(&server, None).await, 200);
    let page = server
        .http
        .post(&server.url)
        .header("content-type", "application/json")
        .header("origin", "http://evil.example");
    assert_eq!(page.body(CALL).send().await.unwrap().status(), 403);
    // A name of somebody's that leads to this machine is how a page would get around that.
    for (host, expected) in
        [("evil.example", 403), ("localhost", 200), ("127.0.0.1:8550", 200), ("evil.example:80", 403)]
    {
        let rebound = server.http.post(&server.url).header("content-type", "application/json").header("host", host);
        assert_eq!(rebound.body(CALL).send().await.unwrap().status(), expected, "{host}");
    }
    // Nor does a browser's memory of a password help a page; a program's Bearer token does no harm.
    let from_page = |value: &'static str| {
        let post = server.http.post(&server.url).header("content-type", "application/json");
        post.header("origin", "http://evil.example").header("authorization", value).body(CALL).send()
    };
    assert_eq!(from_page("Basic YTp0b2tlbi1h").await.unwrap().status(), 403);
    assert_eq!(from_page("Bearer token-a").await.unwrap().status(), 200);
    // A wrong token is not mended by the right to have none.
    assert_eq!(status(&server, Some("Bearer token-c")).await, 401);
}

#[tokio::test]
async fn health_needs_no_token() {
    let node = Node::start().await;
    let server = Setup { upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    let get = async |path: &str| {
        let answer = server.http.get(format!("{}{path}", server.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    let before = server.fake.requests().len();
    let (status, text) = get("/readyz").await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &report["ready"]), (200, &json!(true)), "{text}");
    let checks = json!({ "key 0": "ok", "key 1": "ok", "key 2": "ok", "upstream": "ok" });
    assert_eq!(report["checks"], checks);
    // Two requests a key, however many ask.
    futures_util::future::join_all((0..20).map(|_| get("/readyz"))).await;
    assert_eq!(server.fake.requests().len(), before + 6);
    // No recorder in this process.
    assert_eq!(get("/metrics").await.0, 404);
}

#[tokio::test]
async fn a_key_or_node_that_fails_is_not_ready() {
    let node = Node::start().await;
    let server = Setup { upstream: Some(node.url.clone()), ..Setup::default() }.start().await;
    server.fake.inject(kms_signer::fake::Fault::error("AccessDeniedException", 400, "arn:aws:iam::1:x").on("Sign"));
    node.end().await;
    let answer = server.http.get(format!("{}/readyz", server.url)).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let text = answer.text().await.unwrap();
    assert!(text.contains("access denied") && text.contains("the node does not answer as it should"), "{text}");
    assert!(!text.contains("arn:") && !text.contains("api-key"), "{text}");
}

#[test]
fn no_debug_shows_a_tokens_hash() {
    let token = remote_signer::new_token().unwrap();
    let hash = remote_signer::Fingerprint::of(token.as_bytes());
    let caller = remote_signer::Caller::new("a", Vec::new()).with_token(Some(hash));
    let callers = remote_signer::Callers::new(vec![caller]).unwrap();
    let text = format!("{:?}", remote_signer::Service::new(Vec::new(), callers));
    assert!(!text.contains(&hash.to_string()), "{text}");
}
