//! Decide what may be signed before the key is asked.

pub mod audit;
mod record;

pub use self::audit::AuditLog;
pub use self::record::{Record, Recorder, Spending};
