//! The example `validator`: a thousand checkpoints, each checked by a hash that is computed here, and never two roots for one index.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Output, Stdio},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Signature, U256, address, b256, hex, keccak256};
use base64::{Engine, prelude::BASE64_STANDARD};
use kms_signer::{
    KmsSigner,
    fake::{FakeKms, Fault},
};
use serde_json::Value;

use crate::{
    examples::{example, example_at, text},
    serve,
};

const DOMAIN: u32 = 1;
const HOOK: Address = address!("0x48e6c30b97748d1e2e03bf3e9fbe3890ca5f8cca");

/// What is signed for an index: one of two histories of the chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum History {
    First,
    Other,
}

impl History {
    fn root(self, index: u32) -> B256 {
        keccak256(format!("{self:?} root {index}"))
    }

    fn message(self, index: u32) -> B256 {
        keccak256(format!("{self:?} message {index}"))
    }

    fn line(self, index: u32) -> String {
        line(DOMAIN, HOOK.into_word(), self.root(index), index, self.message(index))
    }

    fn lines(self, indices: impl IntoIterator<Item = u32>) -> String {
        indices.into_iter().map(|index| self.line(index)).collect()
    }

    /// The EIP-191 digest that KMS is given.
    fn digest(self, index: u32) -> B256 {
        let domain = domain_hash(DOMAIN, HOOK.into_word(), b"HYPERLANE");
        let mut content = domain.to_vec();
        content.extend(self.root(index));
        content.extend(index.to_be_bytes());
        content.extend(self.message(index));
        eip191(keccak256(content))
    }
}

fn line(domain: u32, hook: B256, root: B256, index: u32, message: B256) -> String {
    format!(
        "{{\"checkpoint\":{{\"merkle_tree_hook_address\":\"{hook}\",\"mailbox_domain\":{domain},\
         \"root\":\"{root}\",\"index\":{index}}},\"message_id\":\"{message}\"}}\n"
    )
}

fn domain_hash(domain: u32, address: B256, purpose: &[u8]) -> B256 {
    let mut content = domain.to_be_bytes().to_vec();
    content.extend(address);
    content.extend(purpose);
    keccak256(content)
}

fn eip191(hash: B256) -> B256 {
    let mut content = b"\x19Ethereum Signed Message:\n32".to_vec();
    content.extend(hash);
    keccak256(content)
}

/// A KMS with one key, a folder for its validator, and the program.
struct Validator {
    kms: FakeKms,
    key: String,
    endpoint: String,
    address: Address,
    folder: PathBuf,
}

