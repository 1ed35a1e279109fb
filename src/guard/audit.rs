//! An audit file: a line for every decision and every signature, each chained to the one before it.
//!
//! [`AuditLog`] writes it, as the [`Recorder`] of a guard; [`verify`] finds what was changed in it; [`restore`](AuditLog::restore) and
//! [`spendings`] read from it what limits must know when a program starts.
//!
//! # Starting
//!
//! The limits of a new [`Guard`] are empty. Open the file, restore what it says was spent, and only then sign:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use kms_signer::{KmsSigner, fake::FakeKms, guard::{AuditLog, Guard, Guarded}};
//!
//! # let fake = FakeKms::new();
//! # let signer = KmsSigner::new(fake.client(), fake.create_key()?, None).await?;
//! # let path = std::env::temp_dir().join(format!("kms-signer-doc-start-{}.jsonl", std::process::id()));
//! # let rules = "[[limits]]\nname = \"a day's\"\nwindow = \"24h\"\ntotal = \"2 ether\"";
//! let guard = Guard::from_toml(rules)?;
//! let log = AuditLog::open(&path)?;
//! log.restore(&guard, None)?;
//! let signer = Guarded::new(signer, guard).with_recorder(log);
//! # std::fs::remove_file(&path)?;
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! - A limit is one [`Guard`]'s, in one process. Two processes with the same rules, each with a file of its own, may together spend twice as
//!   much.
//! - What was signed while the file could not be written, with [`allow_unrecorded`](super::Guarded::allow_unrecorded), is not in it and is
//!   not restored.
//! - A call that its caller no longer waited for has a decision without an outcome. A signature may have been made, so it counts, before a
//!   restart and after.
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
//! `cut_off_bytes`, the length of the partial line that was at the end. A line takes 1 MiB at most; a denial that would take more is recorded
//! without what was asked. There is no signature and no credential in it, but there is what was asked, so a new file can be read by its
//! owner only.
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
//!
//! CloudTrail has every `Sign` of a KMS key, with its request id, and a `signed` line names the one whose answer was used. Each of them must
//! be in CloudTrail. The reverse does not hold: a hedge, a retry after an answer that was lost, a Region that was left for another, a call that
//! was cancelled and the dry run of [`preflight`](crate::KmsSigner::preflight) leave `Sign` events, too, whose ids are in no line. Suspect
//! an event with no `allowed` line of its key within the operation timeout before it, unless it is a dry run: it was not asked for
//! through this log.
//!
//! # What survives
//!
//! | | `fsync(true)`, the default | `fsync(false)` |
//! |---|---|---|
//! | end of the process, `kill -9`, panic | every record | every record |
//! | loss of power, crash of the system | every record | not the last ones |
//!
//! A record is one that [`record`](Recorder::record) returned `Ok` for; a program that waits for that before it gives a signature away has a
//! line for each. A line that was being written may be there as well, in part or as a whole. Part of a line is cut off at the next opening,
//! which says so in its line. Only what a write of the next line can have left is cut off: its beginning, or zeros. A file that ends in
//! anything else is not opened and not changed. In a rare case, power lost during a large write, the file system may have kept a later part
//! of it without an earlier one; the file then does not open any more either, and a new one must be begun.
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
//! - The file can only be appended to (`chattr +a` on Linux). That works, and keeps others from changing lines, but part of a line cannot be
//!   cut off: after a full disk nothing more is recorded, and after a `kill -9` in mid-write the file does not open. Root then takes the
//!   attribute away (`chattr -a`), lets the program open the file once, and sets it again; or the program begins a new file.
//!
//! # Rotation
//!
//! A log keeps its file. To begin a new one, end the log (drop every clone, or end the process), move the file away, and open the path again: a new
//! chain begins. Or give each start of the process a path of its own. Limits look back: [`restore`](AuditLog::restore) reads the file that is
//! open, so give [`Guard::restore`] the [`spendings`] of the old one, too, as long as its lines are young enough to count.
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
mod earlier;
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
    time::{Duration, SystemTime},
};

use alloy_primitives::B256;
use async_trait::async_trait;

