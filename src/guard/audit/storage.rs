//! The file: what is asked of it, and whether it is still the one that was opened.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// What the writer needs of a file. Tests put one in its place that fails as disks do.
pub(super) trait Storage: Send + Sync {
    /// Whether it still has its place and the length it was left with.
    fn check(&self, expected: u64) -> Result<(), Displaced>;

    /// Reads from a place on; where it writes stays as it is.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Appends.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off what is beyond this length.
    fn cut(&self, len: u64) -> io::Result<()>;

    /// Makes what was written survive a loss of power.
    fn sync(&self) -> io::Result<()>;
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
            found if found != expected => Err(Displaced::Length { found, expected }),
            _ => Ok(()),
        }
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, at)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, at)
    }

    #[cfg(not(any(unix, windows)))]
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A process that is being started has a copy of every handle for a moment, and would keep the lock as long.
impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Reads the beginning of a file through the handle that has its lock: on Windows no other can.
pub(super) struct Beginning<'a> {
    storage: &'a dyn Storage,
    at: u64,
    end: u64,
}

impl<'a> Beginning<'a> {
    pub(super) fn new(storage: &'a dyn Storage, end: u64) -> Self {
        Self { storage, at: 0, end }
    }
}

impl Read for Beginning<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..left).unwrap_or_default();
        let read = self.storage.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
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
