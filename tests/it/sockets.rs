//! What only real connections show: name resolution, TLS, proxies, silence, answers without end.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner, PublicKey,
    aws_sdk_kms::Client,
    fake::{FakeKms, Fault},
};

use crate::{assert_kind, fake_and_signer, ours};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/12345678-1234-1234-1234-123456789012";

/// A signer for a known key at this endpoint, so that the first request is a `Sign`. One attempt, two seconds.
async fn signer_at(endpoint: &str) -> KmsSigner {
    let client = KmsClient::builder()
        .for_key(KEY)
        .endpoint_url(endpoint)
        .static_credentials("AKIDEXAMPLE", "secret", Some("SESSIONTOKEN".to_owned()))
        .max_attempts(1)
        .operation_timeout(Duration::from_secs(2))
        .build()
        .await
        .unwrap();
    let generator = alloy_primitives::hex!("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    KmsSigner::builder(client, KEY).public_key(PublicKey::from_sec1(&generator).unwrap()).connect().await.unwrap()
}

/// Listens on loopback, hands each connection to `answer` after reading one request, and passes on what was read.
fn listen(answer: impl Fn(TcpStream) + Send + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 16 * 1024];
            let length = stream.read(&mut bytes).unwrap_or_default();
            let _ = seen.send(String::from_utf8_lossy(&bytes[..length]).into_owned());
            answer(stream);
        }
    });
    (address, requests)
}

/// Signs at this endpoint and checks the error: its kind, and whether anything may have been signed.
async fn expect(endpoint: &str, kind: ErrorKind, may_have_signed: bool) -> String {
    let error = signer_at(endpoint).await.sign_message(b"x").await.unwrap_err();
    let error = ours(&error);
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.may_have_signed(), may_have_signed, "{error}");
    error.to_string()
}

#[tokio::test]
async fn where_no_connection_comes_about_nothing_was_signed() {
    expect("http://127.0.0.1:1", ErrorKind::Transport, false).await;
    // A label of more than 63 characters is no name, which a resolver knows without asking.
    expect(&format!("http://{}.invalid", "k".repeat(64)), ErrorKind::Transport, false).await;
}

#[tokio::test]
async fn a_connection_that_ends_or_stays_silent_leaves_it_open() {
    let (closing, _requests) = listen(drop);
    expect(&format!("http://{closing}"), ErrorKind::Transport, true).await;
    let (silent, _requests) = listen(|stream| {
        std::thread::sleep(Duration::from_secs(4));
        drop(stream);
    });
    let text = expect(&format!("http://{silent}"), ErrorKind::Timeout, true).await;
    assert!(text.contains("no answer within 2.0s"), "{text}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let (endless, _requests) = listen(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    let text = expect(&format!("http://{endless}"), ErrorKind::InvalidResponse, true).await;
    assert!(text.contains("longer than"), "{text}");
}

#[tokio::test]
async fn an_answer_cut_off_is_a_broken_connection() {
    let (cutting, _requests) = listen(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"KeyId\":");
    });
    expect(&format!("http://{cutting}"), ErrorKind::Transport, true).await;
}

#[tokio::test]
async fn session_tokens_are_sent() {
    let (server, requests) = listen(drop);
    expect(&format!("http://{server}"), ErrorKind::Transport, true).await;
    let request = requests.recv().unwrap();
    assert!(request.contains("x-amz-security-token: SESSIONTOKEN"), "{request}");
    assert!(request.contains("x-amz-target: TrentService.Sign"), "{request}");
}

/// The environment is the process's, so this runs the test below in another one, with a proxy set.
#[test]
fn the_environments_proxy_is_used() {
    let (proxy, requests) = listen(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    });
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sockets::behind_a_proxy", "--ignored", "--nocapture"])
        .env("HTTP_PROXY", format!("http://{proxy}"))
        .env("http_proxy", format!("http://{proxy}"))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST http://kms.invalid/ "), "{request}");
}

#[tokio::test]
#[ignore = "run by the test above, with a proxy in its environment"]
async fn behind_a_proxy() {
    expect("http://kms.invalid", ErrorKind::Unavailable, true).await;
}

#[tokio::test]
async fn an_unusable_endpoint_is_named_and_shows_nothing_of_the_request() {
    for url in ["localhost:4566", "https://", "ftp://kms.invalid", ""] {
        let error = KmsClient::builder().region("us-east-1").endpoint_url(url).build().await.unwrap_err();
        assert_kind(&error, ErrorKind::Config);
    }
    // A caller's own client comes with whatever endpoint it has.
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let public_key = KmsSigner::new(fake.client(), &key, None).await.unwrap().public_key().clone();
    for url in ["localhost:4566", "not a url"] {
        let sdk = Client::from_conf(fake.client().config().to_builder().endpoint_url(url).build());
        let signer = KmsSigner::builder(sdk, &key).public_key(public_key.clone()).grant_token("GRANTTOKEN");
        let error = signer.connect().await.unwrap().sign_message(b"x").await.unwrap_err();
        assert_kind(&error, ErrorKind::Config);
        let mut shown = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            shown += &format!("{error} {error:?}");
            source = error.source();
        }
        assert!(!shown.contains("GRANTTOKEN") && !shown.contains("SdkBody"), "{shown}");
    }
}

#[tokio::test]
async fn control_characters_of_an_answer_do_not_reach_the_log() {
    let (fake, signer) = fake_and_signer().await;
    fake.inject(Fault::error("Odd\u{1b}[31mException\nx", 400, "first\nsecond\u{1b}[0m\r".repeat(500).as_str()));
    let error = signer.sign_message(b"x").await.unwrap_err();
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control) && text.len() < 2000, "{text:?}");
    assert!(!format!("{error:?}").chars().any(char::is_control));
}
