//! The one addition that tables need: of a point in Jacobian coordinates and one in affine coordinates, on secp256k1.
//!
//! x = X/Z², y = Y/Z³. The arithmetic of the field is k256's. Its elements have a magnitude, the bound of their unreduced limbs: a product takes
//! factors of up to 8 and has 1, a sum has that of its parts together, and −a, where a has at most m, has m + 1.

use k256::FieldElement;

use super::inverse;

/// A point of a table. Magnitude 1.
pub(super) struct Affine {
    pub(super) x: FieldElement,
    pub(super) y: FieldElement,
}

/// A point, never the one at infinity. X has magnitude 4 at most, Y 2, Z 1.
#[derive(Clone, Copy)]
pub(crate) struct Jacobian {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

impl Jacobian {
    pub(super) fn from_affine(point: &Affine, negated: bool) -> Self {
        Self { x: point.x, y: signed(point, negated), z: FieldElement::ONE }
    }

    /// The sum with a point or its negative: 8 multiplications and 3 squarings (Cohen, Miyaji and Ono, 1998). None for the same point
    /// and for its negative, whose sums need other formulas; chance does not lead there.
    pub(super) fn add(&self, point: &Affine, negated: bool) -> Option<Self> {
        let Self { x, y, z } = self;
        let z_squared = z.square();
        let h = point.x * z_squared + x.negate(4);
        if bool::from(h.normalizes_to_zero()) {
            return None;
        }
        // With the signs turned: −H², −H³, −X·H² and S₁ − S₂.
        let h_squared = h.square().negate(1);
        let h_cubed = h_squared * h;
        let t = *x * h_squared;
        let r = *y + (signed(point, negated) * z_squared * *z).negate(1);
        let sum_x = r.square() + h_cubed + t.double();
        Some(Self { x: sum_x, y: (t + sum_x) * r + h_cubed * *y, z: *z * h })
    }

    /// If the affine x-coordinate is this, whether the y-coordinate is odd.
    pub(crate) fn y_is_odd_at(&self, x: &FieldElement) -> Option<bool> {
        let z_squared = self.z.square();
        if !bool::from((*x * z_squared + self.x.negate(4)).normalizes_to_zero()) {
            return None;
        }
        let z_inverse = inverse::of_element(&self.z)?;
        let y = self.y * z_inverse.square() * z_inverse;
        Some(bool::from(y.normalize().is_odd()))
    }
}

fn signed(point: &Affine, negated: bool) -> FieldElement {
    if negated { point.y.negate(1) } else { point.y }
}
