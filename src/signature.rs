//! From the DER signature that KMS returns to the signature that Ethereum carries.
//!
//! KMS answers with a DER `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3): random nonce, high S about half the time, and no
//! recovery id. [`recover`] is the whole way, one step per file: `der` reads it, `low_s` normalises it (EIP-2),
//! `recovery` verifies it against the known key and finds the y-parity in the same pass.

mod der;
mod low_s;
mod recovery;

use alloy_primitives::{B256, Signature};

use crate::{
    error::{Error, ErrorKind, Operation, Result},
    public_key::PublicKey,
};

/// Turns a DER signature over `digest` by `key` into an Ethereum signature: low S, with its y-parity.
///
/// `digest` is the 32-byte hash that was signed, as it was signed. The result is verified: it recovers to
/// [`key.address()`](PublicKey::address). All inputs are public, so the computation takes variable time.
///
/// The first 32 times it is one pass over the curve. Then a [table](PublicKey#tables) is made for the key, and it takes a fourth of
/// that.
///
/// # Errors
///
/// - [`ErrorKind::InvalidSignature`]: `der` is not strict DER of two integers in `1..n` (SEC 1, section 4.1.4), or the
///   x-coordinate of R is not below n, which an Ethereum signature cannot say (a chance of 2⁻¹²⁸).
/// - [`ErrorKind::SignatureMismatch`]: it is a signature, but not of `digest` by `key`.
pub fn recover(der: &[u8], digest: &B256, key: &PublicKey) -> Result<Signature> {
    let signature = low_s::normalize(der::parse(der)?);
    recovery::verify(&signature, digest, key)
}

/// The DER `Ecdsa-Sig-Value` (RFC 3279) of a signature: 8 to 72 bytes. The y-parity is not part of it.
pub fn to_der(signature: &Signature) -> Vec<u8> {
    der::encode(&signature.r().to_be_bytes(), &signature.s().to_be_bytes())
}

/// r ‖ s, 32 bytes each, big-endian. The y-parity is not part of it; for EIP-2098, which folds it into s, see
/// [`Signature::as_erc2098`].
pub fn to_compact(signature: &Signature) -> [u8; 64] {
    let mut out = [0; 64];
    let (r, s) = out.split_at_mut(32);
    r.copy_from_slice(&signature.r().to_be_bytes::<32>());
    s.copy_from_slice(&signature.s().to_be_bytes::<32>());
    out
}

/// r ‖ s ‖ v, 65 bytes, with the last byte written as `v` says.
pub fn to_eth_bytes(signature: &Signature, v: V) -> [u8; 65] {
    let mut out = [0; 65];
    let (rs, last) = out.split_at_mut(64);
    rs.copy_from_slice(&to_compact(signature));
    last.fill(u8::from(signature.v()) + v.offset());
    out
}

/// How the last byte of a 65-byte signature says the y-parity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum V {
    /// 0 or 1: typed transactions (EIP-2718) and most libraries' recovery id.
    Parity,
    /// 27 or 28: EIP-191 messages, EIP-712 typed data, `ecrecover` and wallets' `eth_sign`.
    Legacy,
}

impl V {
    fn offset(self) -> u8 {
        match self {
            Self::Parity => 0,
            Self::Legacy => 27,
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSignature, Operation::Recover, message)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    #[test]
    fn the_last_byte_says_what_its_name_says() {
        let even = Signature::new(U256::from(1), U256::from(2), false);
        let odd = Signature::new(U256::from(1), U256::from(2), true);
        assert_eq!(to_eth_bytes(&even, V::Parity)[64], 0);
        assert_eq!(to_eth_bytes(&odd, V::Parity)[64], 1);
        assert_eq!(to_eth_bytes(&even, V::Legacy)[64], 27);
        assert_eq!(to_eth_bytes(&odd, V::Legacy)[64], 28);
        assert_eq!(to_eth_bytes(&odd, V::Legacy), odd.as_bytes());
        assert_eq!(to_compact(&even)[..], even.as_bytes()[..64]);
    }
}
