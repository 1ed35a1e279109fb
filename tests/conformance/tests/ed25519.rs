//! Ed25519 keys in an emulator of KMS: what they sign, and what Solana and Stellar make of them, beside other crates' verifiers and encoders.

use std::collections::BTreeSet;

use aws_lc::verifies;
use conformance::{endpoint, target::Target};
use data_encoding::BASE32;
use futures_util::{StreamExt, TryStreamExt, stream};
use kms_signer::{
    aws_sdk_kms::types::{KeySpec, KeyUsageType},
    ed25519::Ed25519Signer,
    solana::{self, SolanaSigner},
    stellar::{self, StellarSigner},
};
use sha2::{Digest, Sha256};
use stellar_xdr::{
    Hash, Limits, Memo, MuxedAccount, Preconditions, SequenceNumber, Transaction, TransactionExt,
    TransactionSignaturePayload, TransactionSignaturePayloadTaggedTransaction, Uint256, WriteXdr,
};

/// AWS-LC's Ed25519, which this crate does not verify with.
mod aws_lc {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    pub(super) fn verifies(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
    }
}

async fn signer() -> Ed25519Signer {
    let target = Target::ministack(&endpoint("KMS_ENDPOINT")).await;
    let key = target.key(KeySpec::EccNistEdwards25519, KeyUsageType::SignVerify, false).await;
    Ed25519Signer::new(target.sdk(), key).await.unwrap()
}

#[tokio::test]
async fn five_hundred_signatures_verify_with_another_crate() {
    let signer = signer().await;
    let messages: Vec<Vec<u8>> = (0..500u32).map(|n| n.to_be_bytes().repeat(1 + n as usize * 2)).collect();
    let signed: Vec<_> = stream::iter(&messages)
        .map(|message| {
            let signer = &signer;
            async move { Ok::<_, kms_signer::Error>((message, signer.sign(message).await?)) }
        })
        .buffer_unordered(32)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(signed.len(), 500);
    for (message, signature) in &signed {
        assert!(verifies(signer.public_key().as_bytes(), message, signature.as_bytes()));
        assert!(!verifies(signer.public_key().as_bytes(), b"another", signature.as_bytes()));
    }
    assert_eq!(signed.iter().map(|(_, signature)| signature.to_string()).collect::<BTreeSet<_>>().len(), 500);
    println!("500 signatures of {} to {} bytes verify", messages[0].len(), messages[499].len());
}

#[tokio::test]
async fn the_longest_message_is_signed_and_no_longer_one() {
    let signer = signer().await;
    let signature = signer.sign(&[7; 4096]).await.unwrap();
    assert!(verifies(signer.public_key().as_bytes(), &[7; 4096], signature.as_bytes()));
    assert!(signer.sign(&[7; 4097]).await.unwrap_err().to_string().contains("4096"));
}

#[tokio::test]
async fn solanas_addresses_and_signatures_are_those_of_another_encoder() {
    for _ in 0..20 {
        let signer = SolanaSigner::from(signer().await);
        let mut text = [0; five8::BASE58_ENCODED_32_MAX_LEN];
        let length = five8::encode_32(signer.address().as_bytes(), &mut text);
        assert_eq!(signer.address().to_string().as_bytes(), &text[..usize::from(length)]);

        let signature = signer.sign_message(b"message").await.unwrap();
        let mut text = [0; five8::BASE58_ENCODED_64_MAX_LEN];
        let length = five8::encode_64(signature.as_bytes(), &mut text);
        assert_eq!(solana::to_base58(&signature).as_bytes(), &text[..usize::from(length)]);
    }
}

/// SEP-23, by hand: the version byte 6 << 3, the key, and CRC-16/XMODEM with the low byte first.
fn strkey(public_key: &[u8; 32]) -> String {
    let mut bytes = vec![6 << 3];
    bytes.extend(public_key);
    let crc = bytes.iter().fold(0u16, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            },
        )
    });
    bytes.extend(crc.to_le_bytes());
    BASE32.encode(&bytes)
}

#[tokio::test]
async fn stellars_addresses_and_hashes_are_those_of_another_encoder() {
    for number in 0..20 {
        let signer = StellarSigner::from(signer().await);
        let public_key = *signer.address().public_key().as_bytes();
        assert_eq!(signer.address().to_string(), strkey(&public_key));

        let transaction = Transaction {
            source_account: MuxedAccount::Ed25519(Uint256(public_key)),
            fee: 100,
            seq_num: SequenceNumber(number),
            cond: Preconditions::None,
            memo: Memo::None,
            operations: Vec::new().try_into().unwrap(),
            ext: TransactionExt::V0,
        };
        let payload = TransactionSignaturePayload {
            network_id: Hash(Sha256::digest(stellar::TEST_NETWORK).into()),
            tagged_transaction: TransactionSignaturePayloadTaggedTransaction::Tx(transaction.clone()),
        };
        let expected: [u8; 32] = Sha256::digest(payload.to_xdr(Limits::none()).unwrap()).into();
        let hash = stellar::transaction_hash(stellar::TEST_NETWORK, &transaction.to_xdr(Limits::none()).unwrap());
        assert_eq!(hash, expected);

        let signature = signer.sign_hash(&hash).await.unwrap();
        assert!(verifies(&public_key, &hash, signature.signature().as_bytes()));
        let decorated = stellar_xdr::DecoratedSignature {
            hint: stellar_xdr::SignatureHint(signature.hint()),
            signature: stellar_xdr::Signature(signature.signature().as_bytes().to_vec().try_into().unwrap()),
        };
        assert_eq!(decorated.to_xdr(Limits::none()).unwrap(), signature.to_xdr());
        assert_eq!(signature.hint(), public_key[28..]);
    }
}
