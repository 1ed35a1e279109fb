//! Verification and y-parity, in one computation.
//!
//! R = s⁻¹·(z·G + r·Q) is what the signer's nonce point must have been. If the x-coordinate of R is r, the signature
//! verifies (SEC 1, section 4.1.4), and R's y-coordinate gives the parity. Because s is already low, R is the
//! point that belongs to the signature as Ethereum will see it, so nothing has to be flipped afterwards.

use alloy_primitives::{B256, Signature, U256};
use k256::{
    FieldElement, NonZeroScalar, ProjectivePoint, Scalar,
    elliptic_curve::{
        ops::{LinearCombination, Reduce},
        point::AffineCoordinates,
    },
};

use super::{invalid, low_s::LowS};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    public_key::{PublicKey, inverse},
};

pub(super) fn verify(LowS { r, s }: &LowS, digest: &B256, key: &PublicKey) -> Result<Signature> {
    let z = <Scalar as Reduce<k256::U256>>::reduce_bytes(&digest.0.into());
    // s is not zero.
    let s_inverse = inverse::of_scalar(s).unwrap_or_default();
    let (u, v) = (z * s_inverse, **r * s_inverse);
    // r is below n, and so below p.
    let x = Option::<FieldElement>::from(FieldElement::from_bytes(&r.to_bytes()));
    let by_table = x.and_then(|x| key.combine(&u, &v)?.y_is_odd_at(&x));
    let y_is_odd = by_table.map_or_else(|| verify_in_one_pass(r, &u, &v, key), Ok)?;
    let [r, s] = [r, s].map(|scalar| U256::from_be_bytes(scalar.to_bytes().into()));
    Ok(Signature::new(r, s, y_is_odd))
}

/// Without a table, or where it is not a signature: then this says why.
fn verify_in_one_pass(r: &NonZeroScalar, u: &Scalar, v: &Scalar, key: &PublicKey) -> Result<bool> {
    let point = ProjectivePoint::lincomb(&ProjectivePoint::GENERATOR, u, &key.point(), v).to_affine();

    // At infinity the x-coordinate reads as zero, which r never is.
    let x = point.x();
    if x != r.to_bytes() {
        return Err(if <Scalar as Reduce<k256::U256>>::reduce_bytes(&x) == **r {
            invalid(
                "it verifies, but the x-coordinate of R is not below n, which an Ethereum signature cannot say; \
                 sign again to get another",
            )
        } else {
            Error::new(
                ErrorKind::SignatureMismatch,
                Operation::Recover,
                "the signature is not one of this digest by this key",
            )
        });
    }
    Ok(bool::from(point.y_is_odd()))
}

#[cfg(test)]
mod tests {
    use k256::{AffinePoint, NonZeroScalar, elliptic_curve::PrimeField, elliptic_curve::point::DecompressPoint};

    use super::*;
    use crate::signature::{der, recover};

    /// A valid signature whose R has an x-coordinate between n and p, so that r = x − n.
    ///
    /// Built backwards: take such a point R, then Q = r⁻¹·(s·R − z·G) is a key under which (r, s) signs z.
    #[test]
    fn refuses_an_x_reduced_r() {
        let (point, r) = (1u64..)
            .find_map(|offset| {
                let r = Scalar::from(offset);
                let x = (k256::U256::from_u64(offset))
                    .wrapping_add(&<k256::Secp256k1 as k256::elliptic_curve::Curve>::ORDER);
                let point = AffinePoint::decompress(&k256::FieldBytes::from(to_bytes(x)), 0.into());
                Option::<AffinePoint>::from(point).map(|point| (ProjectivePoint::from(point), r))
            })
            .unwrap();
        let s = Scalar::from(7u64);
        let digest = B256::repeat_byte(0x42);
        let z = <Scalar as Reduce<k256::U256>>::reduce_bytes(&digest.0.into());
        let q = (point * s - ProjectivePoint::GENERATOR * z) * r.invert().unwrap();
        let key = PublicKey::from_sec1(&sec1(&q)).unwrap();

        let signature = der::encode(&r.to_repr().into(), &s.to_repr().into());
        let cold = recover(&signature, &digest, &key).unwrap_err();
        assert_eq!(cold.kind(), ErrorKind::InvalidSignature);
        assert!(cold.to_string().contains("not below n"), "{cold}");
        warm(&key);
        assert_eq!(recover(&signature, &digest, &key).unwrap_err().to_string(), cold.to_string());
    }

    /// With z = −r·d the nonce point is the point at infinity, whose x-coordinate must not pass for an r.
    #[test]
    fn refuses_the_point_at_infinity() {
        let secret = Scalar::from(5u64);
        let key = PublicKey::from_sec1(&sec1(&(ProjectivePoint::GENERATOR * secret))).unwrap();
        let r = NonZeroScalar::new(Scalar::from(9u64)).unwrap();
        let digest = B256::from(<[u8; 32]>::from((-(*r * secret)).to_repr()));
        let cold = verify(&LowS { r, s: r }, &digest, &key).unwrap_err();
        assert_eq!(cold.kind(), ErrorKind::SignatureMismatch);
        warm(&key);
        assert_eq!(verify(&LowS { r, s: r }, &digest, &key).unwrap_err().to_string(), cold.to_string());
    }

    /// Once there is a table, a signature is found by it alone.
    #[test]
    fn a_warm_key_answers_by_its_table() {
        let secret = k256::ecdsa::SigningKey::from_slice(&[0x46; 32]).unwrap();
        let key = PublicKey::from_sec1(&secret.verifying_key().to_sec1_bytes()).unwrap();
        warm(&key);
        for number in 0..64 {
            let digest = B256::repeat_byte(number);
            let (signature, parity) = secret.sign_prehash_recoverable(&digest.0).unwrap();
            let (r, s) = signature.split_scalars();
            let z = <Scalar as Reduce<k256::U256>>::reduce_bytes(&digest.0.into());
            let (s_inverse, x) = (s.invert().unwrap(), FieldElement::from_bytes(&r.to_bytes()).unwrap());
            let sum = key.combine(&(z * s_inverse), &(*r * s_inverse));
            assert_eq!(sum.and_then(|sum| sum.y_is_odd_at(&x)), Some(parity.is_y_odd()), "{digest}");
            let made = verify(&LowS { r, s }, &digest, &key).unwrap();
            assert_eq!(made, Signature::from_signature_and_parity(signature, parity.is_y_odd()), "{digest}");
        }
    }

    /// Recovers until the key has a table, and checks that it has: no table is made while another key's is.
    fn warm(key: &PublicKey) {
        let r = NonZeroScalar::new(Scalar::from(3u64)).unwrap();
        let is_warm = (0..20_000).any(|_| {
            verify(&LowS { r, s: r }, &B256::repeat_byte(1), key).unwrap_err();
            key.combine(&Scalar::from(11u64), &Scalar::from(13u64)).is_some()
        });
        assert!(is_warm, "{key:?} has no table");
    }

    fn to_bytes(value: k256::U256) -> [u8; 32] {
        use k256::elliptic_curve::bigint::Encoding;
        value.to_be_bytes()
    }

    fn sec1(point: &ProjectivePoint) -> Vec<u8> {
        use k256::elliptic_curve::sec1::ToEncodedPoint;
        point.to_affine().to_encoded_point(true).as_bytes().to_vec()
    }
}
