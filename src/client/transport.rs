//! The one HTTP and TLS stack of clients built here: plain HTTP for emulators, TLS with the system's roots otherwise.

use std::{error::Error as StdError, fmt, panic::AssertUnwindSafe, sync::OnceLock};

use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use base64::{Engine, engine::general_purpose::STANDARD};
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
            configure(ConnectorBuilder::default(), settings, components).build_http()
        });
        let https = Builder::new().build_with_connector_fn(|settings, components| {
            let builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            let mut builder = configure(builder, settings, components);
            let roots = roots().cloned().unwrap_or_else(TrustStore::empty);
            if let Ok(context) = TlsContext::builder().with_trust_store(roots).build() {
                builder.set_tls_context(context);
            }
            builder.build()
        });
        Self { http, https }
    }
}

/// What the SDK's own client takes over from the configuration and the environment.
fn configure<Tls>(
    mut builder: ConnectorBuilder<Tls>,
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> ConnectorBuilder<Tls> {
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder.set_proxy_config(Some(ProxyConfig::from_env()));
    builder
}

impl HttpClient for Transport {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme {
            http: self.http.http_connector(settings, components),
            https: roots().map(|_| self.https.http_connector(settings, components)),
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

/// The system's CA roots, those of them that can be used; none if there are none. Loaded once: a store does not appear
/// while a process runs.
fn roots() -> Option<&'static TrustStore> {
    static ROOTS: OnceLock<Option<TrustStore>> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            // The SDK takes roots as PEM, and takes for granted that each can be used.
            let store = rustls_native_certs::load_native_certs();
            let usable = store.certs.iter().filter(|der| webpki::anchor_from_trusted_cert(der).is_ok());
            let pem: String = usable.map(|der| pem(der)).collect();
            (!pem.is_empty()).then(|| TrustStore::empty().with_pem_certificate(pem))
        })
        .as_ref()
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
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
