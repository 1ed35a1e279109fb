//! Reading a file line by line, checking the chain on the way.

use std::{
    io::{BufRead, Read},
    path::Path,
};

use super::chain::{Chain, MAX_LINE};
use crate::error::{Error, ErrorKind, Operation, Result};

/// What a file holds up to its end.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) chain: Chain,
    /// The length of what follows the last whole line.
    pub(super) partial: u64,
    /// The last line is whole but for its newline.
    pub(super) lacks_newline: bool,
}

/// Whose lines are read: a file's, or nobody knows.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a>(pub(super) Option<&'a Path>);

/// Reads to the end, calling `each` with every line that is in its place, and the chain up to it. Holds one line at a time.
pub(super) fn walk(
    mut reader: impl BufRead,
    origin: Origin<'_>,
    mut each: impl FnMut(&[u8], &Chain) -> Result<(), String>,
) -> Result<Walked> {
    let mut walked = Walked::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let limit = MAX_LINE as u64 + 1;
        (&mut reader).take(limit).read_until(b'\n', &mut buffer).map_err(|error| origin.unreadable(error))?;
        let number = walked.chain.lines + 1;
        if buffer.len() > MAX_LINE {
            return Err(origin.broken(number, "is longer than 1 MiB, and no line is"));
        }
        let chain = &mut walked.chain;
        match buffer.strip_suffix(b"\n") {
            Some(line) => {
                chain.accept(line).map_err(|fault| origin.broken(number, &fault))?;
                chain.bytes += 1;
                each(line, chain).map_err(|fault| origin.broken(number, &fault))?;
            }
            None if buffer.is_empty() => return Ok(walked),
            // The end of a process in mid-write may have left all of a line but its newline, or less of it.
            None => {
                match chain.accept(&buffer) {
                    Ok(()) => {
                        walked.lacks_newline = true;
                        each(&buffer, chain).map_err(|fault| origin.broken(number, &fault))?;
                    }
                    Err(_) if chain.may_have_begun(&buffer) => walked.partial = buffer.len() as u64,
                    Err(fault) => return Err(origin.foreign(number, &fault)),
                }
                return Ok(walked);
            }
        }
    }
}

impl Origin<'_> {
    fn broken(self, number: u64, fault: &str) -> Error {
        self.error(ErrorKind::AuditBroken, format!("line {number} {fault}")).with_remedy(
            "the lines before it are whole; keep the file, find out who wrote to it, and begin a new one under another name",
        )
    }

    fn foreign(self, number: u64, fault: &str) -> Error {
        let message = format!("it ends in what is no line of an audit file: line {number} {fault}");
        self.error(ErrorKind::AuditBroken, message).with_remedy(
            "check that it is meant to be an audit file; if it is, keep it, find out who wrote to it, and begin a new one under another name",
        )
    }

    /// The file is no longer what this process found in it.
    pub(super) fn rewritten(self) -> Error {
        self.error(ErrorKind::AuditBroken, "its lines are others than when it was opened".to_owned())
    }

    fn unreadable(self, error: std::io::Error) -> Error {
        self.error(ErrorKind::Config, format!("it cannot be read: {error}")).with_source(error)
    }

    fn error(self, kind: ErrorKind, message: String) -> Error {
        let message = match self.0 {
            Some(path) => format!("{}: {message}", path.display()),
            None => message,
        };
        Error::new(kind, Operation::ReadAudit, message)
    }
}
