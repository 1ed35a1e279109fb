//! Runs the list and prints what came of it.

use crate::{
    behaviours::{BEHAVIOURS, Outcome},
    target::Target,
};

/// Runs the list against each target and prints a table.
///
/// # Panics
///
/// If a behaviour does not hold where the list does not say so, after all have run.
pub async fn run(targets: &[(&str, Target)]) {
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
