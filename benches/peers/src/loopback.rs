//! The KMS over HTTP on 127.0.0.1, on a thread of its own, so that its CPU time is not the clients'.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    thread,
};

use aws_sdk_kms::{Client, config};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::Builder,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Outcome,
    answers::{Answers, target},
    memory,
    throttle::Throttle,
};

/// Serves until the process ends, at once or with a throttle.
pub(crate) fn serve(answers: Arc<Answers>, throttle: Option<Arc<Throttle>>) -> Outcome<SocketAddr> {
    start(Kms { answers, throttle, tls: None })
}

/// The same over TLS.
pub(crate) fn serve_tls(answers: Arc<Answers>, tls: TlsAcceptor) -> Outcome<SocketAddr> {
    start(Kms { answers, throttle: None, tls: Some(tls) })
}

#[derive(Clone)]
struct Kms {
    answers: Arc<Answers>,
    throttle: Option<Arc<Throttle>>,
    tls: Option<TlsAcceptor>,
}

fn start(kms: Kms) -> Outcome<SocketAddr> {
    let (report, reported) = mpsc::channel();
    thread::Builder::new().name("kms".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            // The receiver only goes away when the process ends.
            let _ = report.send(listener.local_addr()?);
            kms.accept(listener).await
        })
    })?;
    Ok(reported.recv()?)
}

impl Kms {
    async fn accept(self, listener: TcpListener) -> std::io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let kms = self.clone();
            tokio::spawn(async move {
                match &kms.tls {
                    // A client that does not trust us is no error here; it says so itself.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            kms.converse(stream).await;
                        }
                    }
                    None => kms.converse(stream).await,
                }
            });
        }
    }

    async fn converse(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let _open = self.throttle.as_ref().map(Throttle::connection);
        let service = service_fn(|request| respond(&self.answers, self.throttle.as_deref(), request));
        // A client that hangs up is no error here.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn respond(
    answers: &Answers,
    throttle: Option<&Throttle>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let target = target(&parts.headers);
    if let Some(throttle) = throttle
        && let Some(refusal) = throttle.refuse(target).await
    {
        return Ok(refusal.map(Full::new));
    }
    Ok(answers.answer(target, &body).map(Full::new))
}

/// An SDK client of that KMS: plain HTTP, otherwise the SDK's defaults.
pub(crate) fn client(address: SocketAddr) -> Client {
    Client::from_conf(config(address).build())
}

/// The same before it is built, with connections of its own.
pub(crate) fn config(address: SocketAddr) -> config::Builder {
    let http = aws_smithy_http_client::Builder::new().build_http();
    memory::config().endpoint_url(format!("http://{address}")).http_client(http)
}
