//! Least-privilege policies as types that print their JSON.
