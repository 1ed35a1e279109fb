//! Strict DER `Ecdsa-Sig-Value`, in and out.
//!
//! ```text
//! Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }        -- RFC 3279, section 2.2.3
//! ```

use k256::{NonZeroScalar, U256, elliptic_curve::scalar::ScalarPrimitive};

use super::invalid;
use crate::{
    asn1::{self, Malformed, Reader},
    error::Result,
};

/// Two header bytes, and twice a header of two bytes, a leading zero and 32 bytes.
const MAX_LEN: usize = 2 + 2 * (2 + 1 + 32);

/// r and s as KMS gave them: both in `1..n`, s high or low.
pub(super) struct EcdsaSignature {
    pub(super) r: NonZeroScalar,
    pub(super) s: NonZeroScalar,
}

pub(super) fn parse(der: &[u8]) -> Result<EcdsaSignature> {
    if der.len() > MAX_LEN {
        return Err(invalid(format!("{} bytes are too long for a secp256k1 signature in DER", der.len())));
    }
    let (r, s) = integers(der)
        .map_err(|Malformed(why)| invalid(format!("the signature is not a DER Ecdsa-Sig-Value: {why}")))?;
    Ok(EcdsaSignature { r: scalar("r", r)?, s: scalar("s", s)? })
}

fn integers(der: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut outer = Reader::new(der);
    let mut pair = Reader::new(outer.element(asn1::SEQUENCE)?);
    outer.finish()?;
    let r = positive(pair.element(asn1::INTEGER)?)?;
    let s = positive(pair.element(asn1::INTEGER)?)?;
    pair.finish()?;
    Ok((r, s))
}

/// The magnitude of a non-negative INTEGER in its shortest form, without the leading zero.
fn positive(content: &[u8]) -> Result<&[u8], Malformed> {
    match content {
        [] => Err(Malformed("an integer is empty")),
        [0x80..=0xff, ..] => Err(Malformed("an integer is negative")),
        [0, 0..0x80, ..] => Err(Malformed("an integer has a needless leading zero")),
        [0, magnitude @ ..] => Ok(magnitude),
        magnitude => Ok(magnitude),
    }
}

fn scalar(name: &str, magnitude: &[u8]) -> Result<NonZeroScalar> {
    let mut bytes = [0; 32];
    let padding = bytes.len().checked_sub(magnitude.len());
    padding
        .and_then(|padding| bytes.get_mut(padding..))
        .map(|tail| tail.copy_from_slice(magnitude))
        .and_then(|()| {
            Option::<ScalarPrimitive<k256::Secp256k1>>::from(ScalarPrimitive::new(U256::from_be_slice(&bytes)))
        })
        .and_then(|value| Option::from(NonZeroScalar::new(value.into())))
        .ok_or_else(|| invalid(format!("{name} is not between 1 and n - 1")))
}

/// The shortest DER of two 32-byte big-endian integers.
pub(super) fn encode(r: &[u8; 32], s: &[u8; 32]) -> Vec<u8> {
    let mut pair = Vec::with_capacity(MAX_LEN);
    for integer in [r, s] {
        let zeros = integer.iter().take_while(|&&byte| byte == 0).count().min(31);
        let (_, magnitude) = integer.split_at(zeros);
        match magnitude.first() {
            Some(0x80..=0xff) => asn1::push(&mut pair, asn1::INTEGER, &[&[0], magnitude].concat()),
            _ => asn1::push(&mut pair, asn1::INTEGER, magnitude),
        }
    }
    let mut out = Vec::with_capacity(MAX_LEN);
    asn1::push(&mut out, asn1::SEQUENCE, &pair);
    out
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;

    use super::*;
    use crate::error::ErrorKind;

    const N: [u8; 32] = hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

    #[test]
    fn refuses_what_is_not_strict_der() {
        for (name, der) in [
            ("empty", &[][..]),
            ("not a sequence", &hex!("3106020101020101")),
            ("trailing bytes", &hex!("300602010102010100")),
            ("trailing bytes inside", &hex!("3009020101020101020101")),
            ("only r", &hex!("3003020101")),
            ("truncated", &hex!("30060201010201")),
            ("BER: long form of a short length", &hex!("308106020101020101")),
            ("BER: indefinite length", &hex!("30800201010201010000")),
            ("BER: padded integer", &hex!("300702020001020101")),
            ("negative r", &hex!("3006020181020101")),
            ("negative s", &hex!("3006020101020181")),
            ("empty integer", &hex!("30050200020101")),
            ("r = 0", &hex!("3006020100020101")),
            ("s = 0", &hex!("3006020101020100")),
            ("an enumerated instead of an integer", &hex!("30060a0101020101")),
        ] {
            let error = parse(der).err().unwrap_or_else(|| panic!("{name} was accepted"));
            assert_eq!(error.kind(), ErrorKind::InvalidSignature, "{name}: {error}");
        }
    }

    #[test]
    fn refuses_integers_that_are_too_large() {
        let one = hex!("0000000000000000000000000000000000000000000000000000000000000001");
        for (r, s) in [(&N, &one), (&one, &N), (&[0xff; 32], &one)] {
            assert!(parse(&encode(r, s)).is_err());
        }
        let mut nine_more = vec![0x30, 0x26, 0x02, 0x21, 0x01];
        nine_more.extend([0; 32]);
        nine_more.extend([0x02, 0x01, 0x01]);
        assert!(parse(&nine_more).is_err(), "33 significant bytes");
        let too_long = [&[0x30, 0x7f][..], &[0; 0x7f]].concat();
        assert!(parse(&too_long).err().unwrap().to_string().contains("129 bytes"));
    }

    #[test]
    fn reads_short_and_long_integers() {
        let mut largest = N;
        largest[31] -= 1;
        for r in [[0; 32].map(|_| 0x7f), largest, {
            let mut short = [0; 32];
            short[31] = 1;
            short
        }] {
            let der = encode(&r, &r);
            let parsed = parse(&der).unwrap();
            assert_eq!(parsed.r.to_bytes()[..], r);
            assert_eq!(parsed.s.to_bytes()[..], r);
        }
        assert_eq!(encode(&largest, &largest).len(), MAX_LEN);
        assert_eq!(encode(&[0; 32], &[0; 32]), hex!("3006020100020100"));
    }
}
