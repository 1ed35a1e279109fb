//! Tells observers and recorders of one request, from the decision to what came of it.

use std::{
    error::Error as StdError,
    time::{Instant, SystemTime},
};

use alloy_primitives::{Address, B256};
use serde_json::Value;

use super::Guarded;
use crate::{
    client::heard::Heard,
    error::{Error, ErrorKind, Operation, Result, one_line},
    guard::{
        asked::Asked,
        record::{Record, Recorder, Spending},
    },
    observe::{self, Event, GuardEvent, Observer, Stage},
};

pub(super) struct Watch<'a> {
    observer: Option<&'a dyn Observer>,
    recorder: Option<&'a dyn Recorder>,
    allow_unrecorded: bool,
    /// What is the same in everything that is told.
    id: u64,
    caller: Option<&'a str>,
    signer: Address,
    key: Option<&'a str>,
    asked: &'static str,
    digest: Option<B256>,
    started: Instant,
    at: SystemTime,
    /// For the record of the decision.
    described: Option<Value>,
    spending: Option<Spending>,
    rule: Option<String>,
    /// It was allowed, and nothing has been told of what came of it.
    pending: bool,
}

/// What differs.
#[derive(Clone, Copy, Default)]
struct Told<'t> {
    rule: Option<&'t str>,
    reason: Option<&'t str>,
    key: Option<&'t str>,
    request_id: Option<&'t str>,
    may_have_signed: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new<S>(guarded: &'a Guarded<S>, signer: Address, asked: &Asked<'_>, digest: Option<B256>) -> Self {
        let at = SystemTime::now();
        let recorder = guarded.recorder.as_deref();
        Self {
            observer: guarded.observer.as_deref(),
            recorder,
            allow_unrecorded: guarded.allow_unrecorded,
            id: fastrand::u64(..),
            caller: guarded.caller(),
            signer,
            key: guarded.key.as_deref(),
            asked: asked.kind(),
            digest,
            started: Instant::now(),
            at,
            described: recorder.map(|_| asked.describe()),
            spending: asked.spending(signer, at),
            rule: None,
            pending: false,
        }
    }

    /// A denial is a denial, recorded or not.
    pub(super) async fn denied(mut self, rule: Option<&str>, reason: String) {
        let told = Told { rule, reason: Some(&reason), ..Told::default() };
        let _ = self.record(Stage::Denied, told).await;
        self.tell(Stage::Denied, told);
    }

    /// Nothing may be signed where this fails.
    pub(super) async fn allowed(&mut self, rule: &str) -> Result<()> {
        self.rule = Some(rule.to_owned());
        if let Err(error) = self.record(Stage::Allowed, Told::default()).await {
            self.tell(Stage::Failed, Told { reason: Some(&error.to_string()), ..Told::default() });
            return Err(error);
        }
        self.pending = true;
        self.tell(Stage::Allowed, Told::default());
        Ok(())
    }

    /// The signature may not be returned where this fails.
    pub(super) async fn signed(mut self, heard: Heard) -> Result<()> {
        let told = Told { key: heard.key.as_deref(), request_id: heard.request_id.as_deref(), ..Told::default() };
        let recorded = self.record(Stage::Signed, told).await;
        self.pending = false;
        match &recorded {
            Ok(()) => self.tell(Stage::Signed, told),
            Err(error) => self.tell(Stage::Failed, Told { reason: Some(&error.to_string()), ..told }),
        }
        recorded.map_err(|error| error.with_may_have_signed(true))
    }

    /// The caller is told of the failure, recorded or not.
    pub(super) async fn failed(mut self, heard: Heard, error: &alloy_signer::Error) {
        let reason = error.to_string();
        let (key, request_id) = (heard.key.as_deref(), heard.request_id.as_deref());
        let may_have_signed = Error::find(error).is_some_and(Error::may_have_signed);
        let told = Told { reason: Some(&reason), key, request_id, may_have_signed, ..Told::default() };
        let _ = self.record(Stage::Failed, told).await;
        self.pending = false;
        self.tell(Stage::Failed, told);
    }

    async fn record(&mut self, stage: Stage, told: Told<'_>) -> Result<()> {
        let Some(recorder) = self.recorder else { return Ok(()) };
        let described = self.described.take();
        let is_decision = matches!(stage, Stage::Allowed | Stage::Denied);
        let record = Record {
            at: if is_decision { self.at } else { SystemTime::now() },
            event: self.event(stage, told),
            asked: described.as_ref(),
            spending: self.spending.filter(|_| stage == Stage::Allowed),
            may_have_signed: told.may_have_signed,
        };
        let Err(error) = recorder.record(&record).await else { return Ok(()) };
        let error = match error.downcast::<Error>() {
            Ok(own) if own.kind() == ErrorKind::Unrecorded => *own,
            Ok(other) => unrecorded(other),
            Err(error) => unrecorded(error),
        };
        self.tell(Stage::Unrecorded, Told { reason: Some(&error.to_string()), ..told });
        if self.allow_unrecorded { Ok(()) } else { Err(error) }
    }

    fn tell(&self, stage: Stage, told: Told<'_>) {
        if let Some(observer) = self.observer {
            observe::tell(observer, &Event::Guard(self.event(stage, told)));
        }
    }

    fn event<'t>(&'t self, stage: Stage, told: Told<'t>) -> GuardEvent<'t> {
        GuardEvent {
            stage,
            id: self.id,
            caller: self.caller,
            signer: self.signer,
            key: told.key.or(self.key),
            asked: self.asked,
            rule: told.rule.or(self.rule.as_deref()),
            reason: told.reason,
            digest: self.digest,
            request_id: told.request_id,
            latency: self.started.elapsed(),
        }
    }
}

fn unrecorded(cause: Box<dyn StdError + Send + Sync>) -> Error {
    Error::new(ErrorKind::Unrecorded, Operation::Record, one_line(&cause.to_string())).with_source(cause)
}

/// Tells the observer of what its caller no longer waited for.
impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.pending {
            let reason = Some("its caller no longer waited for it");
            self.tell(Stage::Failed, Told { reason, ..Told::default() });
        }
    }
}
