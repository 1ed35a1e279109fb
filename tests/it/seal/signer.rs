//! `SealedSigner` and the text it is kept as.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip7702::Authorization;
use alloy_network::{EthereumWallet, TxSigner};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_signer::{Signer, SignerSync};
use kms_signer::{
    ErrorKind,
    fake::Fault,
    iam::IamPolicy,
    keys::{Keys, Secret},
    seal::{EncryptionContext, SealedKey, SealedSigner, SymmetricKey},
};
use serde_json::{Value, json};

use super::{ALIAS, another, fake_and_key, operations};
use crate::assert_kind;

const SECRET: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

#[tokio::test]
async fn a_new_key_is_sealed_opened_and_signs() {
    let (fake, key) = fake_and_key().await;
    let before = fake.requests().len();
    let created = SealedSigner::create(&key).await.unwrap();
    let sealed: SealedKey = created.sealed().to_string().parse().unwrap();
    assert_eq!((sealed.address(), sealed.key()), (created.address(), key.key()));
    let opened = SealedSigner::open(&key, &sealed).await.unwrap();
    assert_eq!(operations(&fake)[before..], ["Encrypt", "Decrypt"]);

    let hash = keccak256("hello");
    let signature = opened.sign_hash(&hash).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&hash).unwrap(), created.address());
    assert!(signature.normalize_s().is_none(), "low-S");
    assert_eq!(created.sign_hash_sync(&hash).unwrap(), signature);
    assert_eq!(fake.requests().len(), before + 2, "KMS is not asked again");
    let other = SealedSigner::create(&key).await.unwrap();
    assert_ne!(other.address(), created.address());
}

#[tokio::test]
async fn it_signs_authorisations_for_its_own_address() {
    let (_, key) = fake_and_key().await;
    let signer = SealedSigner::create(&key).await.unwrap().with_chain_id(Some(5));
    let authorization = Authorization { chain_id: U256::ZERO, address: Address::repeat_byte(0x42), nonce: 7 };
    let signed = signer.sign_authorization(&authorization).await.unwrap();
    assert_eq!((signed.inner(), signed.recover_authority().unwrap()), (&authorization, signer.address()));
}

#[tokio::test]
async fn it_signs_transactions_as_alloys_other_signers() {
    let (_, key) = fake_and_key().await;
    let mut signer = SealedSigner::create(&key).await.unwrap();
    signer.set_chain_id(Some(5));
    let mut transaction = TxEip1559 { chain_id: 5, gas_limit: 21_000, ..Default::default() };
    let signature = signer.sign_transaction(&mut transaction).await.unwrap();
    let recovered = signature.recover_address_from_prehash(&transaction.signature_hash()).unwrap();
    assert_eq!(recovered, signer.address());
    transaction.chain_id = 6;
    signer.sign_transaction(&mut transaction).await.unwrap_err();
    assert_eq!(EthereumWallet::from(signer.clone()).default_signer().address(), signer.address());
}

/// AWS's command line can open it: the ciphertext is KMS's own, under the context that is documented.
#[tokio::test]
async fn an_existing_key_is_sealed_as_is_documented() {
    let (_, key) = fake_and_key().await;
    let secret = Secret::from_hex(SECRET).unwrap();
    let signer = SealedSigner::seal(&key, &secret).await.unwrap();
    assert_eq!(signer.address().to_string(), ADDRESS);
    let context = EncryptionContext::from([("address", ADDRESS)]);
    let plain = key.decrypt(signer.sealed().ciphertext(), &context).await.unwrap();
    assert_eq!(plain.as_bytes(), SECRET.parse::<B256>().unwrap());

    let text = signer.sealed().to_string();
    let Value::Object(fields) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["address", "ciphertext", "key", "version"]);
    assert_eq!((&fields["version"], &fields["address"]), (&json!(1), &json!(ADDRESS)));
    // serde writes and reads the same.
    assert_eq!(serde_json::to_string(signer.sealed()).unwrap(), text);
    assert_eq!(&serde_json::from_str::<SealedKey>(&text).unwrap(), signer.sealed());
}

