//! The one HTTP and TLS stack of clients built here: plain HTTP for emulators, TLS with the system's roots otherwise.

use std::{error::Error as StdError, fmt, panic::AssertUnwindSafe, sync::OnceLock};

use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};

use futures_util::FutureExt;

use super::classify::find;

/// Sends by the scheme of each request's URI, through the proxy of the environment where one is set.
///
/// The SDK's own HTTPS client takes for granted that the machine has CA roots. This one looks first, so that a
/// container without them gets an error that says so.
#[derive(Debug)]
pub(super) struct Transport {
    http: SharedHttpClient,
    https: SharedHttpClient,
}

impl Transport {
    pub(super) fn new() -> Self {
        let http = Builder::new().build_with_connector_fn(|settings, components| {
            let mut builder = ConnectorBuilder::default();
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.set_proxy_config(Some(ProxyConfig::from_env()));
            builder.build_http()
        });
        let https = Builder::new().build_with_connector_fn(|settings, components| {
            let mut builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.set_proxy_config(Some(ProxyConfig::from_env()));
            builder.build()
        });
        Self { http, https }
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme {
            http: self.http.http_connector(settings, components),
            https: has_roots().then(|| self.https.http_connector(settings, components)),
        })
    }
}

#[derive(Debug)]
struct ByScheme {
    http: SharedHttpConnector,
    https: Option<SharedHttpConnector>,
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with("http://") {
            return guarded(self.http.call(request));
        }
        match &self.https {
            Some(https) => guarded(https.call(request)),
            None => HttpConnectorFuture::ready(Err(ConnectorError::user(CannotSend::NoRoots.into()))),
        }
    }
}

/// tokio panics where a runtime without I/O is to open a connection.
fn guarded(answer: HttpConnectorFuture) -> HttpConnectorFuture {
    HttpConnectorFuture::new(async move {
        AssertUnwindSafe(answer)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(ConnectorError::user(CannotSend::NoIo.into())))
    })
}

/// Whether the system's trust store has a certificate that can be used. Looked up once: a store does not appear while a
/// process runs.
fn has_roots() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let store = rustls_native_certs::load_native_certs();
        store.certs.iter().any(|certificate| webpki::anchor_from_trusted_cert(certificate).is_ok())
    })
}

/// Why this transport cannot send anything, found inside whatever the SDK wrapped around it.
pub(super) fn cannot_send(failure: &(dyn StdError + 'static)) -> Option<String> {
    find::<CannotSend>(failure).map(ToString::to_string)
}

#[derive(Debug)]
enum CannotSend {
    NoRoots,
    NoIo,
}

impl fmt::Display for CannotSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoots => {
                "this machine has no CA root certificates, so no TLS connection can be trusted; \
                 install them (package ca-certificates) or name a bundle in SSL_CERT_FILE"
            }
            Self::NoIo => "the tokio runtime has no I/O; build it with enable_io() or enable_all()",
        })
    }
}

impl StdError for CannotSend {}
