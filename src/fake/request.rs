//! The log of requests that arrived.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::input::Input;

/// How many requests are kept.
const CAPACITY: usize = 10_000;

/// A request that arrived at a [`FakeKms`](super::FakeKms).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    operation: String,
    key_id: Option<String>,
    grant_tokens: Vec<String>,
    dry_run: bool,
    body: String,
}

impl Request {
    pub(super) fn new(operation: &str, body: &[u8]) -> Self {
        let mut request = Self {
            operation: operation.to_owned(),
            key_id: None,
            grant_tokens: Vec::new(),
            dry_run: false,
            body: String::from_utf8_lossy(body).into_owned(),
        };
        if let Ok(input) = Input::parse(body) {
            let text = |name| input.text(name).ok().flatten();
            request.key_id = text("KeyId").or_else(|| text("TargetKeyId")).map(str::to_owned);
            let tokens = input.list("GrantTokens").unwrap_or_default();
            request.grant_tokens = tokens.iter().filter_map(|token| token.as_str().map(str::to_owned)).collect();
            request.dry_run = input.flag("DryRun").unwrap_or_default();
            // What is to be encrypted is nobody's business, and a log is printed sooner or later.
            if let Some(body) = input.without("Plaintext") {
                request.body = body;
            }
        }
        request
    }

    /// The operation, for instance `Sign`; empty if the request named none of KMS's.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The key as it was sent: an id, an ARN or an alias. For `CreateAlias` and `UpdateAlias` the target key.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The grant tokens sent.
    pub fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    /// Whether it asked for a dry run.
    pub fn dry_run(&self) -> bool {
        self.dry_run
    }

    /// The body as it was sent, JSON unless the caller sent something else. A `Plaintext` is left out.
    pub fn body(&self) -> &str {
        &self.body
    }
}

#[derive(Default)]
pub(super) struct Log(Mutex<VecDeque<Request>>);

impl Log {
    pub(super) fn push(&self, request: Request) {
        let mut requests = self.lock();
        if requests.len() == CAPACITY {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.lock().iter().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