impl Validator {
    fn new(name: &str) -> Self {
        let kms = FakeKms::new();
        let key = kms.create_key().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let address = runtime.block_on(KmsSigner::new(kms.client(), &key, None)).unwrap().address();
        let folder = std::env::temp_dir().join(format!("kms-signer-validator-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self { endpoint: format!("http://{}", serve(&kms)), key: key.to_string(), kms, address, folder }
    }

    fn command(&self, duty: &[&str]) -> Command {
        let mut command = example_at("validator", &self.endpoint);
        command.args(["--key-id", &self.key, "--out"]).arg(&self.folder).args(duty);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, input: impl Into<Vec<u8>>) -> Child {
        let mut child = self.command(&["sign"]).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.into());
        // A program that ends early does not read it all.
        std::thread::spawn(move || stdin.write_all(&input));
        child
    }

    /// A process that has signed index 0 and waits for more.
    fn waiting(&self) -> (Child, ChildStdin) {
        let mut child = self.command(&["sign"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(History::First.line(0).as_bytes()).unwrap();
        let begun = Instant::now();
        while self.latest() != Some(0) {
            assert!(begun.elapsed() < Duration::from_secs(30), "it waits for more lines");
            std::thread::sleep(Duration::from_millis(5));
        }
        (child, stdin)
    }

    fn sign(&self, input: impl Into<Vec<u8>>) -> Output {
        self.start(input).wait_with_output().unwrap()
    }

    #[track_caller]
    fn signs(&self, input: impl Into<Vec<u8>>) -> String {
        let output = self.sign(input);
        let (out, err) = text(&output);
        assert!(output.status.success(), "{out}{err}");
        out
    }

    /// Some lines are refused. What it says of them, and its last line.
    #[track_caller]
    fn refuses(&self, input: impl Into<Vec<u8>>) -> (Vec<String>, String) {
        let output = self.sign(input);
        let (out, err) = text(&output);
        assert!(!output.status.success() && !err.contains("panicked"), "{out}{err}");
        let mut lines: Vec<String> =
            err.lines().filter(|line| !line.starts_with("Connecting")).map(str::to_owned).collect();
        let last = lines.pop().unwrap();
        assert!(last.starts_with("error: "), "{err}");
        (lines, last)
    }

    fn path(&self, index: u32) -> PathBuf {
        self.folder.join(format!("checkpoint_{index}_with_id.json"))
    }

    /// The file is byte for byte what Hyperlane's agents write, and its signature is this validator's.
    #[track_caller]
    fn assert_published(&self, history: History, index: u32) {
        let file = fs::read_to_string(self.path(index)).unwrap();
        let signature: Value = serde_json::from_str::<Value>(&file).unwrap()["signature"].take();
        let (r, s) = (number(&signature["r"]), number(&signature["s"]));
        let v = signature["v"].as_u64().unwrap();
        assert!(v == 27 || v == 28, "{file}");
        let recovered = Signature::new(r, s, v == 28).recover_address_from_prehash(&history.digest(index)).unwrap();
        assert_eq!(recovered, self.address, "{file}");

        let serialized = hex::encode([&r.to_be_bytes::<32>()[..], &s.to_be_bytes::<32>(), &[v as u8]].concat());
        let (root, message) = (history.root(index), history.message(index));
        let expected = format!(
            r#"{{
  "value": {{
    "checkpoint": {{
      "merkle_tree_hook_address": "0x000000000000000000000000{hook}",
      "mailbox_domain": {DOMAIN},
      "root": "{root}",
      "index": {index}
    }},
    "message_id": "{message}"
  }},
  "signature": {{
    "r": "{r:#x}",
    "s": "{s:#x}",
    "v": {v}
  }},
  "serialized_signature": "0x{serialized}"
}}"#,
            hook = hex::encode(HOOK),
        );
        assert_eq!(file, expected);
    }

    /// The digests that KMS was asked to sign, each with how often.
    fn digests(&self) -> BTreeMap<B256, usize> {
        let mut digests = BTreeMap::new();
        for request in self.kms.requests().iter().filter(|request| request.operation() == "Sign") {
            let body: Value = serde_json::from_str(request.body()).unwrap();
            let digest = BASE64_STANDARD.decode(body["Message"].as_str().unwrap()).unwrap();
            *digests.entry(B256::from_slice(&digest)).or_default() += 1;
        }
        digests
    }

    fn latest(&self) -> Option<u32> {
        let text = fs::read_to_string(self.folder.join("checkpoint_latest_index.json")).ok()?;
        Some(text.parse().unwrap())
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("signed.jsonl")
    }

    fn files(&self) -> usize {
        let names = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with("_with_id.json")).count()
    }

