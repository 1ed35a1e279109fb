//! An audit file: a line for every decision and every signature, each chained to the one before it.
//!
//! [`AuditLog`] writes it, as the [`Recorder`] of a guard; [`verify`] finds what was changed in it; [`spendings`] reads from it what limits must
//! know when a program starts.
//!
//! # Format
//!
//! Each line is a JSON object and ends with a newline:
//!
//! ```text
//! {"seq":7,"prev":"<64 hex>",…the fields of the record…,"hash":"<64 hex>"}
//! ```
//!
//! - `seq` is the number of the line, from 1.
//! - `prev` is the `hash` of the line before it; 64 zeros in the first.
//! - `hash` is the SHA-256 of the line's bytes before its last `,"hash":"`.
//!
//! The fields are those of a [`Record`]. Every opening of the file leaves a line, too, with the `stage` `opened`, the `version` of this crate, and
//! `cut_off_bytes`, the length of the partial line that was at the end. A line takes 1 MiB at most. There is no signature and no
//! credential in it, but there is what was asked, so a new file can be read by its owner only.
//!
//! Nothing of this crate is needed to check it. This prints each line that is not as it should be:
//!
//! ```sh
//! seq=1 prev=$(printf %064d 0)
//! while IFS= read -r line; do
//!     hash=$(printf %s "${line%,\"hash\":*}" | sha256sum | cut -c 1-64)
//!     case $line in
//!         "{\"seq\":$seq,\"prev\":\"$prev\","*",\"hash\":\"$hash\"}") ;;
//!         *) echo "line $seq: $line" ;;
//!     esac
//!     seq=$((seq + 1)) prev=$hash
//! done < audit.jsonl
//! ```
//!
//! # What the chain shows, and what it cannot
//!
//! A line that was changed, removed, inserted or moved is found, with its number. There is no secret in the chain: who can write to the file can
//! remove lines from its end, or write everything anew from some line on, and the rest is a whole chain again. Against that, keep the
//! [head](AuditLog::head) elsewhere, say with every hour's metrics or in a system that only accepts, and [compare](verify_with_head).
//! CloudTrail has every `Sign` of a KMS key, with the request id that is in the file: what is there and not here was not signed through this log.
//!
//! # What survives
//!
//! | | `fsync(true)`, the default | `fsync(false)` |
//! |---|---|---|
//! | end of the process, `kill -9`, panic | every record | every record |
//! | loss of power, crash of the system | every record | not the last ones |
//!
//! A record is one that [`record`](Recorder::record) returned `Ok` for; whoever waits for that before he gives a signature away has a line
//! for each. A line that was being written may be there as well, in part or as a whole. Part of a line is cut off at the next opening, which says so in its line. In a
//! rare case, power lost during a large write, the file system may have kept a later part of it without an earlier one; the file then does not
//! open any more, and a new one must be begun.
//!
//! # What happens when it cannot be written
//!
//! Every failure is [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded), with the [`std::io::Error`] as its source.
//!
//! - The disk is full, or the file at its limit: what was written of a line is cut off, the records fail, and those that come once there is room are recorded
//!   again. (A limit by `ulimit -f` ends the process by `SIGXFSZ` unless that is ignored.)
//! - An fsync fails: what the kernel had not yet written may be gone, and a second fsync would not say so. The log records nothing more until
//!   it is opened anew. Some file systems, NFS among them, report a full disk only then.
//! - The file was removed, replaced, truncated or written to by somebody else: nothing is recorded until that is undone, or the log
//!   opened anew. It is looked at before each write.
//!
//! # Rotation
//!
//! A log keeps its file. To begin a new one, end the log (drop every clone, or end the process), move the file away, and open the path again: a new
//! chain begins. Or give each start of the process a path of its own. Limits look back: give [`spendings`] the old file, too, as long as
//! its lines are young enough to count.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use std::{fs::File, io::BufReader};
//!
//! use kms_signer::guard::{AuditLog, audit::{verify, verify_with_head}};
//!
//! # let path = std::env::temp_dir().join(format!("kms-signer-doc-{}.jsonl", std::process::id()));
//! let log = AuditLog::open(&path)?;
//! let kept = log.head();
//! drop(log);
//!
//! // Later.
//! let verified = verify_with_head(BufReader::new(File::open(&path)?), kept)?;
//! assert_eq!((verified.lines(), verified.opened()), (1, 1));
//! # std::fs::remove_file(&path)?;
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod chain;
mod open;
mod spendings;
mod storage;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod writer;

use core::fmt;
use std::{
    error::Error as StdError,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::B256;
use async_trait::async_trait;

pub use self::{
    spendings::spendings,
    verify::{Verified, verify, verify_with_head},
};
use self::{tail::Tail, writer::Writer};
use super::{Record, Recorder};
use crate::error::Result;

/// The stage of the line that an opening leaves.
const OPENED: &str = "opened";

/// Appends records to a file, as a chain of JSON lines. See the [module](self) for the format, and for what it withstands.
///
/// Clones are cheap and write to the same file, under one lock: no other process can open it. A thread of its own writes; records that
/// come while it is busy share the next write and the next fsync. It needs no runtime. Dropping the last clone waits until what was
/// accepted is written and the file unlocked.
#[derive(Clone)]
pub struct AuditLog {
    path: Arc<Path>,
    fsync: bool,
    writer: Arc<Writer>,
}

/// How an [`AuditLog`] writes.
#[derive(Clone, Debug)]
pub struct AuditLogBuilder {
    path: PathBuf,
    fsync: bool,
}

impl AuditLog {
    /// Opens a file, or creates it, and verifies what is in it. Each record is fsynced before it counts as kept.
    ///
    /// It reads the whole file: in an asynchronous program call it from `spawn_blocking` if there is much in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be opened or is no regular file, if another process or another
    /// log of this one has it, or if its chain is broken (with the number of the line): then nothing is appended.
    /// [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded) if the line about the opening cannot be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// Says how to write, before it is opened.
    pub fn builder(path: impl AsRef<Path>) -> AuditLogBuilder {
        AuditLogBuilder { path: path.as_ref().to_owned(), fsync: true }
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines are recorded.
    pub fn lines(&self) -> u64 {
        self.writer.chain().lines
    }

    /// The hash of the last line that is recorded, 32 bytes. Kept elsewhere, it shows later whether lines are missing at the end: see
    /// [`verify_with_head`].
    pub fn head(&self) -> B256 {
        self.writer.chain().head
    }

    fn start(tail: Tail, fsync: bool) -> Result<Self> {
        Ok(Self { path: tail.path().into(), fsync, writer: Arc::new(Writer::start(tail)?) })
    }
}

impl AuditLogBuilder {
    /// Whether each record is fsynced before it counts as kept. It is, by default; without, a loss of power may take the last
    /// records with it, while the end of the process takes none.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Those of [`AuditLog::open`].
    pub fn open(self) -> Result<AuditLog> {
        AuditLog::start(open::open(&self.path, self.fsync)?, self.fsync)
    }
}

#[async_trait]
impl Recorder for AuditLog {
    /// Returns when the record's line is in the file, and fsynced unless that was switched off.
    ///
    /// If it is dropped before it returns, the line may be written or not.
    ///
    /// # Errors
    ///
    /// This crate's own, of the kind [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded).
    async fn record(&self, record: &Record<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(self.writer.write(writer::body(record)?).await?)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("path", &self.path).field("fsync", &self.fsync).finish_non_exhaustive()
    }
}
