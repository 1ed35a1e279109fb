//! Tests of the crate beside a caller's own client; see `tests/`.
