//! KMS shows what was made a little later: until then it answers that there is no such key.

use core::{future::Future, time::Duration};

use tokio::time::Instant;

use super::{Keys, NewKey};
use crate::error::{ErrorKind, Result};

/// AWS: "typically less than a few seconds, but might take several minutes in some cases".
pub(super) const VISIBLE_WITHIN: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Of the time that a key may take to appear, the part in which a denial may mean that its tags have not been seen yet.
const TAGS_SHARE: u32 = 6;

/// What of a new key may not have spread yet.
#[derive(Clone, Copy)]
pub(super) struct Early {
    /// That there is one.
    existence: bool,
    /// Its tags, which a policy may ask for.
    tags: bool,
    /// Its imported material.
    material: bool,
}

impl Early {
    const EXISTENCE: Self = Self { existence: true, tags: false, material: false };

    pub(super) fn of(new: &NewKey) -> Self {
        Self { tags: !new.tags.is_empty(), ..Self::EXISTENCE }
    }

    /// There may be none at all.
    pub(super) fn or_absent(self) -> Self {
        Self { existence: false, ..self }
    }

    pub(super) fn with_material(self) -> Self {
        Self { material: true, ..self }
    }

    fn explains(self, kind: ErrorKind, waited: Duration, limit: Duration) -> bool {
        match kind {
            ErrorKind::KeyNotFound => self.existence && waited < limit,
            ErrorKind::KeyUnusable => self.material && waited < limit,
            ErrorKind::AccessDenied => self.tags && waited < limit / TAGS_SHARE,
            _ => false,
        }
    }
}

impl Keys {
    /// Asks until the key is found, or for as long as a new one may take to appear.
    pub(super) async fn when_visible<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Result<T> {
        self.when_spread(Early::EXISTENCE, ask).await
    }

    /// Asks until nothing is early any more.
    pub(super) async fn when_spread<T, F>(&self, early: Early, ask: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match ask().await {
                Err(error) if early.explains(error.kind(), started.elapsed() + pause, self.visible_within) => {}
                result => return result,
            }
            self.client.pause(pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
