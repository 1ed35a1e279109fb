//! Where no runtime, or half of one, is running.

use std::time::Duration;

use alloy_signer::Signer;
use kms_signer::{ErrorKind, KmsClient, KmsSigner, fake::FakeKms};

use crate::assert_kind;

#[test]
fn without_a_runtime_is_an_error_that_says_so() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let error = futures_executor::block_on(KmsSigner::new(fake.client(), &key, None)).unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
    assert_kind(&futures_executor::block_on(KmsClient::from_env()).unwrap_err(), ErrorKind::Config);
}

#[test]
fn a_runtime_without_a_timer_is_an_error_that_says_so() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(KmsSigner::new(fake.client(), &key, None)).unwrap_err();
    assert_kind(&error, ErrorKind::Config);
    assert!(error.to_string().contains("enable_time"), "{error}");
}

#[test]
fn one_signer_serves_several_runtimes() {
    let fake = FakeKms::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let signer = runtime().block_on(KmsSigner::new(fake.client(), fake.create_key().unwrap(), None)).unwrap();
    for _ in 0..3 {
        runtime().block_on(signer.sign_message(b"x")).unwrap();
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| runtime().block_on(signer.sign_message(b"x")).unwrap());
        }
    });
}

#[test]
fn a_callers_own_sleep_needs_no_tokio() {
    use kms_signer::aws_sdk_kms::{
        Client,
        config::{AsyncSleep, Sleep},
    };

    #[derive(Debug)]
    struct Threads;
    impl AsyncSleep for Threads {
        fn sleep(&self, duration: Duration) -> Sleep {
            let (done, wait) = futures_channel::oneshot::channel::<()>();
            std::thread::spawn(move || {
                std::thread::sleep(duration);
                let _ = done.send(());
            });
            let wait = std::sync::Mutex::new(wait);
            Sleep::new(std::future::poll_fn(move |context| {
                std::pin::Pin::new(&mut *wait.lock().unwrap()).poll(context).map(drop)
            }))
        }
    }

    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let sdk = Client::from_conf(fake.client().config().to_builder().sleep_impl(Threads).build());
    let client = KmsClient::from(sdk).with_operation_timeout(Duration::from_millis(500));
    futures_executor::block_on(async {
        let signer = KmsSigner::new(client, key, None).await.unwrap();
        signer.sign_message(b"x").await.unwrap();
        fake.inject(kms_signer::fake::Fault::stall().forever());
        assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::Timeout);
    });
}
