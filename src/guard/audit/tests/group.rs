//! Many callers at once.

use core::pin::pin;
use std::sync::mpsc;

use futures_util::{future::join_all, poll};

use super::{
    disk::{Disk, Gate},
    *,
};

/// A disk whose first fsync has begun and does not end.
fn held() -> (Disk, AuditLog, mpsc::Sender<()>, std::thread::JoinHandle<Result<()>>) {
    let disk = Disk::default();
    let log = disk.log(true);
    let ((entered, has_entered), (release, leave)) = (mpsc::channel(), mpsc::channel());
    disk.with(|disk| disk.gate = Some(Gate { entered, leave }));
    let first = log.clone();
    let thread = std::thread::spawn(move || keep(&first, &record(Stage::Allowed, 0)));
    has_entered.recv().unwrap();
    (disk, log, release, thread)
}

#[test]
fn records_that_come_during_an_fsync_share_the_next_one() {
    let (disk, log, release, first) = held();
    let records: Vec<_> = (1..=64).map(|id| record(Stage::Allowed, id)).collect();
    block_on(async {
        let mut all = pin!(join_all(records.iter().map(|record| log.record(record))));
        assert!(poll!(&mut all).is_pending());
        assert_eq!(log.lines(), 0);
        release.send(()).unwrap();
        assert!(all.await.iter().all(Result::is_ok));
    });
    first.join().unwrap().unwrap();
    assert_eq!(disk.with(|disk| (disk.writes, disk.syncs)), (2, 2));
    assert_eq!((disk.verified().lines(), log.lines()), (65, 65));
}

#[test]
fn each_record_of_a_group_that_failed_learns_why() {
    let (disk, log, release, first) = held();
    let records: Vec<_> = (1..=3).map(|id| record(Stage::Allowed, id)).collect();
    block_on(async {
        let mut all = pin!(join_all(records.iter().map(|record| log.record(record))));
        assert!(poll!(&mut all).is_pending());
        disk.with(|disk| disk.room = Some(disk.bytes.len() + 700));
        release.send(()).unwrap();
        for result in all.await {
            let error: Box<Error> = result.unwrap_err().downcast().unwrap();
            assert_says(&error, "cannot be written to");
            assert!(std::error::Error::source(&*error).is_some());
        }
    });
    first.join().unwrap().unwrap();
    assert_eq!(disk.verified().lines(), 1);
}

#[test]
fn more_than_the_queue_holds_wait_and_are_written_all_the_same() {
    let (disk, log, release, first) = held();
    let records: Vec<_> = (1..=2000).map(|id| record(Stage::Allowed, id)).collect();
    block_on(async {
        let mut all = pin!(join_all(records.iter().map(|record| log.record(record))));
        assert!(poll!(&mut all).is_pending());
        release.send(()).unwrap();
        assert!(all.await.iter().all(Result::is_ok));
    });
    first.join().unwrap().unwrap();
    assert_eq!(disk.verified().lines(), 2001);
    // The first, what the queue held, and the rest in groups.
    assert!(disk.with(|disk| disk.writes) > 3);
}

#[test]
fn dropping_the_last_clone_writes_what_was_accepted() {
    let (disk, log, release, first) = held();
    let records: Vec<_> = (1..=10).map(|id| record(Stage::Allowed, id)).collect();
    block_on(async {
        let mut all = pin!(join_all(records.iter().map(|record| log.record(record))));
        assert!(poll!(&mut all).is_pending());
    });
    release.send(()).unwrap();
    drop(log);
    first.join().unwrap().unwrap();
    assert_eq!(disk.verified().lines(), 11);
}

#[test]
fn many_tasks_make_one_chain() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks = (0..64).map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                for number in 0..200 {
                    log.record(&record(Stage::Allowed, task * 200 + number)).await.unwrap();
                }
            })
        });
        join_all(tasks).await.into_iter().for_each(Result::unwrap);
    });
    assert_eq!(verified(&folder.file()).unwrap().head(), log.head());
    let text = fs::read_to_string(folder.file()).unwrap();
    let mut ids: Vec<u64> = text.lines().skip(1).map(id).collect();
    // Each task's own are in its order.
    for task in 0..64 {
        assert!(ids.iter().filter(|id| **id / 200 == task).is_sorted());
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..64 * 200).collect::<Vec<_>>());
}

fn id(line: &str) -> u64 {
    let line: Value = serde_json::from_str(line).unwrap();
    u64::from_str_radix(line["id"].as_str().unwrap(), 16).unwrap()
}
