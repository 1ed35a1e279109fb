//! A disk in memory that fails when it is told to, and waits in fsync if it is told to.

use std::{
    io,
    sync::{Arc, Mutex, mpsc},
};

use super::*;
use crate::guard::audit::{
    earlier::Earlier,
    storage::{Displaced, Storage},
    tail::Tail,
    walk::Walked,
};

#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    pub(super) bytes: Vec<u8>,
    /// How many bytes fit.
    pub(super) room: Option<usize>,
    pub(super) sync_fails: bool,
    pub(super) cut_fails: bool,
    pub(super) cut_is_refused: bool,
    pub(super) panics: bool,
    pub(super) writes: u32,
    pub(super) syncs: u32,
    pub(super) gate: Option<Gate>,
}

/// Says that an fsync has begun, and waits until it may end.
pub(super) struct Gate {
    pub(super) entered: mpsc::Sender<()>,
    pub(super) leave: mpsc::Receiver<()>,
}

impl Disk {
    pub(super) fn log(&self, fsync: bool) -> AuditLog {
        let (disk, path, found) = (Arc::new(self.clone()), PathBuf::from("disk"), Walked::default());
        let earlier = Earlier::new(Arc::clone(&disk) as _, path.clone(), found.chain);
        AuditLog::start(Tail::new(disk, path, fsync, &found), earlier, fsync).unwrap()
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub(super) fn verified(&self) -> Verified {
        self.with(|disk| verify(&disk.bytes[..]).unwrap())
    }
}

impl Storage for Disk {
    fn check(&self, expected: u64) -> Result<(), Displaced> {
        match self.with(|disk| disk.bytes.len() as u64) {
            found if found != expected => Err(Displaced::Length { found, expected }),
            _ => Ok(()),
        }
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.with(|disk| io::Read::read(&mut &disk.bytes[usize::try_from(at).unwrap()..], buffer))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.with(|disk| {
            assert!(!disk.panics, "a panic that is expected");
            disk.writes += 1;
            let fits = disk.room.map_or(bytes.len(), |room| room.saturating_sub(disk.bytes.len()).min(bytes.len()));
            disk.bytes.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.with(|disk| {
            if disk.cut_fails {
                return Err(io::Error::other("the cut failed"));
            }
            if disk.cut_is_refused {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            disk.bytes.truncate(usize::try_from(len).unwrap());
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let gate = self.with(|disk| {
            disk.syncs += 1;
            disk.gate.take()
        });
        if let Some(gate) = gate {
            gate.entered.send(()).unwrap();
            gate.leave.recv().unwrap();
        }
        self.with(|disk| if disk.sync_fails { Err(io::Error::other("the fsync failed")) } else { Ok(()) })
    }
}
