//! Base58Check with Tezos's prefixes, which make the first letters say what it is.
//!
//! The prefixes are those of octez's `src/lib_crypto/base58.ml` (and of gotez's `b58/prefix`).

/// What comes before the payload, and the payload's length in bytes.
pub(super) struct Prefix<const N: usize>(pub(super) &'static [u8]);

pub(super) const TZ1: Prefix<20> = Prefix(&[6, 161, 159]);
pub(super) const TZ2: Prefix<20> = Prefix(&[6, 161, 161]);
pub(super) const TZ3: Prefix<20> = Prefix(&[6, 161, 164]);
pub(super) const TZ4: Prefix<20> = Prefix(&[6, 161, 166]);
pub(super) const EDPK: Prefix<32> = Prefix(&[13, 15, 37, 217]);
pub(super) const SPPK: Prefix<33> = Prefix(&[3, 254, 226, 86]);
pub(super) const P2PK: Prefix<33> = Prefix(&[3, 178, 139, 127]);
pub(super) const EDSIG: Prefix<64> = Prefix(&[9, 245, 205, 134, 18]);
pub(super) const SPSIG1: Prefix<64> = Prefix(&[13, 115, 101, 19, 63]);
pub(super) const P2SIG: Prefix<64> = Prefix(&[54, 240, 44, 52]);
pub(super) const SIG: Prefix<64> = Prefix(&[4, 130, 43]);
/// `Net…`.
pub(super) const CHAIN_ID: Prefix<4> = Prefix(&[87, 82, 0]);
/// `vh…`: a block payload hash, as which Signatory's watermark files write a request's hash.
pub(super) const PAYLOAD_HASH: Prefix<32> = Prefix(&[1, 106, 242]);

/// Longer text is none of these: the longest is a signature, of 99 characters.
const LONGEST: usize = 128;

impl<const N: usize> Prefix<N> {
    pub(super) fn encode(&self, payload: &[u8; N]) -> String {
        bs58::encode([self.0, payload].concat()).with_check().into_string()
    }

    /// None if it has another prefix, length or checksum.
    pub(super) fn decode(&self, text: &str) -> Option<[u8; N]> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = bs58::decode(text).with_check(None).into_vec().ok()?;
        bytes.strip_prefix(self.0)?.try_into().ok()
    }
}

/// Text from outside, shortened for an error.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}
