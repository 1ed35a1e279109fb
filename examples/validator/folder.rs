//! The folder of one validator's checkpoints for one chain: what was signed is never forgotten, and nothing is half written.
//!
//! - `signed.jsonl`, the journal: every checkpoint, appended before it is signed. An index that is in it is never signed with another
//!   root or message id, whatever becomes of the process, the machine or the file below. It is written anew at each start.
//! - `checkpoint_<index>_with_id.json`: the signed checkpoint.
//! - `checkpoint_latest_index.json`: the highest index that was written.
//! - `.lock`: held, as is the journal, for as long as a process uses the folder.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{
    cli::Outcome,
    hyperlane::{Checkpoint, CheckpointWithMessageId, Signed},
    lines::{End, read_line},
};

const JOURNAL: &str = "signed.jsonl";
const LATEST: &str = "checkpoint_latest_index.json";

pub(crate) struct Folder {
    /// Canonical: whatever becomes of a symbolic link on the way, all files are of one folder.
    path: PathBuf,
    validator: Address,
    chain: Option<Chain>,
    /// What each index is bound to.
    bound: HashMap<u32, (B256, B256)>,
    latest: Option<u32>,
    journal: File,
    /// Lines of the journal that are not in the file yet.
    unwritten: Vec<u8>,
    _lock: File,
}

/// Indices count for one Merkle tree hook of one domain.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Chain {
    domain: u32,
    hook: B256,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    validator: Address,
    value: CheckpointWithMessageId,
}

pub(crate) enum Verdict {
    Sign,
    /// The file is there.
    Published,
    Refused(String),
}

impl Folder {
    /// Takes the folder for this process, and creates it where it is missing.
    pub(crate) fn open(path: &Path, validator: Address) -> Outcome<Self> {
        let named = |error: io::Error| format!("{}: {error}", path.display());
        create(path).map_err(named)?;
        let path = path.canonicalize().map_err(named)?;
        // Whoever created it may have ended before its name was durable.
        sync_parent(&path)?;
        let lock = File::create(path.join(".lock"))?;
        lock_for_us(&lock, &path)?;
        let mut folder = Self {
            validator,
            chain: None,
            bound: HashMap::new(),
            latest: None,
            journal: take_journal(&path)?,
            unwritten: Vec::new(),
            _lock: lock,
            path,
        };
        folder.renew_journal()?;
        if folder.chain.is_none() {
            folder.chain = folder.chain_of_files()?;
        }
        folder.latest = match fs::read_to_string(folder.path.join(LATEST)) {
            Ok(text) => Some(text.trim().parse().map_err(|_| format!("{LATEST} holds no index"))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn latest(&self) -> Option<u32> {
        self.latest
    }

    /// Whether a checkpoint may be signed. If so its index is bound to it: nothing else may be signed for that index.
    ///
    /// It must not be signed before [`commit`](Self::commit).
    pub(crate) fn admit(&mut self, value: &CheckpointWithMessageId) -> Outcome<Verdict> {
        let Checkpoint { root, index, .. } = value.checkpoint;
        let chain = Chain::of(value);
        let chain_here = *self.chain.get_or_insert(chain);
        if chain != chain_here {
            return Ok(Verdict::Refused(format!("this folder is for {chain_here}, not {chain}")));
        }
        let content = (root, value.message_id);
        let bound = self.bound.get(&index).copied();
        if let Some(bound) = bound.filter(|bound| *bound != content) {
            return Ok(Verdict::Refused(second(index, bound, content)));
        }
        let verdict = match self.published(index) {
            None => Verdict::Sign,
            Some(Ok(published)) if published == *value => Verdict::Published,
            Some(Ok(CheckpointWithMessageId { checkpoint, message_id })) => {
                return Ok(Verdict::Refused(second(index, (checkpoint.root, message_id), content)));
            }
            Some(Err(reason)) => return Ok(Verdict::Refused(reason)),
        };
        if bound.is_none() {
            serde_json::to_writer(&mut self.unwritten, &Entry { validator: self.validator, value: *value })?;
            self.unwritten.push(b'\n');
            self.bound.insert(index, content);
        }
        Ok(verdict)
    }

    /// Makes durable what was admitted. After an error nothing may be signed any more.
    pub(crate) fn commit(&mut self) -> Outcome {
        if !self.unwritten.is_empty() {
            self.journal.write_all(&self.unwritten)?;
            self.unwritten.clear();
            self.journal.sync_data()?;
        }
        // Another process reads what is there by name: if that is not this file, it would sign another root.
        if !is_at(&self.journal, &self.path.join(JOURNAL))? {
            return Err(format!(
                "{} is not the file any more that this process took: it was moved, removed or replaced. Nothing is signed \
                 until it is back",
                self.path.join(JOURNAL).display()
            )
            .into());
        }
        Ok(())
    }

    /// Makes durable that files were written, and then says so to the relayers.
    pub(crate) fn advance(&mut self, index: u32) -> io::Result<()> {
        sync_folder(&self.path)?;
        if self.latest.is_none_or(|latest| index > latest) {
            write(&self.path, LATEST, index.to_string().as_bytes())?;
            sync_folder(&self.path)?;
            self.latest = Some(index);
        }
        Ok(())
    }

    /// What is in the file for an index, or why it cannot be relied on.
    fn published(&self, index: u32) -> Option<Result<CheckpointWithMessageId, String>> {
        match self.read_checkpoint(&checkpoint_name(index)) {
            Ok(found) => found.map(Ok),
            Err(reason) => Some(Err(reason)),
        }
    }

    fn read_checkpoint(&self, name: &str) -> Result<Option<CheckpointWithMessageId>, String> {
        let bytes = match fs::read(self.path.join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{name}: {error}")),
        };
        let signed: Signed<CheckpointWithMessageId> =
            serde_json::from_slice(&bytes).map_err(|error| format!("{name} is no signed checkpoint: {error}"))?;
        if signed.signer() != Some(self.validator) {
            return Err(format!("{name} is not signed by {}", self.validator));
        }
        Ok(Some(signed.value))
    }

    /// Reads the journal, and writes what was read into a new one, which takes its place.
    ///
    /// What was read may be in memory only: its writer may have ended before it was durable, or was told that it cannot be made
    /// so, which the system says once. Therefore it is written again, and never read a second time.
    fn renew_journal(&mut self) -> Outcome {
        let part = self.path.join(format!("{JOURNAL}.part"));
        let renewed = File::create(&part)?;
        // Before it has the journal's name, so that no other process finds one that is free.
        lock_for_us(&renewed, &self.path)?;
        self.copy_journal(&renewed)?;
        renewed.sync_all()?;
        fs::rename(&part, self.path.join(JOURNAL))?;
        sync_folder(&self.path)?;
        self.journal = renewed;
        Ok(())
    }

    fn copy_journal(&mut self, renewed: &File) -> Outcome {
        let (mut file, mut copy, mut line) = (BufReader::new(&self.journal), BufWriter::new(renewed), Vec::new());
        for number in 1.. {
            let Some(end) = read_line(&mut file, &mut line)? else { break };
            let entry = serde_json::from_slice::<Entry>(&line);
            let Ok(Entry { validator, value }) = entry else {
                // Whoever wrote it came to its end before the line was durable, so nothing was signed for it.
                if end == End::Input {
                    break;
                }
                return Err(damaged(number).into());
            };
            if validator != self.validator {
                return Err(format!("this folder is for the validator {validator}, not {}", self.validator).into());
            }
            let chain = *self.chain.get_or_insert(Chain::of(&value));
            let content = (value.checkpoint.root, value.message_id);
            if chain != Chain::of(&value) || *self.bound.entry(value.checkpoint.index).or_insert(content) != content {
                return Err(damaged(number).into());
            }
            line.push(b'\n');
            copy.write_all(&line)?;
        }
        Ok(copy.flush()?)
    }

    /// For which chain the checkpoints are that were written without a journal, for instance by Hyperlane's own agent.
    fn chain_of_files(&self) -> Outcome<Option<Chain>> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if let Some(name) = name.to_str().filter(|name| is_checkpoint(name)) {
                return Ok(self.read_checkpoint(name)?.map(|value| Chain::of(&value)));
            }
        }
        Ok(None)
    }
}

impl Chain {
    fn of(value: &CheckpointWithMessageId) -> Self {
        Self { domain: value.checkpoint.mailbox_domain, hook: value.checkpoint.merkle_tree_hook_address }
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "domain {} and Merkle tree hook {}", self.domain, self.hook)
    }
}

