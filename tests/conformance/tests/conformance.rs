//! The list of behaviours, against FakeKms and against the ministack emulator.

use conformance::{endpoint, table::run, target::Target};

#[tokio::test(flavor = "multi_thread")]
async fn fake_kms() {
    run(&[("FakeKms", Target::fake())]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KMS_ENDPOINT, an emulator started by tests/stack.sh"]
async fn fake_kms_and_ministack() {
    let ministack = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    run(&[("FakeKms", Target::fake()), ("ministack", ministack)]).await;
}
