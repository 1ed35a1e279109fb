//! High watermarks on disk, in Signatory's files: `base_dir/watermark_v2/<chain id>.json`.
//!
//! A watermark is on the disk before KMS is asked: a file is written beside the old one, synced, and put in its place, and the folder is synced. Whoever
//! loses power then finds the old file or the new one, and in both cases signs nothing twice.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use kms_signer::{
    alloy_primitives::B256,
    tezos::{Advance, ChainId, HighWatermarks, Mark, MarkKind, PublicKeyHash, Request},
};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

const FOLDER: &str = "watermark_v2";
/// What Signatory had before, and turns into the other when it starts.
const OLDER: [&str; 2] = ["watermark", "watermark_v1"];
const LOCK: &str = "tezos-vault.lock";
/// A request names its chain, and each has a file: who may ask must not make files without end.
const MOST_CHAINS: usize = 16;

/// By key, then by kind.
type Content = BTreeMap<String, BTreeMap<String, Entry>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    level: u32,
    round: u32,
    #[serde(default)]
    hash: Option<String>,
}

/// The watermarks, and where they are kept. Clones share them.
#[derive(Clone, Debug)]
pub struct Marks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    marks: Mutex<HighWatermarks>,
    folder: Option<PathBuf>,
    /// Held as long as this lives, so that no second program keeps the same watermarks.
    _lock: Option<File>,
}

impl Marks {
    /// In memory only.
    pub fn in_memory() -> Self {
        Self(Arc::new(Shared { marks: Mutex::default(), folder: None, _lock: None }))
    }

    /// From the files below a folder, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is no watermark file, or another program holds them.
    pub fn open(base_dir: &Path) -> Result<Self, String> {
        let folder = base_dir.join(FOLDER);
        let wrong = |error: io::Error| format!("{}: {error}", folder.display());
        if !folder.exists()
            && let Some(older) = OLDER.iter().map(|name| base_dir.join(name)).find(|path| path.exists())
        {
            return Err(format!(
                "{} has watermarks of an older Signatory, which are not read; start a newer Signatory once, which makes {}",
                older.display(),
                folder.display()
            ));
        }
        if !folder.exists() {
            tracing::warn!(
                folder = %folder.display(),
                "there are no watermarks yet: if blocks were signed with these keys before, restore them, or one level may be signed twice"
            );
        }
        create(&folder).map_err(wrong)?;
        let lock = File::create(folder.join(LOCK)).map_err(wrong)?;
        if lock.try_lock().is_err() {
            return Err(format!("{}: another program keeps these watermarks", folder.display()));
        }
        let mut marks = HighWatermarks::default();
        for entry in fs::read_dir(&folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                read(&path, &mut marks).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        // What was read may be no further than the page cache; from now on it is taken for durable.
        sync_folder(&folder).map_err(wrong)?;
        tracing::info!(folder = %folder.display(), chains = marks.chains(), "watermarks");
        Ok(Self(Arc::new(Shared { marks: Mutex::new(marks), folder: Some(folder), _lock: Some(lock) })))
    }

    /// Lets a request pass, if nothing else was signed at its level and round or above; then it is on the disk.
    ///
    /// # Errors
    ///
    /// 409 if something else was signed, 500 if the file cannot be written.
    pub fn pass(&self, key: &PublicKeyHash, request: &Request, digest: B256) -> Result<Advance, Refusal> {
        let (Some(kind), Some(at)) = (MarkKind::of(request.kind()), request.position()) else {
            return Ok(Advance::None);
        };
        // What a panic left behind is what was durable: a mark is taken back unless it was written.
        let mut marks = self.0.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = marks.get(at.chain_id, key, kind).copied();
        if before.is_none() && marks.of_chain(at.chain_id).next().is_none() && marks.chains() >= MOST_CHAINS {
            let message =
                format!("there are watermarks of {MOST_CHAINS} chains, and this is one more: name allowed_chains");
            return Err(Refusal::new(409, message));
        }
        let advance = marks.advance(key, request, digest).map_err(|error| Refusal::new(409, error.to_string()))?;
        if advance == Advance::Raised
            && let Some(folder) = &self.0.folder
            && let Err(error) = write(folder, at.chain_id, &marks)
        {
            marks.take_back(key, request, before);
            tracing::error!(folder = %folder.display(), %error, "the watermark cannot be written");
            return Err(Refusal::new(500, "the watermark cannot be written, so nothing is signed"));
        }
        Ok(advance)
    }
}

/// Makes a folder and those above it, each durable in its own.
fn create(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        if let Some(above) = made.parent() {
            sync_folder(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
        }
    }
    Ok(())
}

/// A folder can be opened and synced on Unix only.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn read(path: &Path, marks: &mut HighWatermarks) -> Result<(), String> {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let chain_id: ChainId = name.parse().map_err(|_| "its name is no chain id".to_owned())?;
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| error.to_string())?;
    let content: Content = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    for (key, kinds) in content {
        let hash: PublicKeyHash = key.parse().map_err(|_| format!("{key} is no public key hash"))?;
        for (kind, Entry { level, round, hash: digest }) in kinds {
            let kind = match kind.as_str() {
                "block" => MarkKind::Block,
                "preattestation" | "preendorsement" => MarkKind::Preattestation,
                "attestation" | "attestation_with_dal" | "endorsement" => MarkKind::Attestation,
                other => return Err(format!("{other} is no kind of watermark")),
            };
            let digest = digest.map(|digest| Mark::digest_from_base58(&digest)).transpose();
            let digest = digest.map_err(|error| format!("{key}: {error}"))?;
            marks.restore(chain_id, hash, kind, Mark { level, round, digest });
        }
    }
    Ok(())
}

fn write(folder: &Path, chain_id: ChainId, marks: &HighWatermarks) -> io::Result<()> {
    let mut content = Content::new();
    for (key, kind, mark) in marks.of_chain(chain_id) {
        let kinds = content.entry(key.to_string()).or_default();
        let entry = || Entry { level: mark.level, round: mark.round, hash: mark.digest_to_base58() };
        kinds.insert(kind.name().to_owned(), entry());
        if kind == MarkKind::Attestation {
            // Should Signatory read it again, for which these are two.
            kinds.insert("attestation_with_dal".to_owned(), entry());
        }
    }
    let mut text = serde_json::to_vec_pretty(&content)?;
    text.push(b'\n');
    let path = folder.join(format!("{chain_id}.json"));
    let beside = folder.join(format!("{chain_id}.json.new"));
    let mut file = File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    sync_folder(folder)
}
