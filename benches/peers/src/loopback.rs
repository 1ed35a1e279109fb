//! The KMS over HTTP on 127.0.0.1, on a thread of its own, so that its CPU time is not the clients'.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    thread,
};

use aws_sdk_kms::Client;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Builder};

use crate::{
    Outcome,
    answers::{Answers, target},
    memory::config,
};

/// Serves until the process ends.
pub(crate) fn serve(answers: Arc<Answers>) -> Outcome<SocketAddr> {
    let (report, reported) = mpsc::channel();
    thread::Builder::new().name("kms".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            // The receiver only goes away when the process ends.
            let _ = report.send(listener.local_addr()?);
            accept(listener, answers).await
        })
    })?;
    Ok(reported.recv()?)
}

async fn accept(listener: TcpListener, answers: Arc<Answers>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = answers.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&answers, request));
            // A client that hangs up is no error here.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(answers: &Answers, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Ok(answers.answer(target(&parts.headers), &body).map(Full::new))
}

/// An SDK client of that KMS: plain HTTP, otherwise the SDK's defaults.
pub(crate) fn client(address: SocketAddr) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    Client::from_conf(config().endpoint_url(format!("http://{address}")).http_client(http).build())
}
