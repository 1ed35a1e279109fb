//! Inverses, in variable time (Lehmer's algorithm, of `ruint`): k256's own take eight times as long, and two are needed for each
//! signature.

use alloy_primitives::{U256, uint};
use k256::{FieldElement, Scalar, elliptic_curve::PrimeField};

/// SEC 2, section 2.4.1.
const FIELD: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F_U256);
const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

/// None for zero.
pub(super) fn of_element(element: &FieldElement) -> Option<FieldElement> {
    let inverse = U256::from_be_bytes(element.to_bytes().into()).inv_mod(FIELD)?;
    FieldElement::from_bytes(&inverse.to_be_bytes().into()).into()
}

/// None for zero.
pub(crate) fn of_scalar(scalar: &Scalar) -> Option<Scalar> {
    let inverse = U256::from_be_bytes(scalar.to_bytes().into()).inv_mod(ORDER)?;
    Scalar::from_repr(inverse.to_be_bytes().into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_those_of_k256() {
        let (mut element, mut scalar) = (FieldElement::from_u64(3), Scalar::from(3u64));
        for _ in 0..10_000 {
            assert_eq!(of_element(&element).unwrap().normalize(), element.invert().unwrap().normalize());
            assert_eq!(of_scalar(&scalar), Option::from(scalar.invert()));
            (element, scalar) = (element.square() + FieldElement::ONE, scalar.square() + Scalar::ONE);
        }
        for small in 1..1_000u64 {
            let (element, scalar) = (FieldElement::from_u64(small), Scalar::from(small));
            for element in [element, element.negate(1).normalize()] {
                assert_eq!(of_element(&element).unwrap().normalize(), element.invert().unwrap().normalize());
            }
            for scalar in [scalar, -scalar] {
                assert_eq!(of_scalar(&scalar), Option::from(scalar.invert()));
            }
        }
        assert_eq!(of_scalar(&Scalar::ZERO), None);
        assert!(of_element(&FieldElement::ZERO).is_none());
    }
}
