//! Verifying a file.

use std::{borrow::Cow, io::BufRead, time::SystemTime};

use alloy_primitives::B256;
use serde::Deserialize;

use super::{
    OPENED,
    walk::{Origin, walk},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    observe::Stage,
};

const STAGES: [Stage; 4] = [Stage::Denied, Stage::Allowed, Stage::Signed, Stage::Failed];

/// What a file holds whose chain is whole.
#[derive(Clone, Debug)]
pub struct Verified {
    lines: u64,
    head: B256,
    partial: u64,
    counts: [u64; STAGES.len()],
    opened: u64,
    first: Option<SystemTime>,
    last: Option<SystemTime>,
}

/// Verifies a chain from its first line to its last. One line at a time is held in memory.
///
/// The beginning of the next line at the end, with no newline, is what a process leaves that was killed in mid-write; zeros are what a
/// loss of power may leave. Neither is an error, but [counted](Verified::partial_bytes).
///
/// Lines that are gone from the end leave no trace in the others: see [`verify_with_head`].
///
/// ```
/// use kms_signer::guard::audit::verify;
///
/// let error = verify(&b"{\"seq\":1}\n"[..]).unwrap_err();
/// assert!(error.to_string().contains("line 1 "), "{error}");
/// ```
///
/// # Errors
///
/// [`ErrorKind::AuditBroken`] with the number of the first line that is not JSON, was changed, or is not in its place, because lines were
/// removed, inserted or reordered; and if the end is no beginning of the next line. [`ErrorKind::Config`] if it cannot be read.
pub fn verify(reader: impl BufRead) -> Result<Verified> {
    verified(reader, B256::ZERO)
}

/// Verifies a chain that has grown since somebody kept its head: the hash of what was the last line then.
///
/// As long as that line is still there, no line up to it was removed, changed or rewritten.
///
/// # Errors
///
/// Those of [`verify`]; and [`ErrorKind::AuditBroken`] if no line has the hash `kept`.
pub fn verify_with_head(reader: impl BufRead, kept: B256) -> Result<Verified> {
    verified(reader, kept)
}

fn verified(reader: impl BufRead, kept: B256) -> Result<Verified> {
    // No line has the zeros for its hash; they are what was before the first one.
    let mut found = kept.is_zero();
    let mut counts = [0; STAGES.len()];
    let mut opened = 0;
    let (mut first, mut last) = (None, None);
    let walked = walk(reader, Origin(None), |line, chain| {
        let Fields { time, stage } = serde_json::from_slice(line).map_err(|error| format!("is no record: {error}"))?;
        let time = time_of(&time)?;
        first.get_or_insert(time);
        last = Some(time);
        found |= chain.head == kept;
        opened += u64::from(stage == OPENED);
        // A stage that is not known here is a newer version's.
        for (known, count) in STAGES.iter().zip(&mut counts) {
            *count += u64::from(stage == known.as_label());
        }
        Ok(())
    })?;
    if !found {
        let message = format!(
            "its {} lines are whole, and none of them has the hash {kept}: lines were removed from the end, or all was written anew",
            walked.chain.lines
        );
        return Err(Error::new(ErrorKind::AuditBroken, Operation::ReadAudit, message)
            .with_remedy("check that it is the file the hash was kept of; if it is, find out who wrote to it"));
    }
    Ok(Verified {
        lines: walked.chain.lines,
        head: walked.chain.head,
        partial: walked.partial,
        counts,
        opened,
        first,
        last,
    })
}

impl Verified {
    /// How many lines there are.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The hash of the last line, 32 bytes; zeros if there is none. Keep it where those who can write to the file cannot.
    pub fn head(&self) -> B256 {
        self.head
    }

    /// How many bytes of the next line, or zeros, follow the last whole one.
    pub fn partial_bytes(&self) -> u64 {
        self.partial
    }

    /// How many records of this stage there are.
    pub fn count(&self, stage: Stage) -> u64 {
        STAGES.iter().zip(self.counts).filter(|(known, _)| **known == stage).map(|(_, count)| count).sum()
    }

    /// How often the file was opened for writing.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// The time of the first line.
    pub fn first(&self) -> Option<SystemTime> {
        self.first
    }

    /// The time of the last line.
    pub fn last(&self) -> Option<SystemTime> {
        self.last
    }
}

/// What every line has.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    stage: Cow<'a, str>,
}

pub(super) fn time_of(text: &str) -> Result<SystemTime, String> {
    humantime::parse_rfc3339(text).map_err(|error| format!("has a time that is none: {error}"))
}
