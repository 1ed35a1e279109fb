//! Every fault that FakeKms can make, at signing: what kind of error it becomes, and what may have been signed.

use std::time::Duration;

use alloy_signer::Signer;
use kms_signer::{
    Error, ErrorKind, KmsClient, KmsSigner, Operation,
    fake::{FakeKms, Fault},
};

use crate::ours;

/// A signer that does not retry and waits 200 ms at most.
async fn impatient() -> (FakeKms, KmsSigner) {
    let fake = FakeKms::new();
    let client = KmsClient::from(fake.client()).with_max_attempts(1).with_operation_timeout(Duration::from_millis(200));
    let signer = KmsSigner::new(client, fake.create_key().unwrap(), None).await.unwrap();
    (fake, signer)
}

#[tokio::test]
async fn each_becomes_its_kind() {
    let (fake, signer) = impatient().await;
    let other = fake.create_key().unwrap();
    let elsewhere = signer.key().to_string().replace("us-east-1", "us-west-2");
    let stranger = signer.key().to_string().replace("111122223333", "999999999999");
    // fault, kind, may have signed, retryable
    let cases = [
        (Fault::error("AccessDeniedException", 400, "no"), ErrorKind::AccessDenied, false, false),
        (Fault::error("ThrottlingException", 400, "Rate exceeded"), ErrorKind::Throttled, false, true),
        (Fault::error("KMSInternalException", 500, "oops"), ErrorKind::Unavailable, true, true),
        (Fault::status(503), ErrorKind::Unavailable, true, true),
        (Fault::status(403), ErrorKind::InvalidResponse, true, false),
        (Fault::stall(), ErrorKind::Timeout, true, true),
        (Fault::latency(Duration::from_secs(1)), ErrorKind::Timeout, true, true),
        (Fault::disconnect(), ErrorKind::Transport, true, true),
        (Fault::refuse(), ErrorKind::Transport, false, true),
        (Fault::truncated_body(), ErrorKind::InvalidResponse, true, false),
        (Fault::garbage_body(), ErrorKind::InvalidResponse, true, false),
        (Fault::empty_body(), ErrorKind::InvalidResponse, true, false),
        (Fault::missing_field("Signature"), ErrorKind::InvalidResponse, true, false),
        (Fault::missing_field("KeyId"), ErrorKind::InvalidResponse, true, false),
        (Fault::other_key(), ErrorKind::SignatureMismatch, true, false),
        (Fault::key_id(other.as_ref()), ErrorKind::KeyChanged, true, false),
        (Fault::key_id(other.key_id().as_str()), ErrorKind::KeyChanged, true, false),
        (Fault::key_id(&elsewhere), ErrorKind::KeyChanged, true, false),
        (Fault::key_id(&stranger), ErrorKind::KeyChanged, true, false),
        (Fault::key_id("not a key"), ErrorKind::InvalidResponse, true, false),
    ];
    for (fault, kind, may_have_signed, retryable) in cases {
        let case = format!("{fault:?}");
        fake.clear_faults();
        fake.inject(fault);
        let error = signer.sign_message(b"x").await.unwrap_err();
        let error = ours(&error);
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert_eq!(error.may_have_signed(), may_have_signed, "{case}: {error}");
        assert_eq!(error.is_retryable(), retryable, "{case}: {error}");
        assert_eq!(error.operation(), Operation::Sign, "{case}");
        assert_eq!(error.key(), Some(signer.key().as_ref()), "{case}");
        assert_one_line(error);
    }
    fake.clear_faults();
    signer.sign_message(b"x").await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_never_gets_through() {
    let (fake, signer) = impatient().await;
    for _ in 0..50 {
        fake.inject(Fault::flipped_bit());
        let error = signer.sign_message(b"x").await.unwrap_err();
        let kind = ours(&error).kind();
        assert!(matches!(kind, ErrorKind::InvalidSignature | ErrorKind::SignatureMismatch), "{error}");
    }
}

#[tokio::test]
async fn errors_tell_code_and_request_id_and_keep_the_sdks_error() {
    let (fake, signer) = impatient().await;
    fake.inject(Fault::error("AccessDeniedException", 400, "User: arn:aws:iam::1:user/x is not authorized"));
    let error = signer.sign_message(b"x").await.unwrap_err();
    let error = ours(&error);
    let text = error.to_string();
    let id = error.request_id().unwrap();
    for part in
        ["Sign with arn:aws:kms:", "is not authorized", "AccessDeniedException", id, "allow kms:Sign on this key"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert!(std::error::Error::source(error).is_some());
}

fn assert_one_line(error: &Error) {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
}
