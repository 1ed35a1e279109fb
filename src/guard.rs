//! Decide what may be signed before the key is asked.

mod asked;
mod decision;
mod guarded;
mod record;
mod rules;
mod spent;

pub use self::{
    asked::Asked,
    decision::{Guard, Permit},
    guarded::Guarded,
    record::{Record, Recorder, Spending},
    rules::{Allow, AuthorizationRule, Call, LimitRule, MessageRule, Rules, TransactionRule, TypedDataRule},
};
