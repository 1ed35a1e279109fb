//! A client's life over real connections: runtimes that come and go, blocking callers, dropped calls, the end.

use std::{sync::Arc, time::Duration};

use alloy_signer::Signer;
use futures_util::future::join_all;
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner, Operation,
    fake::{FakeKms, Fault},
};
use tokio::runtime::{Builder, Runtime};

use crate::{assert_kind, fake_and_signer, serve};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A signer over HTTP, connected on `runtime`.
fn connect(runtime: &Runtime) -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let endpoint = format!("http://{}", serve(&fake));
    let signer = runtime.block_on(async {
        let client = KmsClient::builder()
            .for_key(&key)
            .endpoint_url(endpoint)
            .static_credentials("fake", "fake", None)
            .build()
            .await
            .unwrap();
        KmsSigner::new(client, key, None).await.unwrap()
    });
    (fake, signer)
}

fn sign(runtime: &Runtime, signer: &KmsSigner) {
    let signature = runtime.block_on(signer.sign_message(b"x")).unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap(), signer.address());
}

#[test]
fn one_client_serves_runtimes_that_come_and_go() {
    let (_fake, signer) = connect(&current_thread());
    for _ in 0..5 {
        // Each runtime ends with its connections; the next one finds them dead in the pool.
        sign(&current_thread(), &signer);
        sign(&multi_thread(), &signer);
    }
}

#[test]
fn blocking_callers_may_block_on_each_call() {
    let runtime = current_thread();
    let (_fake, signer) = connect(&runtime);
    for _ in 0..20 {
        sign(&runtime, &signer);
    }
}

#[test]
fn several_runtimes_may_use_one_client_at_once() {
    let first = multi_thread();
    let (fake, signer) = connect(&first);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = current_thread();
                for _ in 0..10 {
                    sign(&runtime, &signer);
                }
            });
        }
        for _ in 0..10 {
            sign(&first, &signer);
        }
    });
    assert!(fake.requests().len() > 50);
}

/// Nobody serves the connections of a runtime that stays alive and is not driven.
#[test]
fn a_connection_of_an_idle_runtime_costs_an_attempt_and_not_the_call() {
    let idle = current_thread();
    let (fake, signer) = connect(&idle);
    let client = signer.client().clone().with_attempt_timeout(Duration::from_millis(300));
    let signer = idle.block_on(KmsSigner::new(client, signer.key(), None)).unwrap();
    sign(&idle, &signer);
    sign(&current_thread(), &signer);
    assert!(fake.requests().len() >= 4);
    drop(idle);
}

#[test]
fn a_runtime_without_io_is_an_error_that_says_so() {
    let (_fake, signer) = connect(&multi_thread());
    let without_io = Builder::new_current_thread().enable_time().build().unwrap();
    let error = without_io.block_on(signer.sign_message(b"x")).unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("enable_io"), "{error}");
    let error = without_io.block_on(KmsClient::from_env()).unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("enable_io"), "{error}");
}

#[test]
fn dropped_calls_leave_nothing_behind() {
    let runtime = multi_thread();
    let (fake, signer) = connect(&runtime);
    runtime.block_on(async {
        fake.inject(Fault::latency(Duration::from_secs(5)).times(20));
        let calls = join_all((0..20).map(|_| signer.sign_message(b"x")));
        assert!(tokio::time::timeout(Duration::from_millis(200), calls).await.is_err());
        fake.clear_faults();
        // Nothing is under way any more, and the next call is served.
        signer.sign_message(b"x").await.unwrap();
        signer.client().drain(Duration::from_millis(100)).await.unwrap();
    });
}

#[tokio::test]
async fn draining_waits_for_calls_under_way_and_lets_no_more_in() {
    let (fake, signer) = fake_and_signer().await;
    let signer = Arc::new(signer);
    fake.inject(Fault::latency(Duration::from_millis(200)).times(3));
    let under_way: Vec<_> = (0..3)
        .map(|_| {
            let signer = signer.clone();
            tokio::spawn(async move { signer.sign_message(b"x").await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let client = signer.client().clone();
    client.clone().with_max_attempts(1).drain(Duration::from_secs(5)).await.unwrap();
    for call in under_way {
        assert!(call.is_finished(), "draining ends after the calls that were under way");
        call.await.unwrap().unwrap();
    }

    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::Other);
    assert!(error.to_string().contains("drained"), "{error}");
    client.drain(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn draining_ends_at_its_deadline() {
    let (fake, signer) = fake_and_signer().await;
    fake.inject(Fault::stall());
    let stalled = signer.clone();
    let call = tokio::spawn(async move { stalled.sign_message(b"x").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = signer.client().drain(Duration::from_millis(100)).await.unwrap_err();
    assert_kind(&error, ErrorKind::Timeout);
    assert_eq!(error.operation(), Operation::Drain);
    assert!(error.to_string().contains("under way: 1"), "{error}");
    call.abort();
}
