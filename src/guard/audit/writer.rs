//! The thread that writes: records that come while it is busy share the next write and the next fsync.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::{
    chain::{Chain, MAX_BODY},
    tail::{Failure, Tail},
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// How many records wait at most; more of them wait outside, each with its caller.
const QUEUE: usize = 256;

/// When a group has so many bytes, it is written.
const MAX_GROUP: usize = 4 << 20;

/// The way to the thread. It ends, once all that was accepted is written, when this is dropped.
pub(super) struct Writer {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    chain: Arc<Mutex<Chain>>,
}

struct Request {
    /// Empty if nothing is to be recorded, but only the file looked at.
    body: Vec<u8>,
    reply: oneshot::Sender<Result<(), Failure>>,
}

impl Writer {
    pub(super) fn start(tail: Tail) -> Result<Self> {
        let (requests, received) = mpsc::channel(QUEUE);
        let chain = Arc::new(Mutex::new(tail.chain()));
        let shared = Arc::clone(&chain);
        let thread = thread::Builder::new()
            .name("kms-signer-audit".to_owned())
            .spawn(move || run(tail, received, &shared))
            .map_err(|error| {
                let message = format!("no thread can be started to write the audit file: {error}");
                Error::new(ErrorKind::Config, Operation::Record, message).with_source(error)
            })?;
        Ok(Self { requests: Some(requests), thread: Some(thread), chain })
    }

    /// What is recorded.
    pub(super) fn chain(&self) -> Chain {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the line is in the file.
    pub(super) async fn write(&self, body: Vec<u8>) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(ended)?;
        requests.send(Request { body, reply }).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?.map_err(Failure::into_error)
    }
}

impl Drop for Writer {
    /// Waits, so that the file is whole and unlocked afterwards.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut tail: Tail, mut requests: mpsc::Receiver<Request>, chain: &Mutex<Chain>) {
    let mut group = Vec::new();
    while let Some(first) = requests.blocking_recv() {
        let mut bytes = first.body.len();
        group.push(first);
        while bytes < MAX_GROUP
            && let Ok(next) = requests.try_recv()
        {
            bytes += next.body.len();
            group.push(next);
        }
        let bodies = group.iter().map(|request: &Request| request.body.as_slice());
        let outcome = tail.append(bodies.filter(|body| !body.is_empty()));
        *chain.lock().unwrap_or_else(PoisonError::into_inner) = tail.chain();
        for request in group.drain(..) {
            // A caller who no longer waits has a line all the same.
            let _ = request.reply.send(outcome.as_ref().copied().map_err(Failure::copy));
        }
    }
}

/// The fields of a line, without the braces around them.
pub(super) fn body(fields: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec(fields).map_err(|error| {
        let message = format!("the record cannot be written as JSON: {error}");
        Error::new(ErrorKind::Unrecorded, Operation::Record, message).with_source(error)
    })?;
    json.pop();
    if !json.is_empty() {
        json.remove(0);
    }
    if json.len() > MAX_BODY {
        let message = format!("the record takes {} bytes, and a line at most 1 MiB", json.len());
        return Err(Error::new(ErrorKind::Unrecorded, Operation::Record, message)
            .with_remedy("nothing is signed that is not recorded: ask for something smaller"));
    }
    Ok(json)
}

fn ended() -> Error {
    Error::new(ErrorKind::Unrecorded, Operation::Record, "the thread that writes the audit file has ended")
        .with_remedy("open the log anew; if it happens again, report it")
}
