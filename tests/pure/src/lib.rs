//! Tests of the crate without features; see `tests/`.
