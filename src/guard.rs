//! Decide what may be signed before the key is asked, and keep a record of it.
//!
//! KMS signs any 32 bytes. A [`Guarded`] signer looks at what they stand for first: transactions, messages, typed data and authorisations are judged by
//! their content, against [`Rules`] that deny whatever they do not allow, and against limits to what may be spent in a time. It wraps any alloy signer.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use alloy_network::EthereumWallet;
//! use kms_signer::{KmsSigner, fake::FakeKms, guard::{Guard, Guarded}};
//!
//! let fake = FakeKms::new();
//! let signer = KmsSigner::new(fake.client(), fake.create_key()?, Some(1)).await?;
//!
//! let guard = Guard::from_toml(r#"
//!     [[transactions]]
//!     name = "pay the exchange"
//!     chain_ids = [1]
//!     to = ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
//!     max_value = "10 ether"
//!     max_fee_per_gas = "200 gwei"
//!     max_gas_limit = 21000
//!
//!     [[limits]]
//!     name = "a day's payments"
//!     window = "24h"
//!     total = "25 ether"
//! "#)?;
//! let wallet = EthereumWallet::from(Guarded::new(signer, guard));
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! # Rules
//!
//! Rules are TOML or JSON with the same keys, or made in code ([`TransactionRule`] and so on). What is asked is allowed if one rule of its kind allows
//! it. Keys that are not known are refused, and a mistake is reported with its line and key. Lists are lists, or the word `"any"`. Amounts are wei as a
//! number or a string, or have a unit: `"0.5 ether"`, `"30 gwei"`. A denial names the rule that came closest and the value that it does not allow.
//!
#![doc = include_str!("guard/rules.md")]
//!
//! A transaction that replaces another (the same chain, sender and nonce) counts once, with the higher amount, since only one of them can be mined.
//!
//! # After a restart
//!
//! A guard's limits begin empty. With an audit file they know what was spent before: [`AuditLog::open`], [`AuditLog::restore`], then sign. Limits are
//! per [`Guard`] in one process: two processes, each with its own, may spend twice as much.
//!
//! # What it does not do
//!
//! - It does not simulate. A contract that may be called does what it does; a token's recipient and amount are in the calldata, which is not read
//!   beyond its selector.
//! - Limits count ether of the chain, as value and fees. What calls, typed data and messages move is not counted.
//! - Rules do not read a message's or a typed data's content beyond what the tables say.

mod asked;
pub mod audit;
mod decision;
mod guarded;
mod record;
mod rules;
mod spent;
mod time;

pub use self::{
    asked::{Asked, AskedTypedData},
    audit::{AuditLog, spendings},
    decision::{Guard, Permit},
    guarded::Guarded,
    record::{Record, Recorder, Spending},
    rules::{Allow, AuthorizationRule, Call, LimitRule, MessageRule, Rules, TransactionRule, TypedDataRule},
};
