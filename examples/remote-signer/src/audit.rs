//! The audit file, and what limits learn from it at the start.

use kms_signer::guard::{AuditLog, Guard};

use crate::settings::Audit;

/// Opens the file, and fills the windows of each caller's limits from it. A file whose chain is broken is not written to.
pub(crate) async fn open(audit: &Audit, callers: Vec<(String, Guard)>) -> Result<AuditLog, String> {
    let audit = audit.clone();
    let opening = tokio::task::spawn_blocking(move || open_now(&audit, &callers).map_err(|error| error.to_string()));
    opening.await.map_err(|_| "opening the audit file was broken off".to_owned())?
}

fn open_now(audit: &Audit, callers: &[(String, Guard)]) -> kms_signer::Result<AuditLog> {
    let log = AuditLog::builder(&audit.file).fsync(audit.fsync).open()?;
    tracing::info!(file = %log.path().display(), lines = log.lines(), head = %log.head(), "audit");
    for (caller, guard) in callers {
        let transactions = log.restore(guard, Some(caller))?;
        tracing::info!(caller, transactions, "limits count what was spent before");
    }
    Ok(log)
}
