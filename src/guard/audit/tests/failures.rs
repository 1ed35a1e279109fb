//! What becomes of records on a disk that fails.

use std::{error::Error as _, io};

use super::{disk::Disk, *};
use crate::error::{ErrorKind, Operation};

#[track_caller]
fn assert_unrecorded(error: &Error, what: &str) {
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unrecorded, Operation::Record), "{error}");
    assert_says(error, what);
}

fn cause(error: &Error) -> io::ErrorKind {
    error.source().unwrap().downcast_ref::<io::Error>().unwrap().kind()
}

#[test]
fn a_full_disk_keeps_whole_lines_and_records_again_once_there_is_room() {
    let disk = Disk::default();
    let log = disk.log(true);
    keep(&log, &record(Stage::Allowed, 1)).unwrap();
    let full = disk.with(|disk| disk.bytes.len());
    for more in [0, 1, 100] {
        disk.with(|disk| disk.room = Some(full + more));
        let error = keep(&log, &record(Stage::Signed, 1)).unwrap_err();
        assert_unrecorded(&error, "disk cannot be written to");
        assert_says(&error, "make room");
        assert_eq!(cause(&error), io::ErrorKind::StorageFull);
        assert_eq!((disk.with(|disk| disk.bytes.len()), log.lines()), (full, 1));
    }
    disk.with(|disk| disk.room = None);
    keep(&log, &record(Stage::Signed, 1)).unwrap();
    assert_eq!((disk.verified().lines(), log.head()), (2, disk.verified().head()));
}

#[test]
fn a_check_fails_as_a_record_would_and_leaves_no_line() {
    let disk = Disk::default();
    let log = disk.log(true);
    keep(&log, &record(Stage::Allowed, 1)).unwrap();
    block_on(log.check()).unwrap();
    disk.with(|disk| disk.sync_fails = true);
    assert_unrecorded(&block_on(log.check()).unwrap_err(), "brought to the disk");
    disk.with(|disk| disk.sync_fails = false);
    assert_unrecorded(&block_on(log.check()).unwrap_err(), "brought to the disk");
    assert_eq!(disk.verified().lines(), 1);

    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    block_on(log.check()).unwrap();
    fs::remove_file(folder.file()).unwrap();
    assert_unrecorded(&block_on(log.check()).unwrap_err(), "is no longer there");
}

#[test]
fn what_cannot_be_cut_off_stops_it_until_it_can() {
    let disk = Disk::default();
    let log = disk.log(false);
    disk.with(|disk| (disk.room, disk.cut_fails) = (Some(50), true));
    assert_unrecorded(&keep(&log, &record(Stage::Allowed, 1)).unwrap_err(), "cannot be written to");
    disk.with(|disk| disk.room = None);
    for _ in 0..2 {
        assert_unrecorded(&keep(&log, &record(Stage::Allowed, 1)).unwrap_err(), "cannot be cut off: the cut failed");
    }
    assert_eq!(disk.verified().partial_bytes(), 50);
    disk.with(|disk| disk.cut_fails = false);
    keep(&log, &record(Stage::Allowed, 1)).unwrap();
    assert_eq!((disk.verified().lines(), disk.verified().partial_bytes()), (1, 0));
}

#[test]
fn after_a_failed_fsync_nothing_is_recorded_any_more() {
    let disk = Disk::default();
    let log = disk.log(true);
    keep(&log, &record(Stage::Allowed, 1)).unwrap();
    disk.with(|disk| disk.sync_fails = true);
    assert_unrecorded(&keep(&log, &record(Stage::Signed, 1)).unwrap_err(), "brought to the disk: the fsync failed");
    disk.with(|disk| disk.sync_fails = false);
    let error = keep(&log, &record(Stage::Signed, 1)).unwrap_err();
    assert_unrecorded(&error, "open the log anew");
    assert_eq!(cause(&error), io::ErrorKind::Other);
    assert_eq!((disk.verified().lines(), disk.with(|disk| disk.syncs)), (1, 2));
}

#[test]
fn a_file_that_somebody_else_changed_is_left_alone_until_that_is_undone() {
    let disk = Disk::default();
    let log = disk.log(true);
    keep(&log, &record(Stage::Allowed, 1)).unwrap();
    disk.with(|disk| disk.bytes.push(b'x'));
    assert_unrecorded(&keep(&log, &record(Stage::Signed, 1)).unwrap_err(), "was written to by somebody else");
    disk.with(|disk| disk.bytes.truncate(10));
    assert_unrecorded(&keep(&log, &record(Stage::Signed, 1)).unwrap_err(), "was truncated: it has 10 bytes");
}

#[test]
fn a_thread_that_has_ended_is_an_error() {
    let disk = Disk::default();
    let log = disk.log(true);
    disk.with(|disk| disk.panics = true);
    for _ in 0..2 {
        assert_unrecorded(&keep(&log, &record(Stage::Allowed, 1)).unwrap_err(), "has ended");
    }
    drop(log);
}

fn asks(text: &Value) -> Record<'_> {
    Record { asked: Some(text), ..record(Stage::Allowed, 1) }
}

#[test]
fn a_record_that_is_too_long_is_refused_and_one_that_just_fits_is_kept() {
    let folder = Folder::new();
    let log = AuditLog::builder(folder.file()).fsync(false).open().unwrap();
    let room = (1 << 20) - 256 - serde_json::to_vec(&asks(&"".into())).unwrap().len() + 2;
    keep(&log, &asks(&"x".repeat(room).into())).unwrap();
    let error = keep(&log, &asks(&"x".repeat(room + 1).into())).unwrap_err();
    assert_unrecorded(&error, "takes 1048321 bytes, and a line at most 1 MiB");
    keep(&log, &record(Stage::Allowed, 2)).unwrap();
    assert_eq!(verified(&folder.file()).unwrap().lines(), 3);
}

#[test]
fn a_denial_is_recorded_however_much_was_asked_for() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    keep(&log, &asking(1, &"x".repeat(2 << 20).into())).unwrap();
    keep(&log, &asking(2, &"x".into())).unwrap();
    let text = fs::read_to_string(folder.file()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[1]["stage"], &lines[1]["asked"]), (&"denied".into(), &Value::Null));
    assert_eq!((&lines[2]["stage"], &lines[2]["asked"]), (&"denied".into(), &"x".into()));
}

#[test]
fn part_of_a_line_that_may_not_be_cut_off_names_the_attribute() {
    let disk = Disk::default();
    let log = disk.log(false);
    disk.with(|disk| (disk.room, disk.cut_is_refused) = (Some(50), true));
    assert_unrecorded(&keep(&log, &record(Stage::Allowed, 1)).unwrap_err(), "cannot be written to");
    assert_unrecorded(&keep(&log, &record(Stage::Allowed, 1)).unwrap_err(), "take that from it (chattr -a)");
}
