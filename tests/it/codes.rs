//! The table of AWS error codes in the documentation of `ErrorKind`, walked row by row.

use std::time::Duration;

use alloy_signer::Signer;
use kms_signer::{
    KmsClient, KmsSigner,
    fake::{FakeKms, Fault},
};

use crate::ours;

struct Row {
    code: String,
    kind: String,
    retried: bool,
}

fn table() -> Vec<Row> {
    let rows = include_str!("../../src/error/kind.rs").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("/// | `")?.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let (code, kind, retried) = (cells.next()?, cells.next()?, cells.next()?);
        Some(Row { code, kind, retried: retried == "yes" })
    });
    rows.collect()
}

#[tokio::test]
async fn every_row_is_true() {
    let rows = table();
    assert!(rows.len() >= 30, "only {} rows found", rows.len());
    let fake = FakeKms::new();
    let client = KmsClient::from(fake.client()).with_max_attempts(2).with_operation_timeout(Duration::from_secs(5));
    let signer = KmsSigner::new(client, fake.create_key().unwrap(), None).await.unwrap();
    for Row { code, kind, retried } in rows {
        let status = if kind == "Unavailable" { 500 } else { 400 };
        fake.clear_faults();
        fake.inject(Fault::error(&code, status, "the message").forever());
        let before = fake.requests().len();
        let error = signer.sign_message(b"x").await.unwrap_err();
        let error = ours(&error);
        assert_eq!(format!("{:?}", error.kind()), kind, "{code}");
        assert_eq!(error.code(), Some(code.as_str()));
        assert_eq!(error.is_retryable(), retried, "{code}");
        assert_eq!(fake.requests().len() - before, if retried { 2 } else { 1 }, "attempts at {code}");
        assert!(error.to_string().contains("the message"), "{code}: {error}");
    }
}

#[tokio::test]
async fn unlisted_codes_go_by_their_status() {
    let fake = FakeKms::new();
    let client = KmsClient::from(fake.client()).with_max_attempts(1);
    let signer = KmsSigner::new(client, fake.create_key().unwrap(), None).await.unwrap();
    for (fault, kind) in [
        (Fault::error("BrandNewException", 400, "x"), "Other"),
        (Fault::error("BrandNewException", 503, "x"), "Unavailable"),
        (Fault::status(429), "Throttled"),
        (Fault::status(502), "Unavailable"),
        (Fault::status(404), "InvalidResponse"),
    ] {
        let case = format!("{fault:?}");
        fake.inject(fault);
        let error = signer.sign_message(b"x").await.unwrap_err();
        assert_eq!(format!("{:?}", ours(&error).kind()), kind, "{case}: {error}");
    }
}
