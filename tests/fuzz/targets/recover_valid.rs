//! Any R, s and digest: the key under which they are a signature is computed, and `signature::recover` must find R's
//! y-parity. Changed signatures, which the target `recover` sees, almost never verify; these always do.
//!
//! Input: x-coordinate of R (32 bytes), s (32 bytes), digest (32 bytes), y-parity of R (1 byte).

#![no_main]

use fuzz::is_x_reduced;
use k256::{
    AffinePoint, FieldBytes, NonZeroScalar, ProjectivePoint, PublicKey as Point, Scalar, U256 as Integer,
    ecdsa::Signature as Ecdsa,
    elliptic_curve::{
        ops::{Invert, Reduce},
        point::DecompressPoint,
        scalar::IsHigh,
    },
};
use kms_signer::{
    PublicKey,
    alloy_primitives::{B256, Signature, U256},
    signature,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(valid) = Valid::make(input) else { return };
    let der = signature::to_der(&fuzz::to_alloy(&valid.signature));
    match fuzz::recover(&der, &valid.digest, &valid.key) {
        Ok(made) => {
            assert!(!valid.is_x_reduced);
            assert_eq!(made, valid.expected());
            assert_eq!(made.recover_address_from_prehash(&valid.digest).ok(), Some(valid.key.address()));
            assert_eq!(fuzz::recover(&signature::to_der(&made), &valid.digest, &valid.key).ok(), Some(made));
        }
        Err(error) => assert!(valid.is_x_reduced && is_x_reduced(&error), "{error}"),
    }
});

struct Valid {
    signature: Ecdsa,
    digest: B256,
    key: PublicKey,
    is_odd: bool,
    is_x_reduced: bool,
}

impl Valid {
    /// Q = r⁻¹·(s·R − z·G) is the key under which (r, s) signs z.
    fn make(input: &[u8]) -> Option<Self> {
        let (&x, rest) = input.split_first_chunk::<32>()?;
        let (&s, rest) = rest.split_first_chunk::<32>()?;
        let (&digest, rest) = rest.split_first_chunk::<32>()?;
        let &[parity] = rest else { return None };

        let is_odd = parity % 2 == 1;
        let x = FieldBytes::from(x);
        let point = Option::<AffinePoint>::from(AffinePoint::decompress(&x, u8::from(is_odd).into()))?;
        let r = Option::<NonZeroScalar>::from(NonZeroScalar::new(reduce(&x)))?;
        let s = Option::<NonZeroScalar>::from(NonZeroScalar::new(reduce(&s.into())))?;
        let z = reduce(&digest.into());
        let key = (ProjectivePoint::from(point) * *s - ProjectivePoint::GENERATOR * z) * *r.invert();
        let key = Point::from_affine(key.to_affine()).ok()?;
        Some(Self {
            signature: Ecdsa::from_scalars(r, s).ok()?,
            digest: digest.into(),
            key: PublicKey::from_sec1(&key.to_sec1_bytes()).ok()?,
            is_odd,
            is_x_reduced: r.to_bytes() != x,
        })
    }

    /// Negating s negates R.
    fn expected(&self) -> Signature {
        let (r, s) = self.signature.split_scalars();
        let is_high = bool::from(s.is_high());
        let s = if is_high { -s } else { s };
        Signature::new(U256::from_be_slice(&r.to_bytes()), U256::from_be_slice(&s.to_bytes()), self.is_odd != is_high)
    }
}

fn reduce(bytes: &FieldBytes) -> Scalar {
    <Scalar as Reduce<Integer>>::reduce_bytes(bytes)
}
