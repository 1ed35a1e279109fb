//! The KMS within the SDK client: an HTTP client that answers at once. What is left is the clients' own work.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Builder, Credentials, Region},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use kms_signer::fake::FakeKms;

use crate::answers::{Answers, target};

/// What every client here shares: the SDK's defaults and made-up credentials.
pub(crate) fn config() -> Builder {
    aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(FakeKms::REGION))
        .credentials_provider(Credentials::new("peers", "peers", None, None, "peers"))
}

pub(crate) fn client(memory: Memory) -> Client {
    Client::from_conf(config().http_client(memory).build())
}

#[derive(Clone)]
pub(crate) struct Memory {
    answers: Arc<Answers>,
    requests: Arc<AtomicUsize>,
}

impl Memory {
    pub(crate) fn new(answers: Arc<Answers>) -> Self {
        Self { answers, requests: Arc::default() }
    }

    /// How many requests have arrived.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn respond(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let body = request.body().bytes().unwrap_or_default();
        HttpResponse::try_from(self.answers.answer(target(request.headers()), body).map(Into::into))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("requests", &self.requests()).finish_non_exhaustive()
    }
}

impl HttpClient for Memory {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Memory {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.respond(request))
    }
}
