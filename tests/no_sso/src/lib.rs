//! Tests of the crate without its feature `sso`; see `tests/`.
