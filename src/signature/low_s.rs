//! EIP-2: of the two signatures (r, s) and (r, n − s), which are both valid, Ethereum accepts the one with s ≤ n/2.

use k256::{NonZeroScalar, elliptic_curve::scalar::IsHigh};

use super::der::EcdsaSignature;

/// r and s with s ≤ n/2.
pub(super) struct LowS {
    pub(super) r: NonZeroScalar,
    pub(super) s: NonZeroScalar,
}

pub(super) fn normalize(EcdsaSignature { r, s }: EcdsaSignature) -> LowS {
    let s = if bool::from(s.is_high()) { -s } else { s };
    LowS { r, s }
}

#[cfg(test)]
mod tests {
    use k256::Scalar;

    use super::*;

    #[test]
    fn negates_only_above_half_the_order() {
        let one = NonZeroScalar::new(Scalar::ONE).unwrap();
        // n / 2 rounded down is (n − 1) / 2 = −1/2 as a scalar; the next one up is 1/2.
        let half_up = NonZeroScalar::new(Scalar::from(2u64).invert().unwrap()).unwrap();
        let half_down = -half_up;
        for (given, expected) in [(one, one), (-one, one), (half_down, half_down), (half_up, half_down)] {
            assert_eq!(normalize(EcdsaSignature { r: one, s: given }).s.to_bytes(), expected.to_bytes());
        }
    }
}
