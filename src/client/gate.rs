//! The way in: numbers the calls, counts those under way, and closes for good when the client is drained.

use core::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::Arc;

use tokio::sync::Notify;

/// Shared by every clone of a client.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<State>);

#[derive(Default)]
struct State {
    closed: AtomicBool,
    inside: AtomicUsize,
    left: Notify,
    entered: AtomicU64,
}

/// A call under way. It ends when dropped, half-way or done.
pub(super) struct Pass<'a> {
    gate: &'a State,
    /// In the order of arrival.
    pub(super) number: u64,
}

impl Gate {
    /// Lets a call in, unless the gate is closed.
    pub(super) fn enter(&self) -> Option<Pass<'_>> {
        // First in, then look: whoever closes the gate either sees this call inside or is seen here.
        self.0.inside.fetch_add(1, SeqCst);
        let pass = Pass { gate: &self.0, number: self.0.entered.fetch_add(1, Relaxed) };
        (!self.0.closed.load(SeqCst)).then_some(pass)
    }

    pub(super) fn close(&self) {
        self.0.closed.store(true, SeqCst);
    }

    /// How many calls are under way.
    pub(super) fn inside(&self) -> usize {
        self.0.inside.load(SeqCst)
    }

    /// Waits until no call is under way.
    pub(super) async fn empty(&self) {
        loop {
            let left = self.0.left.notified();
            if self.inside() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.gate.inside.fetch_sub(1, SeqCst) == 1 {
            self.gate.left.notify_waiters();
        }
    }
}
