//! What the targets have in common: k256's view of the types of kms-signer.

use k256::ecdsa::Signature as Ecdsa;
use kms_signer::{
    Error, ErrorKind,
    alloy_primitives::{Signature, U256, uint},
};

/// n / 2 rounded down: EIP-2's largest s.
pub const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// r and s of a signature that k256 read. There is no y-parity in it.
pub fn to_alloy(signature: &Ecdsa) -> Signature {
    let (r, s) = signature.split_bytes();
    Signature::new(U256::from_be_slice(&r), U256::from_be_slice(&s), false)
}

/// The same signature with s ≤ n / 2.
pub fn with_low_s(signature: Ecdsa) -> Ecdsa {
    signature.normalize_s().unwrap_or(signature)
}

/// Whether a refused signature was refused only because Ethereum cannot say the x-coordinate of its R.
pub fn is_x_reduced(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidSignature && error.to_string().contains("not below n")
}
