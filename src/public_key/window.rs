//! Multiples of a point that is known beforehand, by tables of windows: no doublings, one addition for each window.
//!
//! A scalar is written in signed digits of some bits each; for every place and every digit the table has the multiple of the point.
//! All inputs are public, so which entry is read may be seen.

use k256::{
    AffinePoint, FieldElement, ProjectivePoint, Scalar,
    elliptic_curve::{BatchNormalize, PrimeField, group::Group, scalar::IsHigh, sec1::ToEncodedPoint},
};

use super::jacobian::{Affine, Jacobian};

/// Of a scalar, with the highest bit for the sign of the topmost digit.
const BITS: usize = 256;
/// So many points are brought into affine coordinates at a time.
const BATCH: usize = 128;

/// The multiples d·2^(w·i)·P of a point P, for windows of w bits: i counts the windows, d goes from 1 to 2^(w−1).
pub(super) struct Table {
    window: usize,
    entries: Vec<Affine>,
}

impl Table {
    /// `window` is 2 to 15 bits. None for the point at infinity, which has no multiples.
    pub(super) fn new(point: &ProjectivePoint, window: usize) -> Option<Self> {
        if bool::from(point.is_identity()) {
            return None;
        }
        let per_window = 1 << (window - 1);
        let mut multiples = Vec::with_capacity(BITS.div_ceil(window) * per_window);
        let mut base = *point;
        for _ in 0..BITS.div_ceil(window) {
            let mut multiple = base;
            for _ in 1..per_window {
                multiples.push(multiple);
                multiple += base;
            }
            multiples.push(multiple);
            base = multiple.double();
        }
        let entries =
            multiples.chunks(BATCH).flat_map(normalize).map(|point| coordinates(&point)).collect::<Option<_>>()?;
        Some(Self { window, entries })
    }

    /// Adds k times the table's point. None where an addition is none that [`Jacobian::add`] can do.
    pub(super) fn add_multiple(&self, scalar: &Scalar, sum: Option<Jacobian>) -> Option<Option<Jacobian>> {
        // Of k and −k one has its highest bit clear, so that no carry is left over at the top.
        let negated = bool::from(scalar.is_high());
        let limbs = limbs(&if negated { -*scalar } else { *scalar });
        let (size, half) = (1 << self.window, 1 << (self.window - 1));
        let mut carry = 0;
        let mut sum = sum;
        for (index, window) in self.entries.chunks_exact(half).enumerate() {
            let mut digit = bits(&limbs, index * self.window, self.window) + carry;
            carry = usize::from(digit > half);
            let negative = digit > half;
            if negative {
                digit = size - digit;
            }
            let Some(entry) = digit.checked_sub(1).and_then(|index| window.get(index)) else { continue };
            sum = Some(match sum {
                Some(sum) => sum.add(entry, negative != negated)?,
                None => Jacobian::from_affine(entry, negative != negated),
            });
        }
        Some(sum)
    }
}

/// With one inversion for all of them.
fn normalize(points: &[ProjectivePoint]) -> impl Iterator<Item = AffinePoint> {
    let mut batch = [ProjectivePoint::GENERATOR; BATCH];
    for (place, point) in batch.iter_mut().zip(points) {
        *place = *point;
    }
    ProjectivePoint::batch_normalize(&batch).into_iter().take(points.len())
}

fn coordinates(point: &AffinePoint) -> Option<Affine> {
    let encoded = point.to_encoded_point(false);
    let x = Option::from(FieldElement::from_bytes(encoded.x()?))?;
    let y = Option::from(FieldElement::from_bytes(encoded.y()?))?;
    Some(Affine { x, y })
}

/// Little-endian, and a limb of zeros for windows that reach beyond the top.
fn limbs(scalar: &Scalar) -> [u64; 5] {
    let mut limbs = [0; 5];
    let bytes: [u8; 32] = scalar.to_repr().into();
    for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks_exact(8)) {
        *limb = chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    limbs
}

/// `count` bits from `start` on.
fn bits(limbs: &[u64; 5], start: usize, count: usize) -> usize {
    let limb = |index: usize| u128::from(limbs.get(index).copied().unwrap_or_default());
    let pair = limb(start / 64) | limb(start / 64 + 1) << 64;
    ((pair >> (start % 64)) as usize) & ((1 << count) - 1)
}
