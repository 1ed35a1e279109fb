//! Opening, and what may be in the place of the file.

use super::*;
use crate::{error::ErrorKind, guard::audit::storage::LogFile};

#[track_caller]
fn assert_refused(path: &Path, what: &str) {
    assert_fails(path, ErrorKind::Config, what);
}

#[track_caller]
fn assert_broken(path: &Path, what: &str) {
    let before = fs::read(path).unwrap();
    assert_fails(path, ErrorKind::AuditBroken, what);
    assert!(fs::read(path).unwrap() == before, "a file that was refused is not what it was");
}

#[track_caller]
fn assert_fails(path: &Path, kind: ErrorKind, what: &str) {
    let error = AuditLog::open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_says(&error, what);
}

fn opened(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["stage"] == "opened")
        .collect()
}

#[test]
fn each_opening_continues_the_chain_and_says_so() {
    let folder = Folder::new();
    for lines in [1, 3, 5] {
        let log = AuditLog::open(folder.file()).unwrap();
        assert_eq!(log.lines(), lines);
        keep(&log, &record(Stage::Denied, lines)).unwrap();
    }
    assert_eq!(verified(&folder.file()).unwrap().lines(), 6);
    for line in opened(&folder.file()) {
        assert_eq!((&line["version"], &line["cut_off_bytes"]), (&env!("CARGO_PKG_VERSION").into(), &0.into()));
    }
}

#[test]
fn part_of_a_line_is_cut_off_and_that_is_recorded() {
    let folder = Folder::new();
    let text = written(&folder, 3);
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for partial in [1, 17, text.len() - last - 2] {
        fs::write(folder.file(), &text[..last + partial]).unwrap();
        let log = AuditLog::open(folder.file()).unwrap();
        keep(&log, &record(Stage::Denied, 9)).unwrap();
        let verified = verified(&folder.file()).unwrap();
        assert_eq!((verified.lines(), verified.partial_bytes(), verified.count(Stage::Allowed)), (5, 0, 2));
        assert_eq!(opened(&folder.file())[1]["cut_off_bytes"], partial);
    }
}

#[test]
fn zeros_that_a_loss_of_power_left_are_cut_off() {
    let folder = Folder::new();
    let text = written(&folder, 3);
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for written in [0, 1, 17, 100, 200, text.len() - last - 1] {
        for zeros in [1, 4096, 900_000] {
            let mut bytes = text.as_bytes()[..last + written].to_vec();
            bytes.resize(bytes.len() + zeros, 0);
            assert_eq!(verify(&bytes[..]).unwrap().partial_bytes(), (written + zeros) as u64);
            fs::write(folder.file(), bytes).unwrap();
            drop(AuditLog::builder(folder.file()).fsync(false).open().unwrap());
            assert_eq!(verified(&folder.file()).unwrap().lines(), 4);
            assert_eq!(opened(&folder.file())[1]["cut_off_bytes"], written + zeros);
        }
    }
}

