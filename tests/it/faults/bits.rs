//! Every bit of a signature, flipped.

use alloy_primitives::B256;
use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsClient, KmsSigner,
    aws_sdk_kms::{
        primitives::Blob,
        types::{MessageType, SigningAlgorithmSpec},
    },
    fake::{FakeKms, Fault},
};

use super::place::DIGEST;
use crate::ours;

/// What `Sign` answers: DER.
pub(super) async fn sign(fake: &FakeKms, key: &str, digest: B256) -> Vec<u8> {
    let request = fake.client().sign().key_id(key).message(Blob::new(digest.as_slice()));
    let request = request.message_type(MessageType::Digest).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    request.send().await.unwrap().signature.unwrap().into_inner()
}

#[tokio::test]
async fn no_flipped_bit_of_a_signature_gets_through() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let client = KmsClient::from(fake.client()).with_max_attempts(1);
    let signer = KmsSigner::new(client, &key, None).await.unwrap();
    for shape in [Fault::low_s(), Fault::high_s(), Fault::short_r()] {
        let case = format!("{shape:?}");
        fake.inject(shape);
        let der = sign(&fake, key.as_ref(), DIGEST).await;
        fake.inject(Fault::bad_signature(der.clone()));
        let right = signer.sign_hash(&DIGEST).await.unwrap();
        assert_eq!(right.recover_address_from_prehash(&DIGEST).unwrap(), signer.address());

        let mut refused = 0;
        for bit in 0..der.len() * 8 {
            let mut flipped = der.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fake.inject(Fault::bad_signature(flipped));
            match signer.sign_hash(&DIGEST).await {
                Ok(signature) => assert_eq!(signature, right, "{case}: bit {bit} of {der:02x?}"),
                Err(error) => {
                    let error = ours(&error);
                    let known = matches!(
                        error.kind(),
                        ErrorKind::InvalidSignature | ErrorKind::SignatureMismatch | ErrorKind::InvalidResponse
                    );
                    assert!(known && error.may_have_signed(), "{case}: bit {bit} of {der:02x?}: {error}");
                    refused += 1;
                }
            }
        }
        // DER has one form, and both integers count: no other bits say the same.
        assert_eq!(refused, der.len() * 8, "{case}: {der:02x?}");
    }
}