#[tokio::test]
async fn what_is_not_as_it_was_is_refused_by_kind() {
    let (fake, key) = fake_and_key().await;
    let [mine, other] = [SealedSigner::create(&key).await.unwrap(), SealedSigner::create(&key).await.unwrap()];
    let edited = |field: &str, value: Value| -> SealedKey {
        let mut fields: Value = serde_json::from_str(&mine.sealed().to_string()).unwrap();
        fields[field] = value;
        fields.to_string().parse().unwrap()
    };
    let open = async |sealed: &SealedKey| SealedSigner::open(&key, sealed).await.unwrap_err();
    // KMS has the address in the context.
    assert_kind(&open(&edited("address", json!(other.address().to_string()))).await, ErrorKind::InvalidCiphertext);
    assert_kind(&open(&edited("ciphertext", json!("AAAA"))).await, ErrorKind::InvalidCiphertext);

    let stranger = another(&fake).await;
    let before = fake.requests().len();
    let error = SealedSigner::open(&stranger, mine.sealed()).await.unwrap_err();
    assert_kind(&error, ErrorKind::InvalidCiphertext);
    assert_eq!(fake.requests().len(), before, "what names another key is not sent");
    let renamed = edited("key", json!(stranger.key().to_string()));
    assert_kind(&SealedSigner::open(&stranger, &renamed).await.unwrap_err(), ErrorKind::InvalidCiphertext);
    assert_kind(&open(&renamed).await, ErrorKind::InvalidCiphertext);

    // A KMS that decrypts to something else.
    use base64::{Engine, engine::general_purpose::STANDARD};
    for (plain, kind) in [
        (vec![1; 32], ErrorKind::AddressMismatch),
        (vec![0; 32], ErrorKind::InvalidCiphertext),
        (vec![1; 31], ErrorKind::InvalidCiphertext),
        (vec![1; 33], ErrorKind::InvalidCiphertext),
    ] {
        fake.inject(Fault::set_field("Plaintext", &STANDARD.encode(plain)));
        let error = open(mine.sealed()).await;
        assert_kind(&error, kind);
        assert!(error.request_id().is_some(), "{error}");
    }
    Keys::new(fake.client()).disable(ALIAS).await.unwrap();
    assert_kind(&open(mine.sealed()).await, ErrorKind::KeyUnusable);
    assert_kind(&SealedSigner::create(&key).await.unwrap_err(), ErrorKind::KeyUnusable);
}

#[tokio::test]
async fn what_is_sealed_for_another_address_is_not_sent() {
    let (fake, key) = fake_and_key().await;
    let [mine, other] = [SealedSigner::create(&key).await.unwrap(), SealedSigner::create(&key).await.unwrap()];
    let before = fake.requests().len();
    let error = SealedSigner::open_expecting(&key, other.sealed(), mine.address()).await.unwrap_err();
    assert_kind(&error, ErrorKind::AddressMismatch);
    assert_eq!(fake.requests().len(), before);
    let opened = SealedSigner::open_expecting(&key, mine.sealed(), mine.address()).await.unwrap();
    assert_eq!(opened.address(), mine.address());
}

#[tokio::test]
async fn a_text_that_is_no_sealed_key_is_not_repeated() {
    let (_, key) = fake_and_key().await;
    let good = SealedSigner::create(&key).await.unwrap().sealed().to_string();
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        good.replacen(from, to, 1)
    };
    let address = &good[good.find("0x").unwrap()..][..42];
    let wrong = [
        String::new(),
        SECRET.to_owned(),
        format!("{{{SECRET:?}:1}}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        replaced(r#""version":1"#, r#""version":2"#),
        replaced(r#""version":1"#, &format!(r#""version":1,"secret":{SECRET:?}"#)),
        replaced(address, &address.to_lowercase()),
        replaced(address, SECRET),
        replaced("arn:aws", "nra:aws"),
        replaced(r#""ciphertext":""#, r#""ciphertext":"-"#),
        format!("{good}{}", " ".repeat(1 << 14)),
    ];
    for wrong in &wrong {
        let error = wrong.parse::<SealedKey>().unwrap_err();
        assert_kind(&error, ErrorKind::InvalidCiphertext);
        assert!(!format!("{error} {error:?}").contains(&SECRET[2..]), "{error}");
    }
    let [string, bytes] = [json!(SECRET).to_string(), format!("{:?}", SECRET.parse::<B256>().unwrap().0)];
    for wrong in wrong.iter().map(String::as_str).chain([string.as_str(), &bytes]) {
        if let Err(error) = serde_json::from_str::<SealedKey>(wrong) {
            assert!(!format!("{error} {error:?}").contains(&SECRET[2..]), "{error}");
        } else {
            assert_eq!(wrong.trim(), good, "serde reads any length");
        }
    }
    let error = serde_json::from_str::<SealedKey>(&string).unwrap_err().to_string();
    assert!(error.starts_with("this is no sealed key: not an object of its members"), "{error}");
}

#[tokio::test]
async fn who_may_open_one_address_opens_no_other_and_seals_none() {
    let (fake, key) = fake_and_key().await;
    let [mine, other] = [SealedSigner::create(&key).await.unwrap(), SealedSigner::create(&key).await.unwrap()];
    let role = "arn:aws:iam::111122223333:role/hot-wallet";
    let arn = key.key().as_arn().unwrap();
    fake.attach_policy(role, &IamPolicy::opener([arn.clone()], [mine.address()]).unwrap().to_json()).unwrap();
    let service = SymmetricKey::new(fake.client_as(role), arn).unwrap();
    SealedSigner::open(&service, mine.sealed()).await.unwrap();
    for error in [
        SealedSigner::open(&service, other.sealed()).await.unwrap_err(),
        SealedSigner::create(&service).await.unwrap_err(),
    ] {
        assert_kind(&error, ErrorKind::AccessDenied);
    }
    assert_kind(&IamPolicy::opener([arn.clone()], []).unwrap_err(), ErrorKind::Config);
}
