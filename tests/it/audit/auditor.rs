//! Checking a file from outside: with the example, and with nothing but a shell.

use alloy_signer::Signer;
use std::{ffi::OsStr, process::Command};

use super::*;
use crate::examples::{example, text};

/// A file of several lines.
async fn written() -> (Folder, String) {
    let folder = Folder::new();
    let (_, log, signer) = recorded(&folder).await;
    for number in 0..3 {
        // Of what is asked, nothing may be taken for the end of the line.
        let message = format!("Log in: {number} \\ \\n ä %s \",\"hash\":\"00\"}}");
        signer.sign_message(message.as_bytes()).await.unwrap();
    }
    let head = log.head().to_string();
    (folder, head)
}

#[track_caller]
fn verifies(folder: &Folder, more: &[&str]) -> String {
    let output = example("audit_verify").arg(folder.file()).args(more).output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{out}{err}");
    out
}

#[track_caller]
fn fails(args: &[impl AsRef<OsStr>]) -> String {
    let output = example("audit_verify").args(args).output().unwrap();
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.starts_with("error: ") && err.lines().count() == 1, "{err}");
    err
}

#[tokio::test]
async fn the_example_shows_what_a_file_holds_and_finds_what_was_done_to_it() {
    let (folder, head) = written().await;
    let file = folder.file().to_string_lossy().into_owned();
    let out = verifies(&folder, &["--head", &head, "--lines", "7"]);
    for line in ["lines     7", "allowed   3", "signed    3", "denied    0", "opened    1"] {
        assert!(out.lines().any(|found| found == line), "{out}");
    }
    assert!(out.contains(head.strip_prefix("0x").unwrap()), "{out}");
    verifies(&folder, &["--head", head.strip_prefix("0x").unwrap()]);
    assert!(fails(&[&file, "--lines", "8"]).contains("has 7 lines, not 8"));

    let whole = fs::read_to_string(folder.file()).unwrap();
    fs::write(folder.file(), &whole[..whole.len() - 10]).unwrap();
    assert!(verifies(&folder, &[]).contains("bytes of a line that was never finished"));
    assert!(fails(&[&file, "--head", &head]).contains("its 6 lines are whole, and none of them has the hash"));
    fs::write(folder.file(), whole.replacen("payroll", "nobody!", 1)).unwrap();
    assert!(fails(&[&file]).contains("line 2 was changed"));
    fs::write(folder.file(), format!("{whole}rm -rf /")).unwrap();
    assert!(fails(&[&file]).contains("it ends in what is no line of an audit file: line 8 is not JSON"));
    assert!(fails(&["/nowhere.jsonl"]).contains("/nowhere.jsonl"));
}

#[test]
fn the_example_demonstrates_what_it_finds() {
    let output = example("audit_verify").output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{out}{err}");
    for found in
        ["line 2 was changed", "line 3 has seq 4 where 3 is due", "line 3 is not JSON", "its 5 lines are whole"]
    {
        assert!(out.contains(found), "{out}");
    }
}

/// The lines of shell in the documentation.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_shell_and_sha256sum_suffice() {
    let script: String = include_str!("../../../src/guard/audit.rs")
        .lines()
        .skip_while(|line| *line != "//! ```sh")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| format!("{}\n", line.trim_start_matches("//!")))
        .collect();
    let (folder, _) = written().await;
    let run = || {
        let output = Command::new("sh").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
        let (out, err) = text(&output);
        assert!(output.status.success() && err.is_empty() && script.contains("sha256sum"), "{out}{err}");
        out
    };
    assert_eq!(run(), "");

    let whole = fs::read_to_string(folder.file()).unwrap();
    fs::write(folder.file(), whole.replacen("payroll", "nobody!", 1)).unwrap();
    assert!(run().starts_with("line 2: "));
    fs::write(folder.file(), whole.split_inclusive('\n').skip(1).collect::<String>()).unwrap();
    assert!(run().starts_with("line 1: "));
}
