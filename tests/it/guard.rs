//! The guard: what it allows, what it denies, what it tells, and what a signer under it never signs.

mod asks;
mod guarded;
mod limits;
mod properties;
mod reading;
mod table;
mod telling;
