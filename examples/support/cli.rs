//! How the examples end: one readable line when something fails.

use std::{error::Error, process::ExitCode};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The error alone, on one line, and the exit code that goes with it.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
