//! Whether the service can do its work now.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kms_signer::guard::AuditLog;
use serde::Serialize;
use tokio::{sync::Mutex, time::timeout};

use crate::{callers::Key, service::Service};

/// A probe asks every few seconds, and several may: KMS is asked as often as this.
const FRESH: Duration = Duration::from_secs(5);

/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `/readyz` answers: a word for each check, without what AWS says, which is for the log.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) ready: bool,
    checks: BTreeMap<String, String>,
}

/// Checks keys, node and audit file; one check at a time, whose report is everybody's.
#[derive(Debug)]
pub struct Health {
    service: Arc<Service>,
    audit: Option<AuditLog>,
    latest: Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Health {
    /// With the audit file, where there is one.
    pub fn new(service: Arc<Service>, audit: Option<AuditLog>) -> Self {
        Self { service, audit, latest: Mutex::new(None) }
    }

    /// A probe that hangs up ends no check: the next one finds its report.
    pub(crate) async fn report(self: &Arc<Self>) -> Option<Arc<Report>> {
        let health = Arc::clone(self);
        tokio::spawn(async move { health.latest().await }).await.ok()
    }

    async fn latest(&self) -> Arc<Report> {
        let mut latest = self.latest.lock().await;
        if let Some((at, report)) = &*latest
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let report = Arc::new(self.check().await);
        *latest = Some((Instant::now(), report.clone()));
        report
    }

    async fn check(&self) -> Report {
        let keys = join_all(self.service.keys.iter().map(|key| check_key(key)));
        let (keys, node) = tokio::join!(keys, self.check_node());
        let mut checks: BTreeMap<String, Result<(), String>> = keys.into_iter().collect();
        if let Some(node) = node {
            checks.insert("upstream".to_owned(), node);
        }
        if let Some(audit) = &self.audit {
            checks.insert("audit".to_owned(), check_audit(audit).await);
        }
        let ready = checks.values().all(Result::is_ok);
        let checks = checks
            .into_iter()
            .map(|(name, outcome)| (name, outcome.err().unwrap_or_else(|| "ok".to_owned())))
            .collect();
        Report { ready, checks }
    }

    async fn check_node(&self) -> Option<Result<(), String>> {
        let upstream = self.service.upstream.as_ref()?;
        Some(match timeout(PATIENCE, self.service.check_upstream(upstream)).await {
            // Its own words may have more in them than a stranger should read.
            Ok(outcome) => outcome.map_err(|error| {
                tracing::warn!(error = error.message, "the node is not ready");
                "the node does not answer as it should".to_owned()
            }),
            Err(_) => Err("the node did not answer in time".to_owned()),
        })
    }
}

async fn check_key(key: &Key) -> (String, Result<(), String>) {
    let outcome = match timeout(PATIENCE, key.signer.preflight()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(key = key.name, %error, "not ready");
            Err(error.kind().to_string())
        }
        Err(_) => Err("KMS did not answer in time".to_owned()),
    };
    (format!("key {}", key.name), outcome)
}

async fn check_audit(audit: &AuditLog) -> Result<(), String> {
    match timeout(PATIENCE, audit.check()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            Err(error.kind().to_string())
        }
        Err(_) => Err("the disk did not answer in time".to_owned()),
    }
}
