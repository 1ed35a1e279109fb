//! Serving until it is told to end, and ending in order.

use std::{future::Future, io, net::TcpListener, sync::Arc, time::Duration};

use axum::Router;
use axum_server::Handle;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{connection::Acceptor, http, measure, service::Service};

/// For the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// So many connections are open, at a time; the others are closed at once.
const CONNECTIONS: usize = 256;
/// The most bytes of a head.
const HEAD_BYTES: usize = 16 << 10;
/// For what is under way at the end: longer than an answer may take.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// What is served.
#[derive(Debug)]
pub struct Server {
    /// The signer.
    pub service: Arc<Service>,
    /// What `/metrics` shows.
    pub metrics: Option<PrometheusHandle>,
}

impl Server {
    /// Serves until `end` is there. Then nothing new is let in, and what is under way gets 20 s.
    ///
    /// # Errors
    ///
    /// If a listener is none.
    pub async fn serve(
        self,
        listener: TcpListener,
        utility: Option<TcpListener>,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Self { service, metrics } = self;
        let upkeep = metrics.clone().map(|metrics| tokio::spawn(measure::keep_up(metrics)));
        let handles = [Handle::new(), Handle::new()];
        let [main, side] = handles.clone();
        let ending = tokio::spawn(async move {
            end.await;
            tracing::info!("ending: nothing new is let in");
            for handle in &handles {
                handle.graceful_shutdown(Some(SHUTDOWN));
            }
        });
        let side = utility.map(|utility| {
            let router = http::utility_router(service.clone(), metrics);
            tokio::spawn(run(utility, router, side))
        });
        let served = run(listener, http::router(service.clone()), main).await;
        ending.abort();
        for task in [upkeep].into_iter().flatten() {
            task.abort();
        }
        if let Some(side) = side {
            side.abort();
        }
        for client in service.clients() {
            if let Err(error) = client.drain(Duration::from_secs(1)).await {
                tracing::warn!(%error, "calls of KMS were still under way");
            }
        }
        served
    }
}

async fn run(listener: TcpListener, router: Router, handle: Handle<std::net::SocketAddr>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let server = axum_server::from_tcp(listener)?.acceptor(Acceptor::new(CONNECTIONS));
    let mut server = server.http1_only().handle(handle).first_request_timeout(HEAD_WITHIN);
    server.http_builder().http1().header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
    server.serve(router.into_make_service()).await
}

/// SIGTERM, or Ctrl-C, from now on.
///
/// # Errors
///
/// If signals cannot be waited for.
#[cfg(unix)]
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ctrl-C.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
