//! What is logged while something runs, the SDK's own debug logs included.

use std::{
    future::Future,
    io::Write,
    sync::{Arc, Mutex},
};

use tracing::instrument::WithSubscriber;

/// What it gives, and what it logged.
pub(crate) async fn logged<T>(work: impl Future<Output = T>) -> (T, String) {
    logged_at(tracing::Level::DEBUG, work).await
}

/// The same at another level.
pub(crate) async fn logged_at<T>(level: tracing::Level, work: impl Future<Output = T>) -> (T, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone()).finish();
    let output = work.with_subscriber(subscriber).await;
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    (output, text)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
