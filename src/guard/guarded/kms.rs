//! A guard around a KMS key.

use super::Guarded;
use crate::{error::Result, guard::Guard, key_ref::KeyRef, signer::KmsSigner};

impl KmsSigner {
    /// Wraps this signer: it signs only what the guard allows. The key is named in events and records.
    pub fn guarded(self, guard: Guard) -> Guarded<Self> {
        let key = self.key().to_string();
        Guarded::new(self, guard).with_key(key)
    }
}

impl Guarded<KmsSigner> {
    /// Checks that the signer can sign: see [`KmsSigner::preflight`]. The guard is not asked, and there is no signature.
    ///
    /// # Errors
    ///
    /// Those of [`KmsSigner::preflight`].
    pub async fn preflight(&self) -> Result<()> {
        self.signer.preflight().await
    }

    /// The key as it is sent to KMS: see [`KmsSigner::key`].
    pub fn key(&self) -> &KeyRef {
        self.signer.key()
    }
}
