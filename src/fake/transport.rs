//! The SDK client whose HTTP client is a FakeKms.

use core::time::Duration;
use std::{future::pending, io, pin::pin, thread};

use aws_sdk_kms::{
    Client, Config,
    config::{
        AsyncSleep, BehaviorVersion, Credentials, Region, SharedAsyncSleep, Sleep, StalledStreamProtectionConfig,
    },
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use tokio::runtime::Handle;

use super::{
    FakeKms, exchange,
    fault::{Broken, Effect},
};

pub(super) fn client(kms: FakeKms, access_key_id: &str, secret: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(kms.region().to_owned()))
        .credentials_provider(Credentials::new(access_key_id, secret, None, None, "FakeKms"))
        .sleep_impl(TokioSleep)
        // It measures how fast a body is read. Here none is: the whole request arrives at once, and only replies stall.
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
        .http_client(Connector { kms, read_timeout: None, sleep: None })
        .build();
    Client::from_conf(config)
}

/// Waits on tokio's clock, or, outside a tokio runtime, blocks the thread.
pub(super) async fn sleep(duration: Duration) {
    if duration.is_zero() {
        return;
    }
    if Handle::try_current().is_ok() {
        tokio::time::sleep(duration).await;
    } else {
        thread::sleep(duration);
    }
}

#[derive(Debug)]
struct TokioSleep;

impl AsyncSleep for TokioSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}

#[derive(Clone, Debug)]
struct Connector {
    kms: FakeKms,
    read_timeout: Option<Duration>,
    /// The sleep implementation of the client, which may have been rebuilt with another.
    sleep: Option<SharedAsyncSleep>,
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self {
            kms: self.kms.clone(),
            read_timeout: settings.read_timeout(),
            sleep: components.sleep_impl(),
        })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            let Some(limit) = connector.read_timeout else { return connector.exchange(request).await };
            match select(pin!(connector.exchange(request)), pin!(connector.sleep(limit))).await {
                Either::Left((response, _)) => response,
                Either::Right(_) => Err(ConnectorError::timeout(io::Error::from(io::ErrorKind::TimedOut).into())),
            }
        })
    }
}

impl Connector {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (parts, body) = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?.into_parts();
        let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
        let request = http::Request::from_parts(parts, body);

        let kms = self.kms.addressed_by(&request);
        let fault = kms.0.faults.take(exchange::operation(&request));
        let (broken, spoilt) = match fault {
            Some(Effect::Connection(Broken::Refused)) => return Err(io_error(io::ErrorKind::ConnectionRefused)),
            Some(Effect::Connection(broken)) => (Some(broken), None),
            Some(Effect::Response(spoilt)) => (None, Some(spoilt)),
            None => (None, None),
        };
        let reply = exchange::respond(&kms, &request, spoilt);
        match broken {
            Some(Broken::Stalled) => pending().await,
            Some(Broken::Reset | Broken::Refused) => Err(io_error(io::ErrorKind::ConnectionReset)),
            None => {
                self.sleep(reply.latency).await;
                // Not in one piece: the SDK prints a whole body in its TRACE logs, though it may hold a plaintext.
                let body = |bytes| SdkBody::from_body_1_x(Full::<Bytes>::new(bytes));
                HttpResponse::try_from(reply.response.map(body))
                    .map_err(|error| ConnectorError::other(error.into(), None))
            }
        }
    }

    async fn sleep(&self, duration: Duration) {
        match &self.sleep {
            Some(_) if duration.is_zero() => {}
            Some(implementation) => implementation.sleep(duration).await,
            None => sleep(duration).await,
        }
    }
}

fn io_error(kind: io::ErrorKind) -> ConnectorError {
    ConnectorError::io(io::Error::from(kind).into())
}
