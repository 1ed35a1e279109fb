//! Processes that are killed, or may not write any more. The child is this test binary, run again.
#![cfg(unix)]

use std::{
    io::{BufRead, Read},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
};

use super::*;

const FILE: &str = "KMS_SIGNER_AUDIT_TEST_FILE";

/// Records from several threads for as long as it can, and prints the id of each that is kept.
#[test]
#[ignore = "is the child process of other tests"]
fn child() {
    let path = std::env::var(FILE).expect("this is run by other tests");
    let log = AuditLog::open(path).unwrap_or_else(|error| panic!("{error}"));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let log = &log;
            scope.spawn(move || {
                for number in 0.. {
                    let id = (u64::from(std::process::id()) << 32) | (thread << 28) | number;
                    match keep(log, &asking(id, &"x".repeat(300).into())) {
                        Ok(()) => println!("kept {id:016x}"),
                        Err(error) => return println!("error {error}"),
                    }
                }
            });
        }
    });
}

/// `sh` does what is told first, then becomes the child.
fn spawn(path: &Path, first: &str) -> Child {
    let test = concat!(module_path!(), "::child").split_once("::").unwrap().1;
    Command::new("sh")
        .args(["-c", &format!("{first}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The ids that a child said it kept.
fn kept(out: &str) -> Vec<String> {
    // The last line may be cut, with the child.
    let whole = out.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| line.strip_prefix("kept ")).map(str::to_owned).collect()
}

#[track_caller]
fn assert_has(path: &Path, ids: &[String]) {
    let text = fs::read_to_string(path).unwrap();
    let there: std::collections::HashSet<&str> =
        text.lines().filter_map(|line| line.split_once(r#""id":""#)?.1.get(..16)).collect();
    for id in ids {
        assert!(there.contains(id.as_str()), "{id} was kept and is not there");
    }
}

#[test]
fn what_was_kept_is_there_after_kill_9() {
    let folder = Folder::new();
    let mut all = Vec::new();
    for round in 0..6u64 {
        let mut child = spawn(&folder.file(), ":");
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut read = String::new();
        // Killed after another number of records each time, wherever it is then.
        while kept(&read).len() < usize::try_from(1 + 97 * round).unwrap() {
            assert_ne!(out.read_line(&mut read).unwrap(), 0, "{read}");
        }
        child.kill().unwrap();
        out.read_to_string(&mut read).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        all.extend(kept(&read));

        let before = verified(&folder.file()).unwrap();
        let log = AuditLog::open(folder.file()).unwrap();
        assert_eq!(log.lines(), before.lines() + 1);
        keep(&log, &record(Stage::Denied, round)).unwrap();
    }
    assert_has(&folder.file(), &all);
    assert_eq!(verified(&folder.file()).unwrap().opened(), 12);
}

#[test]
fn at_the_limit_of_a_files_size_whole_lines_remain() {
    let folder = Folder::new();
    let child = spawn(&folder.file(), "trap '' XFSZ; ulimit -f 64");
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let errors: Vec<&str> = out.lines().filter(|line| line.starts_with("error ")).collect();
    assert_eq!(errors.len(), 4, "{out}");
    for error in errors {
        assert!(error.contains("audit.jsonl cannot be written to: File too large"), "{error}");
    }
    let verified = verified(&folder.file()).unwrap();
    assert_eq!((verified.partial_bytes(), verified.lines()), (0, kept(&out).len() as u64 + 1));
    assert_has(&folder.file(), &kept(&out));
    // Without the limit it goes on.
    keep(&AuditLog::open(folder.file()).unwrap(), &record(Stage::Denied, 1)).unwrap();
}

#[test]
fn a_process_that_the_limit_ends_leaves_a_file_that_opens() {
    let folder = Folder::new();
    let output = spawn(&folder.file(), "ulimit -c 0; ulimit -f 64").wait_with_output().unwrap();
    assert!(output.status.signal().is_some(), "{output:?}");
    let log = AuditLog::open(folder.file()).unwrap();
    assert_eq!(verified(&folder.file()).unwrap().lines(), log.lines());
    assert_has(&folder.file(), &kept(&String::from_utf8_lossy(&output.stdout)));
}
