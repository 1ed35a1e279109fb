//! Whether a key and a client's Regions go together.

use std::collections::HashSet;

use super::KmsClient;
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{KeyId, KeyRef},
};

impl KmsClient {
    /// Whether the client has Regions with names of their own, the key's among them.
    pub(crate) fn check_regions(&self, given: &KeyRef) -> Result<()> {
        let regions: Vec<&str> = self.regions().filter(|region| !region.is_empty()).collect();
        let (named, listed) = (regions.iter().collect::<HashSet<_>>().len(), regions.join(", "));
        let message = if regions.len() < self.region_count() {
            "the client has no Region; set one when building it".to_owned()
        } else if named < regions.len() {
            format!("the client names a Region twice: {listed}")
        } else {
            match given.region() {
                Some(key) if !regions.contains(&key) => {
                    format!(
                        "the key is in {key}, but the client is for {listed}; build the client for the key's Region"
                    )
                }
                _ => return Ok(()),
            }
        };
        Err(Error::new(ErrorKind::Config, Operation::Connect, message).with_key(given.as_ref()))
    }

    /// Whether a key can have replicas, where the client has other Regions to turn to. An alias does not say.
    pub(crate) fn check_replicable(&self, key: &KeyRef) -> Result<()> {
        if self.region_count() == 1 || key.key_id().is_none_or(KeyId::is_multi_region) {
            return Ok(());
        }
        let message =
            "the client has other Regions to turn to, but this key is in one Region only and can never be in another";
        Err(Error::new(ErrorKind::KeyUnsuitable, Operation::Connect, message).with_key(key.as_ref()).with_remedy(
            "use a multi-Region key (mrk-…, made with MultiRegion and replicated), or a client without failover",
        ))
    }
}
