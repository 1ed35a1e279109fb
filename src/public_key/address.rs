//! The address of a key: the last 20 bytes of the Keccak-256 of its point (Ethereum Yellow Paper, appendix F).

use alloy_primitives::{Address, keccak256};

pub(super) fn derive(uncompressed: &[u8; 65]) -> Address {
    let [_tag, point @ ..] = uncompressed;
    Address::from_word(keccak256(point))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, hex};

    use super::*;

    #[test]
    fn matches_the_known_address_of_the_generator() {
        // The key with secret 1: its point is the generator of SEC 2, section 2.4.1.
        let generator = hex!(
            "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
            "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
        );
        assert_eq!(derive(&generator), address!("7E5F4552091A69125d5DfCb7b8C2659029395Bdf"));
    }
}
