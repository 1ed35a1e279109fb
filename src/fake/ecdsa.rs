//! ECDSA as KMS does it: a random nonce, s high or low as it falls. And, on demand, signatures that occur rarely.

use k256::elliptic_curve::{
    CurveArithmetic, Field, FieldBytes, Group, PrimeField, ProjectivePoint, Scalar, SecretKey,
    ops::{Invert, Reduce},
    point::AffineCoordinates,
    scalar::IsHigh,
};

use super::{key::Material, random, refusal::Refusal};

/// What a signature is to be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// As it falls.
    #[default]
    Usual,
    /// s above half the order.
    HighS,
    /// s at most half the order.
    LowS,
    /// An r whose DER INTEGER has at most 31 bytes.
    ShortR,
    /// An s whose DER INTEGER has at most 31 bytes.
    ShortS,
    /// Valid for the digest, by another key.
    OtherKey,
    /// The lowest bit of s is wrong.
    FlippedBit,
}

/// A DER signature over a 32-byte digest, or nothing if the key makes none.
pub(super) fn sign(material: &Material, digest: [u8; 32], shape: Shape) -> Option<Result<Vec<u8>, Refusal>> {
    let der = match material {
        Material::Secp256k1(secret) => scalars(secret, &digest.into(), shape).and_then(|(r, s)| {
            let signature = k256::ecdsa::Signature::from_scalars(r, s).map_err(|_| out_of_range())?;
            Ok(signature.to_der().as_bytes().to_vec())
        }),
        Material::P256(secret) => scalars(secret, &digest.into(), shape).and_then(|(r, s)| {
            let signature = p256::ecdsa::Signature::from_scalars(r, s).map_err(|_| out_of_range())?;
            Ok(signature.to_der().as_bytes().to_vec())
        }),
        Material::Ed25519(_) | Material::Symmetric(_) => return None,
    };
    Some(der.map(|mut der| {
        if let (Shape::FlippedBit, Some(last)) = (shape, der.last_mut()) {
            *last ^= 1;
        }
        der
    }))
}

/// A random secret key.
pub(super) fn random_secret<C: CurveArithmetic>() -> Result<SecretKey<C>, Refusal> {
    loop {
        let mut bytes = FieldBytes::<C>::default();
        random::fill(&mut bytes)?;
        if let Ok(secret) = SecretKey::from_bytes(&bytes) {
            return Ok(secret);
        }
    }
}

/// r and s for the first of the nonces k, k + 1, k + 2, … that gives the shape, with a random k.
///
/// A short integer takes 512 attempts on average. Consecutive nonces make each an addition instead of a
/// multiplication; nothing about the secret can be learnt from them, as only one is used.
fn scalars<C: CurveArithmetic>(
    secret: &SecretKey<C>,
    digest: &FieldBytes<C>,
    shape: Shape,
) -> Result<(Scalar<C>, Scalar<C>), Refusal> {
    let d = match shape {
        Shape::OtherKey => *random_secret::<C>()?.to_nonzero_scalar(),
        _ => *secret.to_nonzero_scalar(),
    };
    let z = <Scalar<C> as Reduce<C::Uint>>::reduce_bytes(digest);
    let mut k = *random_secret::<C>()?.to_nonzero_scalar();
    let mut point = ProjectivePoint::<C>::generator() * k;
    loop {
        let affine: C::AffinePoint = point.into();
        let r = <Scalar<C> as Reduce<C::Uint>>::reduce_bytes(&affine.x());
        if let Some(inverse) = Option::<Scalar<C>>::from(Invert::invert(&k)) {
            let s = inverse * (z + r * d);
            let is_wanted = match shape {
                Shape::ShortR => is_short(&r),
                Shape::ShortS => is_short(&s),
                _ => true,
            };
            if is_wanted && !bool::from(r.is_zero() | s.is_zero()) {
                return Ok((r, with_height(s, shape)));
            }
        }
        k += Scalar::<C>::ONE;
        point += ProjectivePoint::<C>::generator();
    }
}

/// (r, s) and (r, n − s) are both valid.
fn with_height<S: Field + IsHigh>(s: S, shape: Shape) -> S {
    match (shape, bool::from(s.is_high())) {
        (Shape::HighS, false) | (Shape::LowS, true) => -s,
        _ => s,
    }
}

/// Whether the DER INTEGER has at most 31 bytes: its ninth bit from the left is a sign bit and must be zero, too.
fn is_short<S: PrimeField>(scalar: &S) -> bool {
    matches!(scalar.to_repr().as_ref(), [0, 0..0x80, ..])
}

fn out_of_range() -> Refusal {
    Refusal::internal("the signature is out of range")
}
