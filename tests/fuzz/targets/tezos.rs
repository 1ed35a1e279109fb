//! A request of Tezos is read or refused, and rules and watermarks take all that is read.
//!
//! Its seeds are the requests of `tests/it/tezos.rs`.

#![no_main]

use std::sync::LazyLock;

use kms_signer::{
    ErrorKind,
    tezos::{self, Advance, HighWatermarks, Policy, PublicKeyHash, Request, RequestKind},
};
use libfuzzer_sys::fuzz_target;

#[expect(clippy::expect_used, reason = "a refusal is a finding")]
static KEY: LazyLock<PublicKeyHash> =
    LazyLock::new(|| "tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59At".parse().expect("a public key hash"));

fuzz_target!(|bytes: &[u8]| {
    let request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::GuardDenied, "{error:?}"),
    };
    let has_level = !matches!(request.kind(), RequestKind::Generic | RequestKind::Pack);
    assert_eq!(request.position().is_some(), has_level);
    assert_eq!(request.operations().is_empty(), request.kind() != RequestKind::Generic);
    assert!(Policy::none().check(&request).is_err());

    let mut marks = HighWatermarks::default();
    let mut advance = |digest| marks.advance(&KEY, &request, digest).ok();
    let digest = tezos::digest(bytes);
    let expected =
        if has_level { [Some(Advance::Raised), Some(Advance::Repeated), None] } else { [Some(Advance::None); 3] };
    assert_eq!([advance(digest), advance(digest), advance(!digest)], expected);
});