    /// Ends the process by SIGKILL once some files are there, while it waits for answers to the lines after the first 200.
    fn killed_half_way(&self, input: String) -> usize {
        self.kms.inject(Fault::latency(Duration::from_millis(30)).on("Sign").times(200));
        self.kms.inject(Fault::latency(Duration::from_secs(60)).on("Sign").forever());
        let mut child = self.start(input);
        let begun = Instant::now();
        while !self.folder.exists() || self.files() < 150 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not sign");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.kms.clear_faults();
        self.files()
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn number(value: &Value) -> U256 {
    let text = value.as_str().unwrap();
    assert!(text.starts_with("0x") && !text.starts_with("0x0"), "{text}");
    text.parse().unwrap()
}

#[test]
fn a_thousand_indices_each_with_one_root_for_ever() {
    let validator = Validator::new("thousand");
    let out = validator.signs(History::First.lines(0..1_000));
    assert!(out.contains("signed 1000, skipped 0, refused 0, failed 0"), "{out}");
    for index in 0..1_000 {
        validator.assert_published(History::First, index);
    }
    assert_eq!(validator.latest(), Some(999));
    let asked = validator.digests();
    assert_eq!(asked.len(), 1_000);

    // Each run is a restart.
    let (refused, last) = validator.refuses(History::Other.lines(0..1_000));
    assert_eq!(refused.len(), 1_000);
    assert!(refused[7].starts_with("line 8: index 7 is bound to root 0x"), "{}", refused[7]);
    assert!(refused[7].contains(&History::Other.root(7).to_string()), "{}", refused[7]);
    assert!(last.contains("1000 lines"), "{last}");
    // The same again is no error.
    let out = validator.signs(History::First.lines(0..1_000));
    assert!(out.contains("signed 0, skipped 1000, refused 0"), "{out}");
    assert_eq!(validator.digests(), asked, "KMS was asked again");
    validator.assert_published(History::First, 7);
}

#[test]
fn a_second_root_in_the_same_input_does_not_hold_up_the_others() {
    let validator = Validator::new("second-root");
    let mut other_message =
        History::First.line(3).replace(&History::First.message(3).to_string(), &History::Other.message(3).to_string());
    other_message.push_str(&History::First.line(3));
    let input = [History::First.lines(0..5), History::Other.line(2), other_message, History::First.line(5)].concat();
    let (refused, last) = validator.refuses(input);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].starts_with("line 6: index 2 is bound") && refused[1].starts_with("line 7: index 3 is bound"));
    assert!(last.contains("2 lines"), "{last}");
    for index in 0..6 {
        validator.assert_published(History::First, index);
    }
    assert_eq!(validator.digests().values().sum::<usize>(), 6);
}

#[test]
fn killed_half_way_it_goes_on_where_it_was() {
    let validator = Validator::new("killed");
    let before = validator.killed_half_way(History::First.lines(0..1_000));
    assert!(before <= 200, "it was not killed half-way");
    assert!(validator.latest().is_none_or(|latest| validator.path(latest).exists()));
    let out = validator.signs(History::First.lines(0..1_000));
    assert!(out.contains(&format!("signed {}, skipped {before},", 1_000 - before)), "{before}: {out}");
    for index in 0..1_000 {
        validator.assert_published(History::First, index);
    }
    assert_eq!(validator.latest(), Some(999));
}

#[test]
fn killed_half_way_and_given_another_history_no_index_has_two_roots() {
    let validator = Validator::new("reorg");
    validator.killed_half_way(History::First.lines(0..1_000));
    let bound: BTreeSet<u32> = fs::read_to_string(validator.journal())
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["value"]["checkpoint"]["index"].as_u64().unwrap() as u32
        })
        .collect();
    // What KMS was asked was in the journal before.
    let journalled: BTreeSet<B256> = bound.iter().map(|index| History::First.digest(*index)).collect();
    assert!(validator.digests().into_keys().all(|digest| journalled.contains(&digest)));
    let (refused, _) = validator.refuses(History::Other.lines(0..1_000));
    assert_eq!(refused.len(), bound.len());
    let (refused, _) = validator.refuses(History::First.lines(0..1_000));
    assert_eq!(refused.len(), 1_000 - bound.len());

    let asked = validator.digests();
    for index in 0..1_000 {
        let history = if bound.contains(&index) { History::First } else { History::Other };
        let other = if bound.contains(&index) { History::Other } else { History::First };
        validator.assert_published(history, index);
        assert!(!asked.contains_key(&other.digest(index)), "two roots for {index}");
    }
}

