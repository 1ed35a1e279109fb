//! A connection: let in if there is a place, made secure where that is asked for, and told who is at its other end.

mod stalled;

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{Extension, middleware::AddExtension};
use axum_server::accept::Accept;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::either::Either;

use self::stalled::Stalled;
use crate::secret::Fingerprint;

/// What a connection is known by. Its place is given back when the last copy is gone.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) certificate: Option<Fingerprint>,
    pub(crate) address: SocketAddr,
    _place: Arc<OwnedSemaphorePermit>,
}

/// Lets connections in.
#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) places: Arc<Semaphore>,
    /// For the handshake, and for a client to take what it is sent.
    pub(crate) patience: Duration,
}

type Stream = Either<Stalled<TcpStream>, TlsStream<Stalled<TcpStream>>>;
type Layered<S> = AddExtension<S, Peer>;

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Stream;
    type Service = Layered<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Stream, Layered<S>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Self { tls, places, patience } = self.clone();
        Box::pin(async move {
            let place = places.try_acquire_owned().map_err(|_| io::Error::other("too many connections"))?;
            stream.set_nodelay(true)?;
            let address = stream.peer_addr()?;
            let stream = Stalled::new(stream, patience);
            let (stream, certificate) = match tls {
                None => (Either::Left(stream), None),
                Some(tls) => {
                    let stream = timeout(patience, tls.accept(stream)).await??;
                    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    let certificate = certificate.map(|der| Fingerprint::of(der));
                    (Either::Right(stream), certificate)
                }
            };
            let peer = Peer { certificate, address, _place: Arc::new(place) };
            let service = known_as(peer, service);
            Ok((stream, service))
        })
    }
}

fn known_as<S>(peer: Peer, service: S) -> Layered<S> {
    use tower_layer::Layer;
    Extension(peer).layer(service)
}
