//! From the body of a request to the body of its answer.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use alloy_primitives::B256;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde_json::value::RawValue;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

use crate::{
    callers::{Caller, Callers, Key},
    error::{INTERNAL_ERROR, LIMIT_EXCEEDED, RpcError},
    measure,
    methods::{self, Forwarding},
    rpc::{self, Answer, Body, Call, NoCall},
    upstream::Upstream,
};

/// How many calls of a batch are under way at a time.
const BATCH_AT_ONCE: usize = 8;

/// An answer of this size is never left out of a batch.
const SHORT: usize = 4096;

/// Keys, callers and the node behind them.
#[derive(Debug)]
pub struct Service {
    pub(crate) keys: Vec<Arc<Key>>,
    pub(crate) callers: Callers,
    pub(crate) upstream: Option<Arc<Upstream>>,
    pub(crate) chain_id: Option<u64>,
    pub(crate) forwarding: Forwarding,
    pub(crate) most_calls: usize,
    pub(crate) most_answer_bytes: usize,
    /// What goes on although nobody may wait for it any more.
    pub(crate) tasks: TaskTracker,
    /// Nothing new is begun.
    pub(crate) ending: AtomicBool,
}

/// How far a transaction has come that is to be sent: what its sender must know when the time is over.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Stage>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Stage {
    /// Nothing was signed.
    #[default]
    NotBegun,
    /// It is being signed, or was given to the node by its client.
    Begun,
    /// It was signed, and is on its way.
    Signed(B256),
}

impl Progress {
    pub(crate) fn set(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn get(&self) -> Stage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks, until when, and the place that is taken.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) caller: Arc<Caller>,
    pub(crate) deadline: Instant,
    /// Given back when the last of the request's work has ended.
    pub(crate) place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Service {
    /// A service without a node, for keys and their callers.
    pub fn new(keys: Vec<Arc<Key>>, callers: Callers) -> Self {
        Self {
            keys,
            callers,
            upstream: None,
            chain_id: None,
            forwarding: Forwarding::default(),
            most_calls: 100,
            most_answer_bytes: 16 << 20,
            tasks: TaskTracker::new(),
            ending: AtomicBool::new(false),
        }
    }

    /// Forwards to this node what is not for the signer.
    #[must_use]
    pub fn with_upstream(mut self, upstream: Option<Upstream>) -> Self {
        self.upstream = upstream.map(Arc::new);
        self
    }

    /// The chain, where there is no node to ask, or which the node must be on.
    #[must_use]
    pub fn with_chain_id(mut self, chain_id: Option<u64>) -> Self {
        self.chain_id = chain_id;
        self
    }

    /// What is forwarded.
    #[must_use]
    pub fn with_forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// The most calls of a batch, and the most bytes of its answer.
    #[must_use]
    pub fn with_bounds(mut self, most_calls: usize, most_answer_bytes: usize) -> Self {
        (self.most_calls, self.most_answer_bytes) = (most_calls, most_answer_bytes);
        self
    }

    /// Answers a body, be it one call or a batch. None if nothing but notifications was in it.
    pub async fn answer(self: &Arc<Self>, request: &Request, body: &[u8]) -> Option<Vec<u8>> {
        match rpc::parse(body, self.most_calls) {
            Ok(Body::Single(raw)) => self.answer_call(request, raw).await,
            Ok(Body::Batch(calls)) => self.answer_batch(request, calls).await,
            Err(error) => {
                measure::call("invalid", &Err(error.clone()), Duration::ZERO);
                Some(rpc::response(None, &Err(error)))
            }
        }
    }

    /// Several at a time, but one after the other where a transaction is sent: a client that sends two expects them in order.
    async fn answer_batch(self: &Arc<Self>, request: &Request, calls: Vec<&RawValue>) -> Option<Vec<u8>> {
        let sends = calls.iter().any(|raw| rpc::parse_call(raw).is_ok_and(|call| methods::sends(&call.method)));
        let at_once = if sends { 1 } else { BATCH_AT_ONCE };
        // Boxed, because the compiler does not see that a closure's future is Send for every lifetime.
        let work: Vec<BoxFuture<'_, _>> =
            calls.into_iter().map(|raw| async move { (raw, self.answer_call(request, raw).await) }.boxed()).collect();
        let mut answers = stream::iter(work).buffered(at_once);
        let mut text = Vec::new();
        while let Some((raw, answer)) = answers.next().await {
            let Some(mut answer) = answer else { continue };
            if answer.len() > SHORT && text.len() + answer.len() > self.most_answer_bytes {
                let id = rpc::parse_call(raw).ok().and_then(|call| call.id);
                let message = format!("the batch's answer has more than {} bytes", self.most_answer_bytes);
                answer = rpc::response(id, &Err(RpcError::new(LIMIT_EXCEEDED, message)));
            }
            text.push(if text.is_empty() { b'[' } else { b',' });
            text.extend_from_slice(&answer);
        }
        if text.is_empty() {
            return None;
        }
        text.push(b']');
        Some(text)
    }

    async fn answer_call(self: &Arc<Self>, request: &Request, raw: &RawValue) -> Option<Vec<u8>> {
        let begun = Instant::now();
        let (id, method, answer) = match rpc::parse_call(raw) {
            Ok(Call { id, method, params }) => {
                let progress = Arc::new(Progress::default());
                let answer = match request.deadline > begun {
                    true => {
                        let answering = methods::answer(self, request, &method, params, &progress);
                        timeout_at(request.deadline, answering).await.ok()
                    }
                    // Of a batch whose time is over nothing more is begun.
                    false => None,
                };
                (id, methods::label(&method), answer.unwrap_or_else(|| Err(RpcError::late(progress.get()))))
            }
            Err(NoCall { id, error }) => {
                let answer = Err(error);
                self.note(request, "invalid", &answer, begun);
                return Some(rpc::response(id, &answer));
            }
        };
        self.note(request, method, &answer, begun);
        id.map(|id| rpc::response(Some(id), &answer))
    }

    /// Does what must come to its end, though its client may go away: a decision has an outcome then.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        request: &Request,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, RpcError> {
        let place = request.place.clone();
        let task = self.tasks.spawn(async move {
            let done = work.await;
            drop(place);
            done
        });
        task.await.map_err(|_| RpcError::new(INTERNAL_ERROR, "it was broken off; the log tells how far it had come"))
    }

    /// No parameter and no message: they may hold what the caller sent by mistake.
    fn note(&self, request: &Request, method: &'static str, answer: &Answer, begun: Instant) {
        let took = begun.elapsed();
        measure::call(method, answer, took);
        let (caller, code) = (request.caller.name(), answer.as_ref().err().map_or(0, |error| error.code));
        tracing::debug!(caller, method, code, ms = took.as_secs_f64() * 1e3, "call");
    }
}