#[test]
fn a_journal_that_ends_in_half_a_line_is_taken_up() {
    let validator = Validator::new("torn");
    validator.signs(History::First.lines(0..3));
    let whole = fs::read_to_string(validator.journal()).unwrap();
    fs::write(validator.journal(), format!("{whole}{}", &whole[..80])).unwrap();
    validator.signs(History::First.lines(0..4));
    validator.assert_published(History::First, 3);
    let journal = fs::read_to_string(validator.journal()).unwrap();
    assert!(journal.starts_with(&whole) && journal.lines().count() == 4, "{journal}");

    // Only its newline is missing: it counts.
    fs::write(validator.journal(), journal.trim_end()).unwrap();
    fs::remove_file(validator.path(3)).unwrap();
    let (refused, _) = validator.refuses(History::Other.line(3));
    assert!(refused[0].contains("index 3 is bound"), "{refused:?}");
    validator.signs(History::First.lines(3..5));
    assert_eq!(fs::read_to_string(validator.journal()).unwrap().lines().count(), 5);
}

#[test]
fn a_journal_that_is_damaged_is_not_guessed_at() {
    let validator = Validator::new("damaged");
    validator.signs(History::First.lines(0..3));
    let asked = validator.digests();
    let whole = fs::read_to_string(validator.journal()).unwrap();
    let second = History::Other.line(1);
    let twice = format!("{whole}{{\"validator\":\"{}\",\"value\":{}}}\n", validator.address, second.trim_end());
    for damaged in [whole.replacen("checkpoint", "chickpoint", 1), format!("\0\0\0\n{whole}"), twice] {
        fs::write(validator.journal(), damaged).unwrap();
        let (_, error) = validator.refuses(History::First.line(3));
        assert!(error.contains("signed.jsonl, line ") && error.contains("damaged"), "{error}");
    }
    assert_eq!(validator.digests(), asked);
}

#[test]
fn the_journal_and_the_files_each_say_what_was_signed() {
    let validator = Validator::new("either");
    validator.signs(History::First.lines(0..2));

    fs::remove_file(validator.path(0)).unwrap();
    let (refused, _) = validator.refuses(History::Other.line(0));
    assert!(refused[0].contains("index 0 is bound"), "{refused:?}");
    // The file is made again.
    validator.signs(History::First.line(0));
    validator.assert_published(History::First, 0);

    fs::remove_file(validator.journal()).unwrap();
    let (refused, _) = validator.refuses([History::Other.line(0), History::Other.line(1)].concat());
    assert!(refused.len() == 2 && refused[1].contains("index 1 is bound"), "{refused:?}");
    let other_chain = line(DOMAIN + 1, HOOK.into_word(), B256::ZERO, 9, B256::ZERO);
    let (refused, _) = validator.refuses(other_chain);
    assert!(refused[0].contains("this folder is for domain 1"), "{refused:?}");

    fs::write(validator.path(2), "{}").unwrap();
    let (_, error) = validator.refuses(History::First.line(2));
    assert!(error.contains("checkpoint_2_with_id.json") || error.contains("1 lines"), "{error}");
    fs::remove_file(validator.path(2)).unwrap();
    // From the files the journal is made again.
    let out = validator.signs(History::First.lines(0..2));
    assert!(out.contains("signed 0, skipped 2"), "{out}");
    assert_eq!(fs::read_to_string(validator.journal()).unwrap().lines().count(), 2);

    fs::write(validator.path(2), "{}").unwrap();
    let (refused, _) = validator.refuses(History::First.line(2));
    assert!(refused[0].contains("checkpoint_2_with_id.json is no signed checkpoint"), "{refused:?}");
    let forged = fs::read_to_string(validator.path(1)).unwrap().replace("\"index\": 1", "\"index\": 2");
    fs::write(validator.path(2), forged).unwrap();
    let (refused, _) = validator.refuses(History::First.line(2));
    assert!(refused[0].contains("is not signed by"), "{refused:?}");
}

