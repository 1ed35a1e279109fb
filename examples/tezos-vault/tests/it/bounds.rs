//! Size, time, browsers, and an end in order.

use std::time::Instant;

use kms_signer::{fake::Fault, keys::NewKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;

#[tokio::test]
async fn large_bodies_and_pages_are_refused() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    let path = format!("/keys/{}", kms.hash());
    let large = format!("\"{}\"", "03".repeat(70_000));
    assert!(message(&vault.post(&path, large).await, 413).contains("more than 65536 bytes"));
    let answer = vault
        .http
        .post(format!("{}{path}", vault.url))
        .header("origin", "https://example.org")
        .body(format!("\"{}\"", hex::encode(TRANSACTION)))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    vault.signs(TRANSACTION).await;
    vault.end().await;
}

#[tokio::test]
async fn slow_clients_do_not_stay() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    let address = vault.url.strip_prefix("http://").unwrap();
    let silent = ["", "POST /keys/", "POST / HTTP/1.1\r\nhost: x\r\n"].map(async |head| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await.expect("it is still there").unwrap();
    });
    futures_util::future::join_all(silent).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST /keys/{} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n\"03", kms.hash());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(Duration::from_secs(15), stream.read_exact(&mut answer)).await.expect("no answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    vault.end().await;
}

#[tokio::test]
async fn kms_errors_are_told_in_general() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    for (fault, status) in [
        (Fault::error("ThrottlingException", 400, "secret"), 503),
        (Fault::error("AccessDeniedException", 400, "secret"), 500),
        (Fault::error("DisabledException", 400, "secret"), 500),
        (Fault::disconnect(), 503),
        (Fault::flipped_bit(), 500),
    ] {
        kms.fake.inject(fault.on("Sign"));
        assert!(!vault.refuses(TRANSACTION, status).await.contains("secret"));
    }
    vault.end().await;
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_answered() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    kms.fake.inject(Fault::latency(Duration::from_secs(1)).on("Sign"));
    let begun = Instant::now();
    let (url, http) = (format!("{}/keys/{}", vault.url, kms.hash()), vault.http.clone());
    let asked = tokio::spawn(http.post(url).body(format!("\"{}\"", hex::encode(TRANSACTION))).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    vault.end().await;
    assert_eq!(asked.await.unwrap().unwrap().status().as_u16(), 200);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn there_are_only_so_many_connections() {
    let kms = Kms::new(NewKey::p256()).await;
    let vault = kms.start().await;
    let address = vault.url.strip_prefix("http://").unwrap();
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    // Closed at once, long before a silent one would be.
    let mut more = TcpStream::connect(address).await.unwrap();
    let closed = timeout(Duration::from_secs(3), more.read(&mut [0])).await.expect("it is let in");
    assert!(matches!(closed, Ok(0) | Err(_)));
    drop(held);
    tokio::time::sleep(Duration::from_millis(300)).await;
    vault.signs(TRANSACTION).await;
    vault.end().await;
}
