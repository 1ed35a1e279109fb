//! Opening: the lock, what is in the file already, and the line that says so.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    earlier::Earlier,
    storage::{Beginning, LogFile, sync_folder_of},
    tail::{Failure, Tail},
    walk::{Origin, walk},
    writer,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    guard::time::rfc3339,
};

pub(super) const READ_BUFFER: usize = 256 << 10;

/// Opens or creates the file, verifies what is in it, and appends an `opened` line.
pub(super) fn open(path: &Path, fsync: bool) -> Result<(Tail, Earlier)> {
    let path = std::path::absolute(path).map_err(|error| refused(path, "is no path of a file", error))?;
    let file = options().open(&path).map_err(|error| refused(&path, "cannot be opened", error))?;
    let opened = file.metadata().map_err(|error| refused(&path, "cannot be opened", error))?;
    if !opened.is_file() {
        let message = format!("{} is no regular file", path.display());
        return Err(Error::new(ErrorKind::Config, Operation::Record, message)
            .with_remedy("an audit file is a regular file: give the path of one, or of one to be created"));
    }
    lock(&file, &path)?;
    let storage = Arc::new(LogFile::new(file, PathBuf::clone(&path), opened));
    let reader = BufReader::with_capacity(READ_BUFFER, Beginning::new(&*storage, u64::MAX));
    let found = walk(reader, Origin(Some(&path)), |_, _| Ok(()))?;
    if fsync {
        sync_folder_of(&path)
            .map_err(|error| refused(&path, "is in a folder that cannot be brought to the disk", error))?;
    }
    let earlier = Earlier::new(Arc::clone(&storage) as _, PathBuf::clone(&path), found.chain);
    let mut tail = Tail::new(storage, path, fsync, &found);
    let body = writer::body(&Opened { cut_off: found.partial })?;
    tail.append([body.as_slice()]).map_err(Failure::into_error)?;
    Ok((tail, earlier))
}

/// It is appended to whatever this process does, so that it works on a file that can only be appended to (`chattr +a`).
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let message = format!("{} is in use: another process has it open, or this one already has", path.display());
            Err(Error::new(ErrorKind::Config, Operation::Record, message)
                .with_remedy("give each process a file of its own; in one process clone the log"))
        }
        Err(TryLockError::Error(error)) => Err(refused(path, "cannot be locked", error)),
    }
}

fn refused(path: &Path, what: &str, error: io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "create its folder",
        io::ErrorKind::PermissionDenied => "give this process the right to read and write the file",
        _ => "give the path of a regular file that this process may read, write and lock",
    };
    let message = format!("{} {what}: {error}", path.display());
    Error::new(ErrorKind::Config, Operation::Record, message).with_remedy(remedy).with_source(error)
}

/// The line that each opening leaves.
struct Opened {
    cut_off: u64,
}

impl Serialize for Opened {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Opened", 4)?;
        line.serialize_field("time", &rfc3339(SystemTime::now()))?;
        line.serialize_field("stage", super::OPENED)?;
        line.serialize_field("version", env!("CARGO_PKG_VERSION"))?;
        line.serialize_field("cut_off_bytes", &self.cut_off)?;
        line.end()
    }
}