#[test]
fn a_folder_is_for_one_process_one_chain_and_one_validator() {
    let validator = Validator::new("folder");
    // A line of a slow input does not wait for others.
    let (child, stdin) = validator.waiting();
    let (_, error) = validator.refuses(History::First.line(1));
    assert!(error.contains("in use by another process"), "{error}");
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());

    let other_domain = line(DOMAIN + 1, HOOK.into_word(), B256::ZERO, 1, B256::ZERO);
    let other_hook = line(DOMAIN, B256::repeat_byte(7), B256::ZERO, 1, B256::ZERO);
    let (refused, _) = validator.refuses([other_domain, other_hook, History::First.line(1)].concat());
    assert!(refused.len() == 2 && refused[0].contains("not domain 2 and"), "{refused:?}");
    validator.assert_published(History::First, 1);

    let mut stranger = Validator::new("stranger");
    stranger.folder.clone_from(&validator.folder);
    let (_, error) = stranger.refuses(History::First.line(2));
    assert!(error.contains(&format!("for the validator {}", validator.address)), "{error}");
}

/// A lock is for the files that are locked, and not for their names.
#[cfg(unix)]
#[test]
fn a_folder_that_is_pulled_away_is_not_signed_for_twice() {
    for pulled in ["lock", "both", "folder"] {
        let validator = Validator::new(pulled);
        let (child, mut stdin) = validator.waiting();
        let moved = validator.folder.with_extension("moved");
        fs::remove_file(validator.folder.join(".lock")).unwrap();
        match pulled {
            "both" => fs::remove_file(validator.journal()).unwrap(),
            "folder" => fs::rename(&validator.folder, &moved).unwrap(),
            _ => {
                let (_, error) = validator.refuses(History::Other.line(1));
                assert!(error.contains("in use by another process"), "{error}");
            }
        }
        if pulled != "lock" {
            validator.signs(History::Other.line(1));
        }
        let asked = validator.digests();
        stdin.write_all(History::First.line(1).as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let (out, err) = text(&output);
        if pulled == "lock" {
            assert!(output.status.success(), "{out}{err}");
            validator.assert_published(History::First, 1);
        } else {
            assert!(!output.status.success() && err.contains("moved, removed or replaced"), "{out}{err}");
            assert_eq!(validator.digests(), asked);
            validator.assert_published(History::Other, 1);
        }
        let _ = fs::remove_dir_all(moved);
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_is_pointed_elsewhere_does_not_part_the_files() {
    let mut validator = Validator::new("link");
    let (one, other) = (validator.folder.with_extension("one"), validator.folder.with_extension("other"));
    fs::create_dir_all(&one).unwrap();
    fs::create_dir_all(&other).unwrap();
    std::os::unix::fs::symlink(&one, &validator.folder).unwrap();
    let (child, mut stdin) = validator.waiting();
    fs::remove_file(&validator.folder).unwrap();
    std::os::unix::fs::symlink(&other, &validator.folder).unwrap();
    stdin.write_all(History::First.line(1).as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(validator.files(), 0);
    fs::remove_file(&validator.folder).unwrap();
    validator.folder = one;
    validator.assert_published(History::First, 1);
    assert_eq!((validator.files(), validator.latest()), (2, Some(1)));
    fs::remove_dir_all(other).unwrap();
}

/// What is read may be in memory only, where a disk has failed: it is written again before it is relied on.
#[cfg(unix)]
#[test]
fn each_start_writes_the_journal_anew() {
    use std::os::unix::fs::MetadataExt;

    let validator = Validator::new("renewed");
    validator.signs(History::First.lines(0..3));
    let (before, whole) = (fs::File::open(validator.journal()).unwrap(), fs::read(validator.journal()).unwrap());
    validator.signs(History::First.line(0));
    assert_eq!(fs::read(validator.journal()).unwrap(), whole);
    assert_ne!(fs::metadata(validator.journal()).unwrap().ino(), before.metadata().unwrap().ino());
}

#[test]
fn an_error_of_the_disk_leaves_nobody_writing() {
    let validator = Validator::new("disk");
    for index in (0..64).step_by(2) {
        // It cannot be written.
        fs::create_dir_all(validator.folder.join(format!("checkpoint_{index}_with_id.json.part"))).unwrap();
    }
    for (latency, times) in [(1_000, 1), (0, 16), (300, 64)] {
        validator.kms.inject(Fault::latency(Duration::from_millis(latency)).on("Sign").times(times));
    }
    let mut child = validator.command(&["sign"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // While this one is signed, the others gather.
    stdin.write_all(History::First.line(64).as_bytes()).unwrap();
    let begun = Instant::now();
    while validator.digests().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it waits for more lines");
        std::thread::sleep(Duration::from_millis(5));
    }
    stdin.write_all(History::First.lines(0..64).as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let (_, error) = text(&output);
    assert!(!output.status.success());
    // What KMS was asked for it answered, and what it answered is there.
    let asked = validator.digests();
    for index in (0..64).filter(|index| asked.contains_key(&History::First.digest(*index))) {
        if index % 2 == 1 {
            validator.assert_published(History::First, index);
        }
    }
    assert!(asked.len() > 16, "{}", asked.len());
    assert!(error.contains("_with_id.json: "), "{error}");
}

#[test]
fn a_folder_is_created_with_those_above_it() {
    let mut validator = Validator::new("above");
    let above = validator.folder.clone();
    validator.folder.push("ethereum/validator");
    validator.signs(History::First.line(0));
    validator.assert_published(History::First, 0);
    fs::remove_dir_all(above).unwrap();
}

#[test]
fn lines_that_are_no_checkpoints_are_named() {
    let validator = Validator::new("bad-lines");
    let short = History::First.line(1).replace(&HOOK.into_word().to_string(), &HOOK.to_string());
    let bad = [
        "nonsense\n".to_owned(),
        format!("{}\n", "x".repeat(10_000)),
        History::First.line(9).replace("\"index\":9", "\"index\":4294967296"),
        History::First.line(9).replace("\"index\":9", "\"index\":9,\"chain\":1"),
        History::First.line(9).replace("\"index\":9", "\"index\":9,\"index\":8"),
        History::First.line(9).replace("\"root\":\"0x", "\"root\":\"0x00"),
        History::First.line(9).replace(&HOOK.into_word().to_string(), "0x1234"),
        History::First.line(9)[..200].to_owned(),
    ];
    let input = [History::First.line(0), "\n".to_owned(), short, bad.concat()].concat();
    let (refused, last) = validator.refuses(input);
    for (number, refused) in (4..).zip(&refused) {
        assert!(refused.starts_with(&format!("line {number}: ")), "{refused}");
    }
    assert_eq!(refused.len(), bad.len(), "{refused:?}");
    assert!(refused[1].contains("longer than") && refused[6].contains("20 or 32 bytes"), "{refused:?}");
    assert!(last.contains("8 lines"), "{last}");
    validator.assert_published(History::First, 0);
    validator.assert_published(History::First, 1);
    assert_eq!(validator.files(), 2);
}

#[test]
fn where_kms_refuses_the_next_run_finishes() {
    let validator = Validator::new("denied");
    validator.kms.inject(Fault::error("AccessDeniedException", 400, "not authorized").on("Sign").forever());
    let (failed, last) = validator.refuses(History::First.lines(0..500));
    assert!(!failed.is_empty() && failed.len() <= 64, "{}", failed.len());
    assert!(failed[0].starts_with("line ") && failed[0].contains("AccessDenied"), "{failed:?}");
    assert!(last.contains("not tried"), "{last}");
    assert_eq!((validator.files(), validator.latest()), (0, None));
    validator.kms.clear_faults();
    validator.signs(History::First.lines(0..500));
    validator.assert_published(History::First, 499);
}

#[test]
fn an_announcement_is_what_the_contract_and_relayers_read() {
    let validator = Validator::new("announcement");
    let location = "s3://hyperlane-validator/us-east-1";
    let mailbox = address!("0xc005dc82818d67AF737725bD4bf75435d065D239");
    let duty = ["announce", "--domain", "1", "--mailbox", &mailbox.to_string(), "--location", location];
    let output = validator.command(&duty).stdin(Stdio::null()).output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{err}");

    let file: Value = serde_json::from_slice(&fs::read(validator.folder.join("announcement.json")).unwrap()).unwrap();
    let value = &file["value"];
    assert_eq!(value["validator"], format!("0x{}", hex::encode(validator.address)));
    assert_eq!(value["mailbox_address"], format!("0x000000000000000000000000{}", hex::encode(mailbox)));
    assert_eq!((value["mailbox_domain"].as_u64(), value["storage_location"].as_str()), (Some(1), Some(location)));
    assert!(out.contains(file["serialized_signature"].as_str().unwrap()), "{out}");
    let signature = hex::decode(file["serialized_signature"].as_str().unwrap()).unwrap();
    assert_eq!(announcer(1, mailbox, location, &signature), validator.address);
    assert_eq!(file["signature"]["v"], signature[64]);
}

/// Who signed an announcement.
fn announcer(domain: u32, mailbox: Address, location: &str, signature: &[u8]) -> Address {
    let domain = domain_hash(domain, mailbox.into_word(), b"HYPERLANE_ANNOUNCEMENT");
    let digest = eip191(keccak256([&domain[..], location.as_bytes()].concat()));
    Signature::from_raw(signature).unwrap().recover_address_from_prehash(&digest).unwrap()
}

/// This file's hashes are Hyperlane's: its vectors for domains, and what the first validator of its mainnet announced.
#[test]
fn hashes_are_those_of_hyperlane() {
    let mailbox = Address::repeat_byte(0x22).into_word();
    for (domain, expected) in [
        (1, b256!("0xbbca56eb98960a4637eb40486d9a069550dd70d9c185ed138516e8e33cf3d7e7")),
        (2, b256!("0xa6a93d86d397028e41995d521ccbc270e6db2a2fc530dcb7f0135254f30c8424")),
        (3, b256!("0xffb4fbe5142f55e07b5d44b3c7f565c5ef4b016551cbd7c23a92c91621aca06f")),
    ] {
        assert_eq!(domain_hash(domain, mailbox, b"HYPERLANE"), expected);
    }
    let signature = hex!(
        "20ac937917284eaa3d67287278fc51875874241fffab5eb5fd8ae899a7074c56"
        "79be15f0bdb5b4f7594cefc5cba17df59b68ba3c55836053a23307db5a95610d1b"
    );
    assert_eq!(
        announcer(
            1,
            address!("0x35231d4c2d8b8adcb5617a638a0c4548684c7c70"),
            "s3://hyperlane-mainnet2-ethereum-validator-0/us-east-1",
            &signature
        ),
        address!("0x4c327ccb881a7542be77500b2833dc84c839e7b7")
    );
}

/// A key that is lost must not take a folder that is meant for another, because a variable was not set.
#[test]
fn without_a_key_it_does_not_sign_unless_this_is_a_demo() {
    let folder = std::env::temp_dir().join(format!("kms-signer-validator-{}-demo", std::process::id()));
    let run = |demo: &[&str]| {
        let mut command = example("validator");
        command.args(demo).arg("--out").arg(&folder).arg("sign");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(History::First.line(0).as_bytes());
        child.wait_with_output().unwrap()
    };
    let output = run(&[]);
    assert!(!output.status.success() && text(&output).1.contains("--key-id <KEY>|--demo"), "{output:?}");
    assert!(!folder.exists());
    assert!(!run(&["--demo", "--key-id", "alias/x"]).status.success());

    let output = run(&["--demo"]);
    assert!(output.status.success() && text(&output).0.contains("signed 1,"), "{output:?}");
    assert!(folder.join("checkpoint_0_with_id.json").exists());
    fs::remove_dir_all(&folder).unwrap();
}
