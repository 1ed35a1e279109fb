//! Ed25519 as KMS does it: over the message itself (RFC 8032), 64 bytes.

use aws_lc_rs::signature::Ed25519KeyPair;

use super::{ecdsa::Shape, key, refusal::Refusal};

pub(super) fn sign(pair: &Ed25519KeyPair, message: &[u8], shape: Shape) -> Result<Vec<u8>, Refusal> {
    let other;
    let pair = if let Shape::OtherKey = shape {
        other = key::random_ed25519()?;
        &other
    } else {
        pair
    };
    let signature = pair.try_sign(message).map_err(|_| Refusal::internal("the signature could not be made"))?;
    let mut signature = signature.as_ref().to_vec();
    if let (Shape::FlippedBit, Some(last)) = (shape, signature.last_mut()) {
        *last ^= 1;
    }
    Ok(signature)
}
