//! The folder of one validator's checkpoints for one chain: what was signed is never forgotten, and nothing is half written.
//!
//! - `signed.jsonl`: every checkpoint, appended before it is signed. An index that is in it is never signed with another root or
//!   message id, whatever becomes of the process, the machine or the file below.
//! - `checkpoint_<index>_with_id.json`: the signed checkpoint.
//! - `checkpoint_latest_index.json`: the highest index that was written.
//! - `.lock`: held for as long as a process uses the folder.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, ErrorKind, Write},
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
        create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let lock = File::create(path.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("{} is in use by another process", path.display()).into());
            }
            Err(TryLockError::Error(error)) => return Err(format!("{}: {error}", path.display()).into()),
        }
        let journal = OpenOptions::new().read(true).append(true).create(true).open(path.join(JOURNAL))?;
        sync_folder(path)?;
        let mut folder = Self {
            path: path.to_owned(),
            validator,
            chain: None,
            bound: HashMap::new(),
            latest: None,
            journal,
            unwritten: Vec::new(),
            _lock: lock,
        };
        folder.read_journal()?;
        if folder.chain.is_none() {
            folder.chain = folder.chain_of_files()?;
        }
        folder.latest = match fs::read_to_string(path.join(LATEST)) {
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
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        self.journal.write_all(&self.unwritten)?;
        self.unwritten.clear();
        self.journal.sync_data()
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

    fn read_journal(&mut self) -> Outcome {
        let (mut file, mut line) = (BufReader::new(&self.journal), Vec::new());
        let mut whole = 0;
        let mut torn = None;
        for number in 1.. {
            let Some(end) = read_line(&mut file, &mut line)? else { break };
            let entry = serde_json::from_slice::<Entry>(&line);
            let Ok(Entry { validator, value }) = entry else {
                // Whoever wrote it came to its end before the line was durable, so nothing was signed for it.
                if end == End::Input {
                    torn = Some(whole);
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
            if end == End::Input {
                self.unwritten.push(b'\n');
            }
            whole += line.len() as u64 + 1;
        }
        if let Some(len) = torn {
            self.journal.set_len(len)?;
        }
        // What was read may be in memory only: its writer may have ended before it was durable.
        self.journal.sync_data()?;
        Ok(())
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

fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    path.canonicalize()?.parent().map_or(Ok(()), sync_folder)
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
