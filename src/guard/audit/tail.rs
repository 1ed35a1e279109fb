//! The end of the file: groups of lines go there whole, or not at all.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    chain::Chain,
    storage::{Displaced, Storage},
    walk::Walked,
};
use crate::error::{Error, ErrorKind, Operation};

/// What the buffer of a group keeps when the group is written.
const KEPT_BUFFER: usize = 64 << 10;

const APPEND_ONLY: &str = "if the file can only be appended to, take that from it (chattr -a) until it has been opened once, or begin a new file";

/// Where lines are appended.
pub(super) struct Tail {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    fsync: bool,
    /// What is recorded, and durable if that was asked for.
    chain: Chain,
    /// The last line is whole but for its newline.
    lacks_newline: bool,
    /// Beyond the chain's end there may be part of a line.
    uncut: bool,
    /// An fsync failed.
    broken: Option<Failure>,
    buffer: Vec<u8>,
}

impl Tail {
    pub(super) fn new(storage: Arc<dyn Storage>, path: PathBuf, fsync: bool, found: &Walked) -> Self {
        Self {
            storage,
            path,
            fsync,
            chain: found.chain,
            lacks_newline: found.lacks_newline,
            uncut: found.partial > 0,
            broken: None,
            buffer: Vec::new(),
        }
    }

    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line for each body. If it fails, there is none of them in the file, or what there is of them is cut off before the next.
    pub(super) fn append<'a>(&mut self, bodies: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Failure> {
        if let Some(failure) = &self.broken {
            return Err(failure.copy());
        }
        self.cut()?;
        self.storage.check(self.chain.bytes).map_err(|displaced| self.displaced(displaced))?;
        let mut next = self.chain;
        let mut lines = core::mem::take(&mut self.buffer);
        if self.lacks_newline {
            lines.push(b'\n');
            next.bytes += 1;
        }
        for body in bodies {
            next.seal(body, &mut lines);
        }
        let written = self.storage.write(&lines);
        lines.clear();
        lines.shrink_to(KEPT_BUFFER);
        self.buffer = lines;
        if let Err(error) = written {
            self.uncut = true;
            // What cannot be cut off now is cut off before the next line.
            let _ = self.cut();
            return Err(self.failure("cannot be written to", Some(error)));
        }
        self.sync()?;
        self.lacks_newline = false;
        self.chain = next;
        Ok(())
    }

    fn cut(&mut self) -> Result<(), Failure> {
        if self.uncut {
            self.storage.cut(self.chain.bytes).map_err(|error| {
                let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
                let failure = self.failure("has part of a line at its end that cannot be cut off", Some(error));
                if is_refused { failure.with_remedy(APPEND_ONLY) } else { failure }
            })?;
            self.uncut = false;
        }
        Ok(())
    }

    /// After an fsync that failed the kernel may have dropped what it could not write, and the next fsync would succeed without it. So there is no
    /// next one. The group is cut off; what was recorded before it is on the disk, but for the page where the two meet, which the line of
    /// the next opening has written once more.
    fn sync(&mut self) -> Result<(), Failure> {
        if !self.fsync {
            return Ok(());
        }
        self.storage.sync().map_err(|error| {
            let failure = self.failure("cannot be brought to the disk", Some(error)).with_remedy(
                "find out what is wrong with the disk, then open the log anew: it records nothing until then",
            );
            self.uncut = true;
            let _ = self.cut();
            self.broken = Some(failure.copy());
            failure
        })
    }

    fn displaced(&self, displaced: Displaced) -> Failure {
        let failure = match displaced {
            Displaced::Unreachable(error) => self.failure("is no longer there", Some(error)),
            Displaced::Replaced => self.failure("was replaced by another file", None),
            Displaced::Length { found, expected } if found < expected => {
                let what = format!("was truncated: it has {found} bytes, and {expected} were written");
                self.failure(&what, None)
            }
            Displaced::Length { found, expected } => {
                let what =
                    format!("was written to by somebody else: it has {found} bytes, and {expected} were written");
                self.failure(&what, None)
            }
        };
        failure.with_remedy(
            "put the file back as it was, or end this log and open a new one; nothing is signed until then",
        )
    }

    fn failure(&self, what: &str, source: Option<io::Error>) -> Failure {
        let cause = source.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        Failure { message: format!("{} {what}{cause}", self.path.display()), source, remedy: None }
    }
}

/// Why a group was not recorded: the same for each of its records.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    source: Option<io::Error>,
    remedy: Option<&'static str>,
}

impl Failure {
    fn with_remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }

    pub(super) fn copy(&self) -> Self {
        let source = self.source.as_ref().map(|error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        });
        Self { message: self.message.clone(), source, remedy: self.remedy }
    }

    pub(super) fn into_error(self) -> Error {
        let mut error = Error::new(ErrorKind::Unrecorded, Operation::Record, self.message);
        if let Some(remedy) = self.remedy {
            error = error.with_remedy(remedy);
        }
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}
