//! What to expect in operation. Text only: there is no code here.
//!
//! - [`faults`]: what goes wrong between a signer and KMS, and what becomes of each fault.

#[doc = include_str!("guide/faults.md")]
pub mod faults {}
