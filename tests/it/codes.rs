//! The table of AWS error codes in the documentation of `ErrorKind`, walked row by row.

use std::time::Duration;

use alloy_signer::Signer;
use kms_signer::{
    KeyArn, KmsClient, KmsSigner,
    fake::{FakeKms, Fault},
};

use crate::ours;

struct Row {
    code: String,
    kind: String,
    retried: String,
}

fn table() -> Vec<Row> {
    let rows = include_str!("../../src/error/kind.rs").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("/// | `")?.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        Some(Row { code: cells.next()?, kind: cells.next()?, retried: cells.next()? })
    });
    rows.collect()
}

async fn signer(fake: &FakeKms, key: &KeyArn) -> KmsSigner {
    fake.clear_faults();
    let client = KmsClient::from(fake.client()).with_max_attempts(2).with_operation_timeout(Duration::from_millis(500));
    KmsSigner::new(client, key, None).await.unwrap()
}

#[tokio::test]
async fn every_row_is_true() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    for Row { code, kind, retried } in table() {
        // A queue of its own, that has not been throttled yet.
        let signer = signer(&fake, &key).await;
        let status = if kind == "Unavailable" { 500 } else { 400 };
        fake.inject(Fault::error(&code, status, "the message").forever());
        let before = fake.requests().len();
        let error = signer.sign_message(b"x").await.unwrap_err();
        let error = ours(&error);
        assert_eq!(format!("{:?}", error.kind()), kind, "{code}");
        assert_eq!(error.code(), Some(code.as_str()));
        assert_eq!(error.is_retryable(), retried == "yes", "{code}");
        let attempts = fake.requests().len() - before;
        match (retried.as_str(), kind.as_str()) {
            ("no", _) => assert_eq!(attempts, 1, "attempts at {code}"),
            // They wait for their turn again until the deadline.
            (_, "Throttled") => assert!(attempts > 2, "{attempts} attempts at {code}"),
            _ => assert_eq!(attempts, 2, "attempts at {code}"),
        }
        assert!(error.to_string().contains("the message"), "{code}: {error}");
    }
}

#[test]
fn the_table_lists_every_code_the_code_knows() {
    let source = include_str!("../../src/client/classify/codes.rs");
    let arms = source.split("fn kind_of").nth(1).unwrap().split("\nfn allow").next().unwrap();
    let mut known: Vec<&str> = arms.split('"').skip(1).step_by(2).collect();
    known.retain(|text| !text.is_empty() && text.chars().all(char::is_alphanumeric));
    known.sort_unstable();
    known.dedup();
    let mut listed: Vec<String> = table().into_iter().map(|row| row.code).collect();
    listed.sort_unstable();
    assert!(known.len() > 40, "{known:?}");
    assert_eq!(listed, known);
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
