//! Keys with a table of multiples, and without one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use alloy_primitives::{B256, Signature, U256};
use kms_signer::{PublicKey, Result, signature};

/// After so many uses a key has a table.
const USES: usize = 40;
/// So many tables are kept, far fewer than a process may have.
const MOST: usize = 100;

/// Recovers by a key without a table and by one with it: what they say is the same to the letter.
pub fn recover(der: &[u8], digest: &B256, key: &PublicKey) -> Result<Signature> {
    static KEYS: Mutex<Option<HashMap<[u8; 33], PublicKey>>> = Mutex::new(None);

    let cold = signature::recover(der, digest, &fresh(key));
    // One key at a time: none gets a table while another's is made.
    let warm_key = {
        let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.get_or_insert_default();
        if keys.len() == MOST {
            keys.clear();
        }
        keys.entry(key.to_sec1()).or_insert_with(|| warmed(key)).clone()
    };
    let warm = signature::recover(der, digest, &warm_key);
    assert_eq!(format!("{warm:?}"), format!("{cold:?}"), "of {digest} by {key:?}");
    let text = |read: &Result<Signature>| read.as_ref().map(|_| ()).map_err(ToString::to_string);
    assert_eq!(text(&warm), text(&cold), "of {digest} by {key:?}");
    cold
}

/// The same key, used often enough.
pub fn warmed(key: &PublicKey) -> PublicKey {
    let (key, one) = (fresh(key), U256::ONE);
    let of_nothing = signature::to_der(&Signature::new(one, one, false));
    for _ in 0..USES {
        signature::recover(&of_nothing, &B256::repeat_byte(0x77), &key).unwrap_err();
    }
    key
}

/// The same key, never used.
fn fresh(key: &PublicKey) -> PublicKey {
    PublicKey::from_sec1(&key.to_sec1()).unwrap()
}
