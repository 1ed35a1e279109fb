//! Random numbers from the operating system, and the ids made of them.

use alloy_primitives::hex;
use rand_core::{OsRng, RngCore};

use super::refusal::Refusal;

/// Fills a buffer with random bytes.
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), Refusal> {
    OsRng.try_fill_bytes(bytes).map_err(|_| Refusal::internal("the operating system gives no random numbers"))
}

/// A new key id: a UUID, or `mrk-` and 32 hexadecimal digits.
pub(super) fn key_id(multi_region: bool) -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(if multi_region { format!("mrk-{}", hex::encode(bytes)) } else { uuid(bytes) })
}

/// A new request id. All zeros where the operating system gives no random numbers.
pub(super) fn request_id() -> String {
    let mut bytes = [0; 16];
    match fill(&mut bytes) {
        Ok(()) => uuid(bytes),
        Err(_) => uuid([0; 16]),
    }
}

/// A version 4 UUID (RFC 9562, section 5.4) of these bytes.
fn uuid(mut bytes: [u8; 16]) -> String {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let mut text = hex::encode(bytes);
    for hyphen in [20, 16, 12, 8] {
        text.insert(hyphen, '-');
    }
    text
}
