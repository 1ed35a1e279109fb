//! Many signers at once.

use alloy_network::TxSigner;
use alloy_signer::Signer;
use kms_signer::{
    ErrorKind, KmsSigner,
    fake::Fault,
    keys::{Filter, KeyRecord, NewKey, Selection},
};

use super::fake_and_keys;
use crate::assert_kind;

#[tokio::test]
async fn by_filter_only_what_can_sign_for_ethereum() {
    let (_, keys) = fake_and_keys();
    keys.create(NewKey::signing().alias("alias/w/1")).await.unwrap();
    keys.create(NewKey::signing().alias("alias/w/2")).await.unwrap();
    keys.create(NewKey::signing().alias("alias/w/off")).await.unwrap();
    keys.create(NewKey::p256().alias("alias/w/tezos")).await.unwrap();
    keys.create(NewKey::symmetric().alias("alias/w/secrets")).await.unwrap();
    keys.disable("alias/w/off").await.unwrap();
    let signers = keys.load_signers(Filter::new().alias_prefix("alias/w/")).await.unwrap().with_chain_id(Some(5));
    assert_eq!((signers.len(), signers.skipped().len()), (2, 0));
    for signer in &signers {
        assert_eq!(Signer::chain_id(signer), Some(5));
        signer.sign_message(b"x").await.unwrap();
        assert_eq!(signers.get(Signer::address(signer)).map(KmsSigner::key), Some(signer.key()));
    }
    let addresses: Vec<_> = signers.iter().map(TxSigner::address).collect();
    let wallet = signers.into_wallet(addresses[1]).unwrap();
    assert_eq!(wallet.default_signer().address(), addresses[1]);
    for address in addresses {
        assert!(wallet.signer_by_address(address).is_some());
    }
}

#[tokio::test]
async fn by_names_and_what_is_not_there_is_skipped() {
    let (fake, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing().alias("alias/a")).await.unwrap();
    keys.create(NewKey::symmetric().alias("alias/s")).await.unwrap();
    let names = ["alias/a", "alias/none", key.arn().as_ref(), "alias/s"];
    let signers = keys.load_signers(Selection::keys(names)).await.unwrap();
    assert_eq!(signers.len(), 2);
    let skipped: Vec<_> = signers.skipped().iter().map(|key| (key.key().to_string(), key.reason().kind())).collect();
    let expected = [("alias/none", ErrorKind::KeyNotFound), ("alias/s", ErrorKind::KeyUnsuitable)];
    assert_eq!(skipped, expected.map(|(key, kind)| (key.to_owned(), kind)));
    assert_kind(&keys.load_signers(Selection::keys(["nonsense"])).await.unwrap_err(), ErrorKind::InvalidKeyRef);
    fake.inject(Fault::error("ExpiredTokenException", 400, "expired").forever());
    assert_kind(&keys.load_signers(Selection::keys(["alias/a"])).await.unwrap_err(), ErrorKind::Credentials);
}

/// Another wallet must not pay because one could not be loaded.
#[tokio::test]
async fn without_its_default_there_is_no_wallet() {
    let (fake, keys) = fake_and_keys();
    let treasury = keys.create(NewKey::signing().alias("alias/treasury")).await.unwrap();
    keys.create(NewKey::signing().alias("alias/payouts")).await.unwrap();
    fake.inject(Fault::error("AccessDeniedException", 400, "not this one").on("GetPublicKey"));
    let signers = keys.load_signers(Selection::keys(["alias/treasury", "alias/payouts"])).await.unwrap();
    assert_eq!((signers.len(), signers.skipped().len()), (1, 1));
    let error = signers.into_wallet(treasury.address().unwrap()).unwrap_err();
    assert_kind(&error, ErrorKind::KeyNotFound);
    assert!(error.to_string().contains(&treasury.address().unwrap().to_string()), "{error}");
}

#[tokio::test]
async fn records_survive_a_file_and_bad_ones_are_refused() {
    let (fake, keys) = fake_and_keys();
    keys.create(NewKey::signing()).await.unwrap();
    let records = keys.load_signers(Filter::new()).await.unwrap().records();
    let file = serde_json::to_string(&records).unwrap();
    assert_eq!(serde_json::from_str::<Vec<KeyRecord>>(&file).unwrap(), records);

    let before = fake.requests().len();
    let signers = keys.load_signers(records.clone()).await.unwrap();
    assert_eq!(fake.requests().len(), before);
    signers.iter().next().unwrap().sign_message(b"x").await.unwrap();

    let address = records[0].address().to_string();
    for (from, to, says) in [
        (address.as_str(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "is not that of the public key"),
        (address.as_str(), "0x12", "40 hexadecimal digits"),
        ("arn:aws:kms", "arn:aws:s3", "not of KMS"),
        ("\"0x02", "\"0x09", "SEC 1"),
        ("\"0x03", "\"0x09", "SEC 1"),
    ] {
        let changed = file.replace(from, to);
        if changed != file {
            let error = serde_json::from_str::<Vec<KeyRecord>>(&changed).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}

/// The public key of another key leads to no signature.
#[tokio::test]
async fn a_record_of_a_wrong_public_key_cannot_sign() {
    let (_, keys) = fake_and_keys();
    let key = keys.create(NewKey::signing()).await.unwrap();
    let other = keys.create(NewKey::signing()).await.unwrap();
    let record = KeyRecord::new(key.arn().clone(), other.public_key().unwrap().clone());
    let signers = keys.load_signers(vec![record]).await.unwrap();
    let error = signers.iter().next().unwrap().sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::SignatureMismatch);
}
