//! What was spent, from the file.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    time::SystemTime,
};

use alloy_primitives::{Address, U256};
use serde::Deserialize;

use super::{
    chain::Chain,
    verify::time_of,
    walk::{Origin, walk},
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    guard::Spending,
    observe::Stage,
};

/// What was allowed since a point in time and may have been spent, from the oldest on: from this, limits are
/// [rebuilt](crate::guard::Guard::restore) when a program starts.
///
/// A decision counts unless a `failed` line follows it that does not say `"may_have_signed":true`. One without an outcome counts, too: the
/// process ended before it was written, and the signature may be in somebody's hands. With a `caller`, only theirs are counted. A file that
/// does not exist is empty. Where files were rotated, read each that reaches back to `since`.
///
/// What is in the file that this process has open, [`AuditLog::restore`](super::AuditLog::restore) reads.
///
/// The chain is verified on the way. It reads the whole file: in an asynchronous program call it from `spawn_blocking`.
///
/// # Errors
///
/// [`ErrorKind::Config`] if the file cannot be read. [`ErrorKind::AuditBroken`] with the number of the line at which the chain is broken, as
/// in [`verify`](super::verify()).
pub fn spendings(path: impl AsRef<Path>, caller: Option<&str>, since: SystemTime) -> Result<Vec<Spending>> {
    let path = path.as_ref();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let message = format!("{} cannot be opened: {error}", path.display());
            return Err(Error::new(ErrorKind::Config, Operation::ReadAudit, message)
                .with_remedy("give this process the right to read it")
                .with_source(error));
        }
    };
    Ok(read(BufReader::new(file), Origin(Some(path)), caller, since)?.0)
}

/// What was spent, and the chain that says so.
pub(super) fn read(
    reader: impl BufRead,
    origin: Origin<'_>,
    caller: Option<&str>,
    since: SystemTime,
) -> Result<(Vec<Spending>, Chain)> {
    let mut found = Found::default();
    let walked = walk(reader, origin, |line, chain| {
        let line = serde_json::from_slice(line).map_err(|error| format!("is no record: {error}"))?;
        found.take(chain.lines, &line, caller, since)
    })?;
    Ok((found.in_order(), walked.chain))
}

#[derive(Default)]
struct Found {
    /// Decisions without an outcome yet, by their id.
    open: HashMap<String, (u64, Spending)>,
    spent: Vec<(u64, Spending)>,
}

impl Found {
    fn take(&mut self, number: u64, line: &Line, caller: Option<&str>, since: SystemTime) -> Result<(), String> {
        let Some(id) = &line.id else { return Ok(()) };
        if line.stage == Stage::Allowed.as_label() {
            let of_caller = caller.is_none() || line.caller.as_deref() == caller;
            if let Some(spending) = line.spending()?.filter(|spending| of_caller && spending.at >= since) {
                // Of two with one id both count, whatever becomes of the second.
                self.spent.extend(self.open.insert(id.clone(), (number, spending)));
            }
        } else if line.stage == Stage::Signed.as_label() {
            self.spent.extend(self.open.remove(id));
        } else if line.stage == Stage::Failed.as_label() {
            let decision = self.open.remove(id);
            self.spent.extend(decision.filter(|_| line.may_have_signed));
        }
        Ok(())
    }

    fn in_order(mut self) -> Vec<Spending> {
        self.spent.extend(self.open.into_values());
        self.spent.sort_unstable_by_key(|(number, spending)| (spending.at, *number));
        self.spent.into_iter().map(|(_, spending)| spending).collect()
    }
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line {
    time: String,
    stage: String,
    id: Option<String>,
    caller: Option<String>,
    signer: Option<Address>,
    spending: Option<Amount>,
    #[serde(default)]
    may_have_signed: bool,
}

#[derive(Deserialize)]
struct Amount {
    chain_id: u64,
    nonce: u64,
    to: Option<Address>,
    wei: String,
}

impl Line {
    fn spending(&self) -> Result<Option<Spending>, String> {
        let Some(Amount { chain_id, nonce, to, wei }) = &self.spending else { return Ok(None) };
        let sender = self.signer.ok_or("has a spending and no signer")?;
        let wei = U256::from_str_radix(wei, 10).map_err(|error| format!("has an amount that is none: {error}"))?;
        let at = time_of(&self.time)?;
        Ok(Some(Spending { at, chain_id: *chain_id, sender, nonce: *nonce, to: *to, wei }))
    }
}
