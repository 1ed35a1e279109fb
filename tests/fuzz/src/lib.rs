//! What the targets have in common: k256's view of the types of kms-signer.

use std::{cell::RefCell, collections::HashMap};

use k256::ecdsa::Signature as Ecdsa;
use kms_signer::{
    Error, ErrorKind, PublicKey, Result,
    alloy_primitives::{B256, Signature, U256, uint},
    signature,
};

/// After so many uses a key has a table of multiples.
const USES: usize = 40;
/// So many keys with a table are kept, fewer than a process may have.
const MOST: usize = 128;

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

/// Recovers by the key as it is, and for one key in eight again by its table of multiples, which must say the same. A table takes
/// as long as a hundred signatures, so it is kept.
pub fn recover(der: &[u8], digest: &B256, key: &PublicKey) -> Result<Signature> {
    thread_local!(static WARM: RefCell<HashMap<[u8; 33], PublicKey>> = RefCell::default());

    let cold = signature::recover(der, digest, key);
    if key.to_sec1().last().is_some_and(|byte| byte % 8 == 0) {
        let warm = WARM.with_borrow_mut(|keys| {
            if keys.len() == MOST {
                keys.clear();
            }
            signature::recover(der, digest, keys.entry(key.to_sec1()).or_insert_with(|| warmed(key)))
        });
        assert_eq!(format!("{warm:?}"), format!("{cold:?}"));
        assert_eq!(warm.map_err(|error| error.to_string()), cold.as_ref().copied().map_err(ToString::to_string));
    }
    cold
}

fn warmed(key: &PublicKey) -> PublicKey {
    let one = U256::from(1);
    let of_nothing = signature::to_der(&Signature::new(one, one, false));
    for _ in 0..USES {
        let _ = signature::recover(&of_nothing, &B256::ZERO, key);
    }
    key.clone()
}

/// Whether a refused signature was refused only because Ethereum cannot say the x-coordinate of its R.
pub fn is_x_reduced(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidSignature && error.to_string().contains("not below n")
}
