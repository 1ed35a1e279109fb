//! The format: a vector, and what is no envelope.

use alloy_primitives::hex;
use proptest::prelude::*;

use super::{
    Header, Parts, cipher,
    format::{Malformed, NONCE},
    open, write,
};
use crate::seal::EncryptionContext;

const DATA_KEY: [u8; 32] = [7; 32];

/// Of a data key of 32 bytes of 7, an encrypted one of `00 01 02 03`, a nonce of twelve 9, the secret `hello` and the context of `vector`.
const VECTOR: [u8; 44] =
    hex!("4b4d5345 01 0004 00010203 090909090909090909090909 4fe0e8f8d1 216476fac5f4fb7ef89e3a8bea592668");

fn context() -> EncryptionContext {
    EncryptionContext::from([("tenant", "17"), ("purpose", "vector")])
}

fn written() -> Vec<u8> {
    let header = Header { data_key: &[0, 1, 2, 3], nonce: [9; NONCE] };
    write(&cipher(&DATA_KEY).unwrap(), &header, b"hello", &context()).unwrap()
}

#[test]
fn the_format_stays_as_it_is() {
    assert_eq!(hex::encode(written()), hex::encode(VECTOR));
    let parts = Parts::read(&VECTOR).unwrap();
    assert_eq!(&*open(&cipher(&DATA_KEY).unwrap(), &parts, &context()).unwrap(), b"hello");
}

#[test]
fn every_byte_and_the_context_count() {
    let cipher = cipher(&DATA_KEY).unwrap();
    let envelope = written();
    for index in 0..envelope.len() {
        for bit in 0..8 {
            let mut altered = envelope.clone();
            altered[index] ^= 1 << bit;
            let opened = Parts::read(&altered).ok().and_then(|parts| open(&cipher, &parts, &context()));
            assert!(opened.is_none(), "bit {bit} of byte {index}");
        }
        let cut = Parts::read(&envelope[..index]).ok().and_then(|parts| open(&cipher, &parts, &context()));
        assert!(cut.is_none(), "{index} bytes");
    }
    let parts = Parts::read(&envelope).unwrap();
    for other in [
        EncryptionContext::new(),
        context().with("tenant", "18"),
        context().with("", ""),
        // The same texts, cut elsewhere.
        EncryptionContext::from([("tenan", "t17"), ("purpose", "vector")]),
    ] {
        assert!(open(&cipher, &parts, &other).is_none(), "{other:?}");
    }
}

#[test]
fn what_is_no_envelope_is_named() {
    let envelope = written();
    let with = |index: usize, byte| {
        let mut bytes = envelope.clone();
        bytes[index] = byte;
        bytes
    };
    for (bytes, expected) in [
        (vec![], Malformed::Magic),
        (b"KMS".to_vec(), Malformed::Magic),
        (with(0, b'k'), Malformed::Magic),
        (b"KMSE".to_vec(), Malformed::Short),
        (with(4, 2), Malformed::Version(2)),
        (with(6, 0), Malformed::DataKey(0)),
        (with(5, 0x18), Malformed::DataKey(0x1804)),
        (with(6, 200), Malformed::Short),
        (envelope[..38].to_vec(), Malformed::Short),
    ] {
        assert_eq!(Parts::read(&bytes).unwrap_err(), expected, "{}", hex::encode(&bytes));
    }
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened(
        secret in prop::collection::vec(any::<u8>(), 0..300),
        data_key in prop::collection::vec(any::<u8>(), 1..300),
        plain in any::<[u8; 32]>(),
        nonce in any::<[u8; NONCE]>(),
        pairs in prop::collection::btree_map("[a-z]{1,8}", "\\PC{0,8}", 0..4),
    ) {
        let (cipher, context) = (cipher(&plain).unwrap(), EncryptionContext::from_iter(pairs));
        let envelope = write(&cipher, &Header { data_key: &data_key, nonce }, &secret, &context).unwrap();
        let parts = Parts::read(&envelope).unwrap();
        prop_assert_eq!(parts.header.data_key, &data_key[..]);
        prop_assert_eq!(&*open(&cipher, &parts, &context).unwrap(), &secret[..]);
        prop_assert!(open(&cipher, &parts, &context.with("zzzzzzzzz", "")).is_none());
    }

    #[test]
    fn the_parser_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), genuine in any::<bool>()) {
        if genuine {
            bytes.splice(..0, *b"KMSE\x01\x00");
        }
        if let Ok(parts) = Parts::read(&bytes) {
            let rest = parts.header_bytes.len() + parts.encrypted.len() + parts.tag.len();
            prop_assert_eq!(rest, bytes.len());
        }
    }
}
