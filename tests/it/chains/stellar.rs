//! Stellar's addresses, hashes and signatures.

use alloy_primitives::hex;
use k256::sha2::{Digest, Sha256};
use kms_signer::{
    ErrorKind,
    stellar::{self, Address, StellarSigner},
};

use super::ed25519::fake_and_signer;

/// SEP-23, the first of its valid examples.
#[test]
fn the_address_of_sep_23_is_read_and_written() {
    let text = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ";
    let address: Address = text.parse().unwrap();
    assert_eq!(address.to_string(), text);
    assert_eq!(address.public_key().to_string(), "3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a");
    assert_eq!(address.hint(), [0xfc, 0x7f, 0xe8, 0x9a]);
    // SEP-23, its invalid examples: a wrong length, a wrong checksum, another version.
    for text in [
        "GAAAAAAAACGC6",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUACUSI",
        "G47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVP2I",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGA",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ",
        "",
    ] {
        assert_eq!(text.parse::<Address>().unwrap_err().kind(), ErrorKind::InvalidPublicKey, "{text}");
    }
}

/// The ids of the networks, as Stellar's documentation has them.
#[test]
fn a_transactions_hash_begins_with_its_networks_id() {
    for (passphrase, id) in [
        (stellar::PUBLIC_NETWORK, "7ac33997544e3175d266bd022439b22cdb16508c01163f26e5cb2a3e1045a979"),
        (stellar::TEST_NETWORK, "cee0302d59844d32bdca915c8203dd44b33fbb7edc19051ea37abedf28ecd472"),
    ] {
        let id = hex::decode(id).unwrap();
        let expected = Sha256::digest([&id[..], &[0, 0, 0, 2], b"xdr"].concat());
        assert_eq!(stellar::transaction_hash(passphrase, b"xdr"), expected[..]);
        let expected = Sha256::digest([&id[..], &[0, 0, 0, 5], b"xdr"].concat());
        assert_eq!(stellar::fee_bump_hash(passphrase, b"xdr"), expected[..]);
    }
}

#[tokio::test]
async fn a_signature_carries_its_hint() {
    let (_fake, signer) = fake_and_signer().await;
    let signer = StellarSigner::from(signer);
    let hash = stellar::transaction_hash(stellar::TEST_NETWORK, b"xdr");
    let signature = signer.sign_hash(&hash).await.unwrap();
    signer.address().public_key().verify(&hash, signature.signature()).unwrap();
    assert_eq!(signature.hint(), signer.address().hint());
    let xdr = signature.to_xdr();
    assert_eq!(
        (&xdr[..4], &xdr[4..8], &xdr[8..]),
        (&signature.hint()[..], &[0, 0, 0, 64][..], &signature.signature().as_bytes()[..])
    );
}
