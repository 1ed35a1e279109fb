//! What was in the file when it was opened.

use std::{io::BufReader, path::PathBuf, sync::Arc, time::SystemTime};

use super::{
    chain::Chain,
    open::READ_BUFFER,
    spendings,
    storage::{Beginning, Storage},
    walk::Origin,
};
use crate::{error::Result, guard::Spending};

/// The lines that were there before the log was opened. Nothing is added to them: the log holds the lock, and its own lines come after.
pub(super) struct Earlier {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    chain: Chain,
}

impl Earlier {
    pub(super) fn new(storage: Arc<dyn Storage>, path: PathBuf, chain: Chain) -> Self {
        Self { storage, path, chain }
    }

    /// What they say was spent, while lines are appended or not.
    pub(super) fn spendings(&self, caller: Option<&str>, since: SystemTime) -> Result<Vec<Spending>> {
        let beginning = Beginning::new(&*self.storage, self.chain.bytes);
        let origin = Origin(Some(&self.path));
        let reader = BufReader::with_capacity(READ_BUFFER, beginning);
        let (spendings, chain) = spendings::read(reader, origin, caller, since)?;
        if chain == self.chain { Ok(spendings) } else { Err(origin.rewritten()) }
    }
}
