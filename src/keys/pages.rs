//! Reading a list page by page, to its end.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Operation, Result};

/// Where a reader is. A list that leads in a circle, or breaks off, is an error: it would be read for ever, or taken for the whole.
#[derive(Default)]
pub(super) struct Pages {
    marker: Option<String>,
    seen: HashSet<String>,
    is_over: bool,
}

impl Pages {
    pub(super) fn has_next(&self) -> bool {
        !self.is_over
    }

    /// Where the next page begins; none for the first.
    pub(super) fn marker(&self) -> Option<&str> {
        self.marker.as_deref()
    }

    pub(super) fn turn(&mut self, is_truncated: bool, next: Option<String>) -> Result<()> {
        let invalid = |message| Err(Error::new(ErrorKind::InvalidResponse, Operation::ListKeys, message));
        match next.filter(|_| is_truncated) {
            None if is_truncated => return invalid("a page says that the list goes on, and not where"),
            None => self.is_over = true,
            Some(next) if !self.seen.insert(next.clone()) => return invalid("the pages of the list lead in a circle"),
            Some(next) => self.marker = Some(next),
        }
        Ok(())
    }
}
