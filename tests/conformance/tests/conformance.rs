//! The list of behaviours, against FakeKms and against the ministack emulator.

use conformance::{
    behaviours::{BEHAVIOURS, Outcome},
    endpoint,
    target::Target,
};

#[tokio::test(flavor = "multi_thread")]
async fn fake_kms() {
    table(&[("FakeKms", Target::fake())]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KMS_ENDPOINT, an emulator started by tests/stack.sh"]
async fn fake_kms_and_ministack() {
    let ministack = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    table(&[("FakeKms", Target::fake()), ("ministack", ministack)]).await;
}

/// Runs the list against each target and prints what came of it.
async fn table(targets: &[(&str, Target)]) {
    let mut failures = Vec::new();
    let mut notes = Vec::new();
    let names: String = targets.iter().map(|(name, _)| format!(" {name:<10}")).collect();
    println!("\n{:<80}{names}", "behaviour");
    for behaviour in BEHAVIOURS {
        let mut row = format!("{:<80}", behaviour.name);
        for (name, target) in targets {
            let cell = match behaviour.check(target).await {
                Outcome::Holds => "holds",
                Outcome::Departs(how) => {
                    notes.push(format!("{name} departs at {:?}: {how}", behaviour.name));
                    "departs"
                }
                Outcome::Fails(why) => {
                    failures.push(format!("{name}: {:?}: {why}", behaviour.name));
                    "FAILS"
                }
            };
            row += &format!(" {cell:<10}");
        }
        println!("{}", row.trim_end());
    }
    println!("{} behaviours\n{}", BEHAVIOURS.len(), notes.join("\n"));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
