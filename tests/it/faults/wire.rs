//! A FakeKms behind a real socket on loopback, whose next connection goes wrong.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Bytes, http::Request};
use kms_signer::fake::FakeKms;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What becomes of a connection. Where the request is read it is carried out, too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire {
    ClosedAtOnce,
    ResetUnread,
    ClosedRead,
    ResetRead,
    Silent,
    NotHttp,
    HeadersDripping,
    BodyDripping,
    LengthTooLong,
    LengthTooShort,
    ChunksCutOff,
    ChunksEndedEarly,
    ResetInBody,
    Endless,
    Huge,
}

const DRIP: Duration = Duration::from_millis(50);
const HUGE: usize = 100_000_000;

#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    next: Arc<Mutex<Option<Wire>>>,
}

impl Server {
    /// One request a connection, so that each connection is as new as a fault needs it.
    pub(super) async fn start(fake: FakeKms) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), next: Arc::default() };
        let next = server.next.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let wire = next.lock().unwrap().take();
                // A client that goes away in the middle is what some of the faults are about.
                tokio::spawn(serve(stream, fake.clone(), wire));
            }
        });
        server
    }

    /// Breaks the next connection.
    pub(super) fn break_next(&self, wire: Wire) {
        *self.next.lock().unwrap() = Some(wire);
    }

    /// Whether the fault is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        self.next.lock().unwrap().is_some()
    }
}

async fn serve(mut stream: TcpStream, fake: FakeKms, wire: Option<Wire>) -> io::Result<()> {
    match wire {
        Some(Wire::ClosedAtOnce) => return stream.shutdown().await,
        Some(Wire::ResetUnread) => {
            // Only once there is something to read: a connection that ends earlier was never one to the client.
            stream.peek(&mut [0]).await?;
            return stream.set_zero_linger();
        }
        _ => {}
    }
    let request = read_request(&mut stream).await?;
    let answer = fake.handle(request).await;
    let (status, body) = (answer.status(), answer.body());
    let head = |framing: &str| {
        let mut head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{framing}\r\n");
        for (name, value) in answer.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        head + "\r\n"
    };
    let length = |bytes: usize| head(&format!("content-length: {bytes}"));
    let chunked = head("transfer-encoding: chunked");
    let half = &body[..body.len() / 2];
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();

    match wire {
        Some(Wire::ClosedAtOnce | Wire::ResetUnread) => unreachable!(),
        None => stream.write_all(&[length(body.len()).as_bytes(), body].concat()).await?,
        Some(Wire::ClosedRead) => {}
        Some(Wire::ResetRead) => stream.set_zero_linger()?,
        Some(Wire::Silent) => return until_gone(&mut stream).await,
        Some(Wire::NotHttp) => stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await?,
        Some(Wire::HeadersDripping) => drip(&mut stream, length(body.len()).as_bytes()).await?,
        Some(Wire::BodyDripping) => {
            stream.write_all(length(body.len()).as_bytes()).await?;
            drip(&mut stream, body).await?;
        }
        Some(Wire::LengthTooLong) => stream.write_all(&[length(body.len() + 100).as_bytes(), body].concat()).await?,
        Some(Wire::LengthTooShort) => stream.write_all(&[length(half.len()).as_bytes(), body].concat()).await?,
        Some(Wire::ChunksCutOff) => stream.write_all(&[chunked.as_bytes(), &chunk(half)].concat()).await?,
        Some(Wire::ChunksEndedEarly) => {
            stream.write_all(&[chunked.as_bytes(), &chunk(half), b"0\r\n\r\n"].concat()).await?;
        }
        Some(Wire::ResetInBody) => {
            stream.write_all(&[length(body.len()).as_bytes(), half].concat()).await?;
            // A reset overtakes what the other side has not read.
            tokio::time::sleep(DRIP).await;
            stream.set_zero_linger()?;
        }
        Some(Wire::Endless) => {
            stream.write_all(chunked.as_bytes()).await?;
            let chunk = chunk(&[b' '; 0x10000]);
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Some(Wire::Huge) => {
            stream.write_all(length(HUGE).as_bytes()).await?;
            for _ in 0..HUGE / 100_000 {
                stream.write_all(&[b' '; 100_000]).await?;
            }
        }
    }
    Ok(())
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        stream.write_u8(*byte).await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

async fn until_gone(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// Reads one request with a content length.
async fn read_request(stream: &mut TcpStream) -> io::Result<Request<Bytes>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = parse(&bytes) {
            return Ok(request);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The request, once it is there whole.
fn parse(bytes: &[u8]) -> Option<Request<Bytes>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&bytes[..end]).unwrap().split("\r\n");
    let method = lines.next().unwrap().split(' ').next().unwrap();
    let mut request = Request::builder().method(method).uri("/");
    let mut length = 0;
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        request = request.header(name, value);
    }
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some(request.body(Bytes::copy_from_slice(body)).unwrap())
}
