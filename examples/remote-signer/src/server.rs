//! Serving until it is told to end, and ending in order.

use std::{
    future::Future,
    io,
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
};

use axum_server::Handle;
use kms_signer::KmsClient;
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::ServerConfig;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    connection::Acceptor,
    health::Health,
    http::{App, router},
    measure,
    service::Service,
    settings::Limits,
    warnings::Warnings,
};

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;

/// What is served, and how.
#[derive(Debug)]
pub struct Server {
    /// The signer.
    pub service: Arc<Service>,
    /// What `/readyz` asks.
    pub health: Health,
    /// What `/metrics` shows.
    pub metrics: Option<PrometheusHandle>,
    /// None is plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether something in front of it has TLS: then those who come from loopback are not of this machine.
    pub behind_proxy: bool,
    /// Bounds.
    pub limits: Limits,
    /// Clients of KMS that end with the server.
    pub clients: Vec<KmsClient>,
}

impl Server {
    /// Serves until `end` is there. Then nothing new is let in, and what is under way gets the time that the limits say.
    ///
    /// # Errors
    ///
    /// If the listener is none.
    pub async fn serve(self, listener: TcpListener, end: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { service, health, metrics, tls, behind_proxy, limits, clients } = self;
        let open_metrics = listener.local_addr()?.ip().is_loopback() && !behind_proxy;
        let upkeep = metrics.clone().map(|metrics| tokio::spawn(measure::keep_up(metrics)));
        let app = App {
            service: service.clone(),
            health: Arc::new(health),
            metrics,
            open_metrics,
            limits,
            places: Arc::new(Semaphore::new(limits.in_flight)),
            strangers: Arc::new(Warnings::new()),
        };
        let acceptor = Acceptor {
            tls: tls.map(TlsAcceptor::from),
            places: Arc::new(Semaphore::new(limits.connections)),
            patience: limits.head(),
        };
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(listener)?
            .acceptor(acceptor)
            .http1_only()
            .handle(handle.clone())
            .first_request_timeout(limits.head())
            .accept_error_handler(|peer, error| {
                let peer = peer.map(tracing::field::display);
                tracing::debug!(peer, %error, "a connection was not let in");
            });
        server.http_builder().http1().header_read_timeout(limits.head()).max_buf_size(HEAD_BYTES);

        let stopped = service.clone();
        let ending = tokio::spawn(async move {
            end.await;
            tracing::info!("ending: nothing new is let in");
            let begun = Instant::now();
            stopped.ending.store(true, Ordering::Relaxed);
            // The rest of the time is for what goes on without its client.
            handle.graceful_shutdown(Some(limits.shutdown().mul_f64(0.75)));
            begun
        });
        let served = server.serve(router(app).into_make_service()).await;
        // What is left of the time is for all that follows.
        let begun = match &served {
            Ok(()) => ending.await.ok(),
            Err(_) => {
                ending.abort();
                None
            }
        };
        let deadline = begun.unwrap_or_else(Instant::now) + limits.shutdown();
        if let Some(upkeep) = upkeep {
            upkeep.abort();
        }
        // A transaction on its way to the node, though its client has gone.
        service.tasks.close();
        if timeout_at(deadline, service.tasks.wait()).await.is_err() {
            tracing::warn!("transactions were still on their way to the node; the log has their hashes");
        }
        for client in clients {
            if let Err(error) = client.drain(deadline.saturating_duration_since(Instant::now())).await {
                tracing::warn!(%error, "calls of KMS were still under way");
            }
        }
        served
    }
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