use self::{earlier::Earlier, tail::Tail, writer::Writer};
pub use self::{
    spendings::spendings,
    verify::{Verified, verify, verify_with_head},
};
use super::{Guard, Record, Recorder};
use crate::{error::Result, observe::Stage};

/// The stage of the line that an opening leaves.
const OPENED: &str = "opened";

/// Appends records to a file, as a chain of JSON lines. See the [module](self) for the format, and for what it withstands.
///
/// Clones are cheap and write to the same file, under one lock: no other process can open it. A thread of its own writes; records that
/// come while it is busy share the next write and the next fsync. It needs no runtime. Dropping the last clone waits until what was
/// accepted is written and the file unlocked.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    path: PathBuf,
    fsync: bool,
    /// Dropped before the handle that reads, so that the file is unlocked when the last clone is gone.
    writer: Writer,
    earlier: Earlier,
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
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be opened, is no regular file, or if another process or another
    /// log of this one has it. [`ErrorKind::AuditBroken`](crate::ErrorKind::AuditBroken) if its chain is broken (with the number of the line) or
    /// it ends in what is no line of an audit file: then nothing is changed in it.
    /// [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded) if the line about the opening cannot be written, or part of a line not cut off.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// Says how to write, before it is opened.
    pub fn builder(path: impl AsRef<Path>) -> AuditLogBuilder {
        AuditLogBuilder { path: path.as_ref().to_owned(), fsync: true }
    }

    /// Counts in the limits of a guard what was spent before the file was opened, as its lines say, and returns how many transactions
    /// these are. With a `caller`, only theirs are counted. Call it for each guard, before it is asked for anything.
    ///
    /// It counts what [`spendings`] counts, as far back as the longest window reaches. No other process can have added to it since: the log
    /// has the file's lock. What is recorded meanwhile is neither counted nor held up. It reads the file once more: in an asynchronous
    /// program call it from `spawn_blocking` if there is much in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AuditBroken`](crate::ErrorKind::AuditBroken) if the lines are others than when the file was opened,
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if they cannot be read. Then nothing is counted.
    pub fn restore(&self, guard: &Guard, caller: Option<&str>) -> Result<usize> {
        let window = guard.longest_window();
        if window.is_zero() {
            return Ok(0);
        }
        // Limits count for up to a 64th longer, and their slices are rounded up.
        let reach = window.saturating_add(window / 64).saturating_add(Duration::from_secs(1));
        let since = SystemTime::now().checked_sub(reach).unwrap_or(SystemTime::UNIX_EPOCH);
        let spendings = self.0.earlier.spendings(caller, since)?;
        let count = spendings.len();
        guard.restore(spendings);
        Ok(count)
    }

    /// Checks that records can be kept now: that the file is still in its place with nothing foreign in it, that it can be brought to the disk, and that no
    /// earlier failure needs it opened anew. Nothing is recorded. Whether there is room for a record only a record shows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unrecorded`](crate::ErrorKind::Unrecorded), as a record would fail.
    pub async fn check(&self) -> Result<()> {
        self.0.writer.write(Vec::new()).await
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// How many lines are recorded.
    pub fn lines(&self) -> u64 {
        self.0.writer.chain().lines
    }

    /// The hash of the last line that is recorded, 32 bytes. Kept elsewhere, it shows later whether lines are missing at the end: see
    /// [`verify_with_head`].
    pub fn head(&self) -> B256 {
        self.0.writer.chain().head
    }

    fn start(tail: Tail, earlier: Earlier, fsync: bool) -> Result<Self> {
        let path = tail.path().to_owned();
        Ok(Self(Arc::new(Inner { path, fsync, writer: Writer::start(tail)?, earlier })))
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
        let (tail, earlier) = open::open(&self.path, self.fsync)?;
        AuditLog::start(tail, earlier, self.fsync)
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
        let body = match writer::body(record) {
            // Who asks for more than fits must not thereby keep the denial out of the file.
            Err(_) if record.event.stage == Stage::Denied => writer::body(&Record { asked: None, ..record.clone() }),
            body => body,
        };
        Ok(self.0.writer.write(body?).await?)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("path", &self.0.path).field("fsync", &self.0.fsync).finish_non_exhaustive()
    }
}
