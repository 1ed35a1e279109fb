//! The list of behaviours, against AWS itself. It creates keys and schedules their deletion in seven days.
//!
//! ```text
//! AWS_PROFILE=… AWS_REGION=… cargo test -p conformance --test live -- --ignored --nocapture
//! ```

use conformance::{
    behaviours::{BEHAVIOURS, Outcome},
    target::Target,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs AWS credentials that may create, use and delete KMS keys, and costs money"]
async fn aws() {
    let target = Target::aws().await;
    let mut failures = Vec::new();
    for behaviour in BEHAVIOURS {
        match behaviour.check(&target).await {
            Outcome::Holds => println!("holds  {}", behaviour.name),
            Outcome::Departs(how) => failures.push(format!("{}: AWS cannot depart from itself: {how}", behaviour.name)),
            Outcome::Fails(why) => failures.push(format!("{}: {why}", behaviour.name)),
        }
    }
    target.clean_up().await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
