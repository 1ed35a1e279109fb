//! The list of behaviours, against AWS itself. It creates keys and schedules their deletion in seven days.
//!
//! ```text
//! AWS_PROFILE=… AWS_REGION=… cargo test -p conformance --test live -- --ignored --nocapture
//! ```

use conformance::{table::run, target::Target};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs AWS credentials that may create, use and delete KMS keys, and costs money"]
async fn aws() {
    let target = Target::aws().await;
    let outcome = tokio::spawn({
        let target = target.clone();
        async move { run(&[("AWS", target)]).await }
    });
    let outcome = outcome.await;
    target.clean_up().await;
    outcome.unwrap();
}
