//! How the examples end: one readable line when something fails.

use std::{error::Error, process::ExitCode};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The error and its causes on one line, each said once, and the exit code that goes with it. An error of kms-signer says all by itself.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let mut text = error.to_string();
    let mut cause = if error.is::<kms_signer::Error>() { None } else { error.source() };
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = if error.is::<kms_signer::Error>() { None } else { error.source() };
    }
    eprintln!("error: {}", text.replace('\n', " "));
    ExitCode::FAILURE
}