pub(crate) fn checkpoint_name(index: u32) -> String {
    format!("checkpoint_{index}_with_id.json")
}

fn is_checkpoint(name: &str) -> bool {
    let index = name.strip_prefix("checkpoint_").and_then(|rest| rest.strip_suffix("_with_id.json"));
    index.is_some_and(|index| index.parse::<u32>().is_ok())
}

/// Writes a file whole or not at all. Its name is durable only after [`sync_folder`].
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.part"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, folder.join(name))
}

pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Creates a folder and those above it, each with a name that is durable.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync_parent(&path.canonicalize()?).map_err(io::Error::other),
    }
}

/// Makes the name of a folder durable, whose path is canonical.
fn sync_parent(path: &Path) -> Result<(), String> {
    let Some(parent) = path.parent() else { return Ok(()) };
    sync_folder(parent).map_err(|error| format!("{}: {error}", parent.display()))
}

/// Opens the journal, creates it where it is missing, and locks it: the other lock may be a file of the same name only.
fn take_journal(path: &Path) -> Outcome<File> {
    let journal = OpenOptions::new().read(true).append(true).create(true).open(path.join(JOURNAL))?;
    lock_for_us(&journal, path)?;
    // Its owner may have renewed it between the two.
    if is_at(&journal, &path.join(JOURNAL))? { Ok(journal) } else { Err(in_use(path).into()) }
}

fn lock_for_us(file: &File, folder: &Path) -> Result<(), String> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(folder)),
        Err(TryLockError::Error(error)) => Err(format!("{}: {error}", folder.display())),
    }
}

/// Whether an open file is the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Ok(found) => Ok(identity(found) == identity(file.metadata()?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere the standard library does not tell which file it is. There a file that is open is not easily replaced.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

fn in_use(folder: &Path) -> String {
    format!("{} is in use by another process", folder.display())
}

fn second(index: u32, (root, message): (B256, B256), (other_root, other_message): (B256, B256)) -> String {
    format!(
        "index {index} is bound to root {root} and message {message}; root {other_root} and message {other_message} are never signed"
    )
}

fn damaged(line: u64) -> String {
    format!(
        "{JOURNAL}, line {line}, is damaged. It says what must not be signed again, so nothing is signed until it is put right"
    )
}