#[test]
fn a_file_that_is_none_of_ours_is_left_as_it_is() {
    let folder = Folder::new();
    const JSON: &str = "line 1 has no seq, prev and hash";
    const OTHER: &str = "line 1 is not JSON";
    let zeros = "0".repeat(64);
    for (text, fault) in [
        (r#"{"transactions":[]}"#, JSON),
        ("{}", JSON),
        ("7", JSON),
        ("no line of ours", OTHER),
        ("[[transactions]]", OTHER),
        (r#"{"seq":2,"prev":""#, OTHER),
        (r#"{"seq":1,"prev":"f"#, OTHER),
        (&format!(r#"{{"seq":1,"prev":"{zeros}"}}"#), JSON),
        (&format!(r#"{{"seq":1,"prev":"{zeros}","hash":"{zeros}"}}"#), "line 1 "),
        ("\0\0\0x", OTHER),
        ("x\0\0\0", OTHER),
    ] {
        fs::write(folder.file(), text).unwrap();
        assert_broken(&folder.file(), &format!("audit.jsonl: it ends in what is no line of an audit file: {fault}"));
        assert_eq!(verify(text.as_bytes()).unwrap_err().kind(), ErrorKind::AuditBroken, "{text}");
    }
}

#[test]
fn a_last_line_that_was_changed_is_found_without_its_newline() {
    let folder = Folder::new();
    let text = written(&folder, 3);
    let at = text.rfind("payroll").unwrap();
    let changed = format!("{}nobody!{}", &text[..at], text[at + 7..].trim_end());
    fs::write(folder.file(), &changed).unwrap();
    assert_broken(&folder.file(), "line 4 was changed: its hash is not that of its bytes");
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for other in
        ["rm -rf /", &text[..20], &text[last + 1..text.len() - 9], &changed[last..].replace("\"seq\":4", "\"seq\":5")]
    {
        fs::write(folder.file(), format!("{}{other}", &text[..last])).unwrap();
        assert_broken(&folder.file(), "it ends in what is no line of an audit file: line 4 ");
    }
}

#[test]
fn a_whole_line_without_its_newline_is_kept() {
    let folder = Folder::new();
    let text = written(&folder, 3);
    fs::write(folder.file(), text.trim_end()).unwrap();
    drop(AuditLog::open(folder.file()).unwrap());
    let verified = verified(&folder.file()).unwrap();
    assert_eq!((verified.lines(), verified.count(Stage::Allowed)), (5, 3));
    assert_eq!(opened(&folder.file())[1]["cut_off_bytes"], 0);
}

#[test]
fn nothing_is_appended_to_a_broken_chain() {
    let folder = Folder::new();
    let text = written(&folder, 3).replacen("payroll", "nobody!", 1);
    fs::write(folder.file(), &text).unwrap();
    assert_broken(&folder.file(), "audit.jsonl: line 2 was changed");
    assert_broken(&folder.file(), "begin a new one under another name");
    fs::write(folder.file(), "[rules]\n").unwrap();
    assert_broken(&folder.file(), "line 1 is not JSON");
}

#[test]
fn one_log_at_a_time() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    let clone = log.clone();
    assert_refused(&folder.file(), "is in use");
    drop(log);
    assert_refused(&folder.file(), "is in use");
    keep(&clone, &record(Stage::Denied, 1)).unwrap();
    drop(clone);
    assert_eq!(AuditLog::open(folder.file()).unwrap().lines(), 3);
}

/// As a process has that is being started, until it runs its own program.
#[test]
fn a_copy_of_the_handle_does_not_keep_the_lock() {
    let folder = Folder::new();
    let file = File::create(folder.file()).unwrap();
    file.lock().unwrap();
    let copy = file.try_clone().unwrap();
    let opened = file.metadata().unwrap();
    drop(LogFile::new(file, folder.file(), opened));
    drop(AuditLog::open(folder.file()).unwrap());
    drop(copy);
}

#[test]
fn what_cannot_be_a_file_is_refused() {
    let folder = Folder::new();
    assert_refused(&folder.0, "cannot be opened");
    assert_refused(&folder.0.join("missing/audit.jsonl"), "create its folder");
    assert_refused(Path::new(""), "is no path of a file");
}

#[test]
fn debug_says_which_file() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    assert!(format!("{log:?}").contains("audit.jsonl\", fsync: true"), "{log:?}");
    assert_eq!(log.path(), folder.file());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::{fs::PermissionsExt, fs::symlink, net::UnixListener};

    use super::*;

    #[test]
    fn a_new_file_is_its_owners() {
        let folder = Folder::new();
        let log = AuditLog::open(folder.file()).unwrap();
        assert_eq!(fs::metadata(log.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_moved_or_removed_stops_it_until_it_is_back() {
        let folder = Folder::new();
        let (log, away) = (AuditLog::open(folder.file()).unwrap(), folder.0.join("audit.1"));
        fs::rename(folder.file(), &away).unwrap();
        let error = keep(&log, &record(Stage::Allowed, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unrecorded);
        assert_says(&error, "audit.jsonl is no longer there");
        fs::write(folder.file(), "").unwrap();
        assert_says(&keep(&log, &record(Stage::Allowed, 1)).unwrap_err(), "was replaced by another file");
        fs::rename(&away, folder.file()).unwrap();
        keep(&log, &record(Stage::Allowed, 1)).unwrap();
        assert_eq!(verified(&folder.file()).unwrap().lines(), 2);
    }

    #[test]
    fn a_file_that_somebody_truncates_stops_it() {
        let folder = Folder::new();
        let log = AuditLog::open(folder.file()).unwrap();
        File::options().write(true).open(folder.file()).unwrap().set_len(20).unwrap();
        let error = keep(&log, &record(Stage::Allowed, 1)).unwrap_err();
        assert_says(&error, "was truncated: it has 20 bytes");
        assert_eq!(fs::metadata(folder.file()).unwrap().len(), 20);
    }

    #[test]
    fn a_link_is_followed() {
        let (folder, other) = (Folder::new(), Folder::new());
        symlink(other.file(), folder.file()).unwrap();
        drop(AuditLog::open(folder.file()).unwrap());
        assert_eq!(verified(&other.file()).unwrap().lines(), 1);
    }

    #[test]
    fn a_socket_is_no_file() {
        let folder = Folder::new();
        let _socket = UnixListener::bind(folder.file()).unwrap();
        assert_refused(&folder.file(), "cannot be opened");
    }

    #[test]
    fn a_pipe_is_no_regular_file() {
        let folder = Folder::new();
        assert!(std::process::Command::new("mkfifo").arg(folder.file()).status().unwrap().success());
        assert_refused(&folder.file(), "is no regular file");
    }

    /// Whoever runs the tests, a kernel's read-only attribute cannot be opened for writing.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_missing_right_is_named() {
        assert_refused(Path::new("/sys/kernel/notes"), "give this process the right to read and write the file");
    }

    #[test]
    fn a_device_keeps_nothing() {
        let folder = Folder::new();
        symlink("/dev/null", folder.file()).unwrap();
        for path in [&folder.file(), Path::new("/dev/null")] {
            assert_refused(path, "is no regular file");
            assert_refused(path, "give the path of one, or of one to be created");
        }
    }
}
