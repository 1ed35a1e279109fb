//! The fault matrix: every fault, at `GetPublicKey` and at `Sign`, with a client that tries once and with a patient one.
//!
//! The table is in `faults/table.rs`, and as a page of the documentation in `src/guide/faults.md`.

mod bits;
mod page;
mod place;
mod running;
mod table;
mod wire;

use std::collections::BTreeSet;

use alloy_signer::Signer;
use futures_util::{StreamExt, stream};
use kms_signer::{Operation, fake::Fault};

use crate::{fake_and_signer, ours};

/// How many rows are under way at a time. Some of them wait for a timeout.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_becomes_its_kind_or_is_survived() {
    let sections = table::sections();
    let rows: Vec<_> = sections.iter().flat_map(|section| &section.rows).collect();
    let names: BTreeSet<_> = rows.iter().map(|row| row.fault).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");

    let cells = rows.iter().flat_map(|row| {
        let cells = [(Operation::GetPublicKey, row.get_public_key), (Operation::Sign, row.sign)];
        cells.into_iter().filter_map(move |(operation, expected)| Some((*row, operation, expected?)))
    });
    let failures: Vec<String> = stream::iter(cells)
        .map(|(row, operation, expected)| place::check(row, operation, expected))
        .buffered(AT_ONCE)
        .filter_map(async |result| result.err())
        .collect()
        .await;
    let table = page::markdown(&sections);
    println!("{table}\n{} faults", rows.len());
    assert!(failures.is_empty(), "{} cells are wrong:\n{}", failures.len(), failures.join("\n"));
    page::compare(&table);
}

#[tokio::test]
async fn errors_tell_code_and_request_id_and_keep_the_sdks_error() {
    let (fake, signer) = fake_and_signer().await;
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

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_told_from_a_refusal() {
    let (fake, signer) = fake_and_signer().await;
    for fault in [
        Fault::response(200, "text/html", "<html>Please log in</html>"),
        Fault::truncated_body(),
        Fault::set_field("Signature", "!"),
    ] {
        let case = format!("{fault:?}");
        fake.inject(fault);
        let error = signer.sign_message(b"x").await.unwrap_err();
        assert!(error.to_string().contains("the answer is not one of KMS: "), "{case}: {error}");
    }
}
