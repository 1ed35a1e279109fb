//! KMS shows what was made a little later: until then it answers that there is no such key.

use core::{future::Future, time::Duration};
use std::time::Instant;

use super::Keys;
use crate::error::{ErrorKind, Result};

/// AWS: "typically less than a few seconds, but might take several minutes in some cases".
pub(super) const VISIBLE_WITHIN: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Keys {
    /// Asks until the key is found, or for as long as new keys may take to appear.
    pub(super) async fn when_visible<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Result<T> {
        self.ask_while(|kind| kind == ErrorKind::KeyNotFound, ask).await
    }

    /// Asks until the key is found and has its material, too.
    pub(super) async fn when_usable<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Result<T> {
        self.ask_while(|kind| matches!(kind, ErrorKind::KeyNotFound | ErrorKind::KeyUnusable), ask).await
    }

    async fn ask_while<T, F: Future<Output = Result<T>>>(
        &self,
        is_early: impl Fn(ErrorKind) -> bool,
        ask: impl Fn() -> F,
    ) -> Result<T> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match ask().await {
                Err(error) if is_early(error.kind()) && started.elapsed() + pause < self.visible_within => {}
                result => return result,
            }
            self.client.pause(pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
