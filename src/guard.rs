//! Decide what may be signed before the key is asked.

mod asked;
pub mod audit;
mod decision;
mod guarded;
mod record;
mod rules;
mod spent;

pub use self::{
    asked::Asked,
    audit::{AuditLog, spendings},
    decision::{Guard, Permit},
    guarded::Guarded,
    record::{Record, Recorder, Spending},
    rules::{Allow, AuthorizationRule, Call, LimitRule, MessageRule, Rules, TransactionRule, TypedDataRule},
};
