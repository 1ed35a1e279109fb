//! Decide what may be signed before the key is asked.

mod record;

pub use self::record::{Record, Recorder, Spending};
