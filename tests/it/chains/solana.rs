//! Solana's addresses and signatures.

use kms_signer::{
    ErrorKind,
    ed25519::PublicKey,
    solana::{Address, SolanaSigner, to_base58},
};

use super::ed25519::fake_and_signer;

/// The key of the seed of 32 bytes that are 8, as `@solana/web3.js` has it in its tests of keypairs.
#[test]
fn an_address_is_that_of_web3_js() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key();
    let address = Address::from(PublicKey::from_bytes(key.as_bytes()).unwrap());
    assert_eq!(address.to_string(), "2KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE1");
    assert_eq!("2KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE1".parse::<Address>().unwrap(), address);
    for text in [
        "",
        "2KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE",
        "2KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE11",
        "0KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE1",
        // The system program's, which is nobody's key.
        "11111111111111111111111111111111",
    ] {
        assert_eq!(text.parse::<Address>().unwrap_err().kind(), ErrorKind::InvalidPublicKey, "{text}");
    }
}

#[tokio::test]
async fn a_message_is_signed_as_it_is() {
    let (_fake, signer) = fake_and_signer().await;
    let signer = SolanaSigner::from(signer);
    let signature = signer.sign_message(b"a transaction's message").await.unwrap();
    signer.address().public_key().verify(b"a transaction's message", &signature).unwrap();
    assert_eq!(bs58::decode(to_base58(&signature)).into_vec().unwrap(), signature.as_bytes());
}
