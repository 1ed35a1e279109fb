//! Inverses, in variable time (Bernstein and Yang, 2019): k256's own take two to three times as long, and two are needed for each
//! signature.

use crypto_bigint::{Odd, U256};
use k256::{FieldElement, Scalar, elliptic_curve::PrimeField};

/// SEC 2, section 2.4.1.
const FIELD: Odd<U256> = Odd::<U256>::from_be_hex("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F");
const ORDER: Odd<U256> = Odd::<U256>::from_be_hex("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141");

/// None for zero.
pub(super) fn of_element(element: &FieldElement) -> Option<FieldElement> {
    let inverse = invert(&element.to_bytes().into(), &FIELD)?;
    FieldElement::from_bytes(&inverse.into()).into()
}

/// None for zero.
pub(crate) fn of_scalar(scalar: &Scalar) -> Option<Scalar> {
    let inverse = invert(&scalar.to_bytes().into(), &ORDER)?;
    Scalar::from_repr(inverse.into()).into()
}

fn invert(number: &[u8; 32], modulus: &Odd<U256>) -> Option<[u8; 32]> {
    let inverse: Option<U256> = U256::from_be_slice(number).invert_odd_mod_vartime(modulus).into();
    Some(inverse?.to_be_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_those_of_k256() {
        let (mut element, mut scalar) = (FieldElement::from_u64(3), Scalar::from(3u64));
        for _ in 0..1_000 {
            assert_eq!(of_element(&element).unwrap().normalize(), element.invert().unwrap().normalize());
            assert_eq!(of_scalar(&scalar), Option::from(scalar.invert()));
            (element, scalar) = (element.square() + FieldElement::ONE, scalar.square() + Scalar::ONE);
        }
        for scalar in [Scalar::ONE, -Scalar::ONE] {
            assert_eq!(of_scalar(&scalar), Some(scalar));
        }
        assert_eq!(of_scalar(&Scalar::ZERO), None);
        assert!(of_element(&FieldElement::ZERO).is_none());
    }
}
