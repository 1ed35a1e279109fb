//! What an observer is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, Event, KmsClient, KmsSigner, MetricsObserver, Observer, Operation, Outcome, TracingObserver,
    fake::{FakeKms, Fault},
};
use tracing::instrument::WithSubscriber;

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    operation: Operation,
    attempts: u32,
    throttled: u32,
    outcome: Outcome,
    has_request_id: bool,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Call(call) = event {
            assert_eq!(call.region(), Some("us-east-1"));
            assert!(call.key().unwrap().starts_with("arn:aws:kms:"));
            assert!(call.queue_wait() <= call.latency());
            self.0.lock().unwrap().push(Seen {
                operation: call.operation(),
                attempts: call.attempts(),
                throttled: call.throttled(),
                outcome: call.outcome(),
                has_request_id: call.request_id().is_some(),
            });
        }
    }
}

async fn observed(observer: impl Observer) -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let client = KmsClient::from(fake.client()).with_observer(observer);
    let signer = KmsSigner::new(client, fake.create_key().unwrap(), None).await.unwrap();
    (fake, signer)
}

#[tokio::test]
async fn every_call_is_one_event() {
    let log = Log::default();
    let (fake, signer) = observed(log.clone()).await;
    signer.sign_message(b"x").await.unwrap();
    fake.inject(Fault::error("ThrottlingException", 400, "x"));
    fake.inject(Fault::disconnect());
    signer.sign_message(b"x").await.unwrap();
    fake.inject(Fault::error("AccessDeniedException", 400, "x"));
    signer.sign_message(b"x").await.unwrap_err();
    fake.inject(Fault::other_key());
    signer.sign_message(b"x").await.unwrap_err();
    fake.inject(Fault::stall());
    assert!(tokio::time::timeout(Duration::from_millis(50), signer.sign_message(b"x")).await.is_err());

    let sign =
        Seen { operation: Operation::Sign, attempts: 1, throttled: 0, outcome: Outcome::Success, has_request_id: true };
    let failure = |kind| Seen { outcome: Outcome::Failure(kind), ..sign.clone() };
    let expected = [
        Seen { operation: Operation::GetPublicKey, ..sign.clone() },
        sign.clone(),
        Seen { attempts: 3, throttled: 1, ..sign.clone() },
        failure(ErrorKind::AccessDenied),
        failure(ErrorKind::SignatureMismatch),
        Seen { outcome: Outcome::Cancelled, has_request_id: false, ..sign.clone() },
    ];
    assert_eq!(*log.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_preflight_that_passes_is_a_success_and_one_region_is_never_left() {
    let log = Log::default();
    let regions = Arc::new(Mutex::new(0));
    let (calls, changes) = (log.clone(), regions.clone());
    let (fake, signer) = observed(move |event: &Event<'_>| match event {
        Event::Call(_) => calls.observe(event),
        _ => *changes.lock().unwrap() += 1,
    })
    .await;
    signer.preflight().await.unwrap();
    fake.inject(Fault::disconnect());
    signer.sign_message(b"x").await.unwrap();
    let outcomes: Vec<_> = log.0.lock().unwrap().iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success; 4]);
    assert_eq!(*regions.lock().unwrap(), 0);
}

#[tokio::test]
async fn an_observer_that_panics_costs_no_signature() {
    let (_fake, signer) = observed(|_: &Event<'_>| panic!("an observer's own fault")).await;
    signer.sign_message(b"x").await.unwrap();
}

#[tokio::test]
async fn metrics_come_out_as_prometheus_text() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (fake, signer) = observed(MetricsObserver).await;
    fake.inject(Fault::error("ThrottlingException", 400, "x"));
    signer.sign_message(b"x").await.unwrap();
    fake.inject(Fault::error("DisabledException", 400, "x"));
    signer.sign_message(b"x").await.unwrap_err();
    let text = handle.render();
    let sign = r#"{operation="Sign",region="us-east-1"}"#;
    for line in [
        r#"kms_signer_calls_total{operation="Sign",region="us-east-1",outcome="success"} 1"#.to_owned(),
        r#"kms_signer_calls_total{operation="Sign",region="us-east-1",outcome="KeyUnusable"} 1"#.to_owned(),
        format!("kms_signer_requests_total{sign} 3"),
        format!("kms_signer_throttled_total{sign} 1"),
        format!("kms_signer_call_seconds_count{sign} 2"),
        format!("kms_signer_queue_wait_seconds_count{sign} 2"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn tracing_events_tell_the_call_and_no_secret() {
    let text = Arc::new(Mutex::new(Vec::new()));
    let writer = text.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || Writer(writer.clone()))
        .finish();
    async {
        let (fake, signer) = observed(TracingObserver).await;
        signer.sign_message(b"x").await.unwrap();
        fake.inject(Fault::error("DisabledException", 400, "x"));
        signer.sign_message(b"x").await.unwrap_err();
    }
    .with_subscriber(subscriber)
    .await;
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains("kms_signer: KMS call")).collect();
    assert_eq!(ours.len(), 3, "{text}");
    assert!(ours[1].contains("DEBUG") && ours[1].contains("operation=Sign") && ours[1].contains("outcome=success"));
    assert!(ours[2].contains("WARN") && ours[2].contains("outcome=key unusable"), "{}", ours[2]);
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
