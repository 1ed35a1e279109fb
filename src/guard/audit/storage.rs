//! The file: what is asked of it, and whether it is still the one that was opened.

use std::{
    fs::{self, File, Metadata},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What the writer needs of a file. Tests put one in its place that fails as disks do.
pub(super) trait Storage: Send {
    /// Whether it still has its place and the length it was left with.
    fn check(&self, expected: u64) -> Result<(), Displaced>;

    /// Appends.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off what is beyond this length.
    fn cut(&mut self, len: u64) -> io::Result<()>;

    /// Makes what was written survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

/// Why a file is no longer the one that was opened.
pub(super) enum Displaced {
    Unreachable(io::Error),
    Replaced,
    Length { found: u64, expected: u64 },
}

/// A file open for appending, under its exclusive lock.
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    opened: Metadata,
}

impl LogFile {
    pub(super) fn new(file: File, path: PathBuf, opened: Metadata) -> Self {
        Self { file, path, opened }
    }
}

impl Storage for LogFile {
    fn check(&self, expected: u64) -> Result<(), Displaced> {
        let now = fs::metadata(&self.path).map_err(Displaced::Unreachable)?;
        if !is_same(&now, &self.opened) {
            return Err(Displaced::Replaced);
        }
        match now.len() {
            found if now.is_file() && found != expected => Err(Displaced::Length { found, expected }),
            _ => Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        // A device has no length.
        if self.opened.is_file() { self.file.set_len(len) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.opened.is_file() { self.file.sync_data() } else { Ok(()) }
    }
}

/// Makes a new file's name survive a loss of power.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match fs::canonicalize(path)?.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    a.file_type() == b.file_type() && a.created().ok() == b.created().ok()
}

#[cfg(unix)]
pub(super) fn is_device(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;

    metadata.file_type().is_char_device()
}

#[cfg(not(unix))]
pub(super) fn is_device(_: &Metadata) -> bool {
    false
}
