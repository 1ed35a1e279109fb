//! Tests of the crate as a dependency with few features; see `tests/`.
