//! Keys as a table, or as JSON, one object a line.

use std::time::Duration;

use indicatif::ProgressBar;
use kms_signer::keys::{Grant, KeyInfo, Skipped};
use serde_json::json;

pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn heading(&self) {
        if !self.json {
            println!("{:<42}  {:<16}  {:<28}  KEY", "ADDRESS", "STATE", "ALIAS");
        }
    }

    pub(crate) fn key(&self, key: &KeyInfo) {
        if self.json {
            println!("{}", to_json(key));
            return;
        }
        let name = match key.address() {
            Some(address) => address.to_string(),
            None => key.spec().as_str().to_owned(),
        };
        let alias = key.aliases().iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(",");
        println!("{name:<42}  {:<16}  {alias:<28}  {}", key.state().as_str(), key.arn());
    }

    pub(crate) fn skipped(&self, skipped: &Skipped) {
        if self.json {
            let aliases: Vec<&str> = skipped.aliases().iter().map(AsRef::as_ref).collect();
            let key = skipped.key().to_string();
            println!("{}", json!({ "arn": key, "aliases": aliases, "skipped": skipped.reason().to_string() }));
        } else {
            eprintln!("skipped {}: {}", skipped.key(), skipped.reason());
        }
    }

    pub(crate) fn loaded(&self, signers: usize, skipped: usize, requests: u64, took: Duration) {
        if self.json {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            println!(
                "{}",
                json!({ "signers": signers, "skipped": skipped, "requests": requests, "milliseconds": millis })
            );
        } else {
            println!("signers: {signers}, skipped: {skipped}, requests: {requests}, {took:.2?}");
        }
    }

    pub(crate) fn grant(&self, grant: &Grant) {
        let (key, id, token) = (grant.key().to_string(), grant.id(), grant.token());
        if self.json {
            println!("{}", json!({ "arn": key, "grant_id": id, "grant_token": token }));
        } else {
            println!("grant id     {id}\ngrant token  {token}");
        }
    }
}

fn to_json(key: &KeyInfo) -> serde_json::Value {
    json!({
        "address": key.address().map(|address| address.to_string()),
        "arn": key.arn().to_string(),
        "aliases": key.aliases().iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "spec": key.spec().as_str(),
        "usage": key.usage().as_str(),
        "state": key.state().as_str(),
        "multi_region": key.is_multi_region(),
        "imported": key.is_imported(),
        "description": key.description(),
        "tags": key.tags(),
        "public_key": key.public_key().map(|key| alloy_primitives::hex::encode_prefixed(key.to_sec1())),
    })
}

/// On standard error, and only where that is a terminal.
pub(crate) fn progress() -> ProgressBar {
    ProgressBar::new_spinner().with_message("reading the list")
}
