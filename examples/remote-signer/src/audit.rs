//! The audit file, and what limits learn from it at the start.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use kms_signer::guard::{AuditLog, Guard, audit::spendings};

use crate::settings::Audit;

/// Fills the windows of each caller's limits, then opens the file. A file whose chain is broken is not written to.
pub(crate) async fn open(audit: &Audit, callers: Vec<(String, Guard)>) -> Result<AuditLog, String> {
    let audit = audit.clone();
    let opening = tokio::task::spawn_blocking(move || {
        for (caller, guard) in callers {
            restore(&audit.file, &caller, &guard)?;
        }
        AuditLog::builder(&audit.file).fsync(audit.fsync).open().map_err(|error| error.to_string())
    });
    let log = opening.await.map_err(|_| "opening the audit file was broken off".to_owned())??;
    tracing::info!(file = %log.path().display(), lines = log.lines(), head = %log.head(), "audit");
    Ok(log)
}

fn restore(file: &Path, caller: &str, guard: &Guard) -> Result<(), String> {
    let Some(longest) = guard.rules().limits.iter().map(|limit| limit.window).max() else { return Ok(()) };
    // A window may be longer than it says by a 64th.
    let back = longest + longest / 32 + Duration::from_secs(1);
    let since = SystemTime::now().checked_sub(back).unwrap_or(SystemTime::UNIX_EPOCH);
    let spent = spendings(file, Some(caller), since).map_err(|error| error.to_string())?;
    tracing::info!(caller, transactions = spent.len(), "limits count what the audit file says was spent");
    guard.restore(spent);
    Ok(())
}
