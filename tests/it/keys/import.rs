//! Bringing a private key that exists.

use alloy_primitives::{B256, hex};
use alloy_signer::Signer;
use alloy_signer_local::PrivateKeySigner;
use kms_signer::{
    ErrorKind, KmsSigner,
    fake::Fault,
    keys::{NewKey, Secret, State},
};

use super::{count, fake_and_keys};
use crate::assert_kind;

const SECRET: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

#[tokio::test]
async fn the_imported_key_is_the_secrets() {
    let (fake, keys) = fake_and_keys();
    let secret = Secret::from_hex(SECRET).unwrap();
    let key = keys.import(NewKey::signing().alias("alias/deployer").tag("a", "b"), secret).await.unwrap();
    assert_eq!(key.address().unwrap().to_string(), ADDRESS);
    assert!(key.is_imported());
    assert_eq!(key.state(), &State::Enabled);
    let signer = KmsSigner::new(fake.client(), "alias/deployer", None).await.unwrap();
    let signature = signer.sign_message(b"x").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap().to_string(), ADDRESS);
    // Nothing that was sent is the secret, in whatever encoding.
    let bytes = hex::decode(SECRET).unwrap();
    for request in fake.requests() {
        let body = request.body();
        use base64::{Engine, engine::general_purpose::STANDARD};
        assert!(!body.contains(&STANDARD.encode(&bytes)) && !body.contains(&SECRET[2..]));
    }
}

#[tokio::test]
async fn from_a_local_signer_and_from_a_keystore() {
    let (_, keys) = fake_and_keys();
    let local = PrivateKeySigner::random();
    let key = keys.import(NewKey::signing(), local.clone()).await.unwrap();
    assert_eq!(key.address(), Some(local.address()));

    let folder = std::env::temp_dir().join(format!("kms-signer-keystore-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut random = rand_core::OsRng;
    let (_, name) =
        PrivateKeySigner::encrypt_keystore(&folder, &mut random, local.to_bytes(), "password", None).unwrap();
    let file = folder.join(name);
    let secret = Secret::from_keystore(&file, "password").unwrap();
    assert_eq!(secret.address(), local.address());
    let wrong = Secret::from_keystore(&file, "Password").unwrap_err();
    assert_kind(&wrong, ErrorKind::Config);
    assert_kind(&Secret::from_keystore(folder.join("none"), "password").unwrap_err(), ErrorKind::Config);

    // What a file may say to make it a secret's leak, a panic, or all the machine's memory.
    let good = std::fs::read_to_string(&file).unwrap();
    let value: serde_json::Value = serde_json::from_str(&good).unwrap();
    let changed = |path: &str, to: serde_json::Value| {
        let mut value = value.clone();
        *value.pointer_mut(path).unwrap() = to;
        value.to_string()
    };
    for text in [
        format!("{SECRET:?}"),
        format!(r#"{{"version":3,"crypto":{SECRET:?}}}"#),
        changed("/crypto/ciphertext", SECRET.into()),
        changed("/crypto/kdfparams/dklen", 16.into()),
        changed("/crypto/cipherparams/iv", "00".into()),
        changed("/crypto/kdfparams/n", (1u64 << 40).into()),
        changed("/crypto/kdfparams/n", 3.into()),
        changed("/crypto/kdfparams/r", u64::MAX.into()),
        changed("/crypto/kdfparams/p", 0.into()),
        changed("/crypto/kdf", "argon2".into()),
        changed("/version", 1.into()),
        "x".repeat(100_000),
        String::new(),
    ] {
        std::fs::write(&file, &text).unwrap();
        let error = Secret::from_keystore(&file, "password").unwrap_err();
        assert_kind(&error, ErrorKind::Config);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("ac0974") && shown.len() < 1000, "{shown}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_private_key_is_refused_and_not_repeated() {
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let short = &SECRET[..64];
    for text in ["", "0x", short, &"0".repeat(64), order, &SECRET.replace('a', "g"), &format!("{SECRET}00")] {
        let error = Secret::from_hex(text).unwrap_err();
        assert_kind(&error, ErrorKind::Config);
        if text.len() > 10 {
            assert!(!format!("{error} {error:?}").contains(&text[text.len() - 10..]), "{error}");
        }
    }
    for text in [SECRET.to_owned(), SECRET[2..].to_uppercase(), format!("  {SECRET}\r\n")] {
        let secret = Secret::from_hex(&text).unwrap();
        assert_eq!(secret.address().to_string(), ADDRESS);
        assert!(!format!("{secret:?}").to_lowercase().contains("ac0974"));
    }
    assert!(Secret::from_bytes(&B256::ZERO.0).is_err());
}

#[tokio::test]
async fn without_proof_it_is_no_success() {
    let (fake, keys) = fake_and_keys();
    let other = keys.create(NewKey::signing()).await.unwrap();
    fake.inject(Fault::bad_spki(other.spki_der().unwrap()).on("GetPublicKey"));
    let secret = Secret::from_hex(SECRET).unwrap();
    let error = keys.import(NewKey::signing().alias("alias/a"), secret).await.unwrap_err();
    assert_kind(&error, ErrorKind::AddressMismatch);
    assert!(error.to_string().contains(ADDRESS) && error.to_string().contains("scheduled for deletion"), "{error}");
    assert_eq!(count(&fake, "CreateAlias"), 0);
}

#[tokio::test]
async fn a_step_that_fails_leaves_no_key_behind() {
    for operation in ["GetParametersForImport", "ImportKeyMaterial", "GetPublicKey"] {
        let (fake, keys) = fake_and_keys();
        fake.inject(Fault::error("AccessDeniedException", 400, "not you").on(operation).forever());
        let error = keys.import(NewKey::signing(), Secret::from_hex(SECRET).unwrap()).await.unwrap_err();
        assert_kind(&error, ErrorKind::AccessDenied);
        assert!(error.to_string().contains("is scheduled for deletion in 7 days"), "{operation}: {error}");
        assert_eq!(count(&fake, "ScheduleKeyDeletion"), 1, "{operation}");
    }
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    for fault in [
        Fault::missing_field("PublicKey"),
        Fault::missing_field("ImportToken"),
        Fault::set_field("PublicKey", "AAAA"),
        Fault::garbage_body(),
    ] {
        let (fake, keys) = fake_and_keys();
        fake.inject(fault.on("GetParametersForImport"));
        let error = keys.import(NewKey::signing(), Secret::from_hex(SECRET).unwrap()).await.unwrap_err();
        assert_kind(&error, ErrorKind::InvalidResponse);
    }
}

#[tokio::test(start_paused = true)]
async fn material_is_waited_for() {
    let (fake, keys) = fake_and_keys();
    fake.inject(Fault::error("NotFoundException", 400, "no").on("GetParametersForImport").times(2));
    fake.inject(Fault::error("KMSInvalidStateException", 400, "is pending import").on("GetPublicKey").times(2));
    keys.import(NewKey::signing(), Secret::from_hex(SECRET).unwrap()).await.unwrap();
}

#[tokio::test]
async fn only_ethereum_keys_are_imported() {
    let (fake, keys) = fake_and_keys();
    for new in [NewKey::p256(), NewKey::symmetric(), NewKey::ed25519()] {
        let error = keys.import(new, Secret::from_hex(SECRET).unwrap()).await.unwrap_err();
        assert_kind(&error, ErrorKind::KeyUnsuitable);
    }
    assert_eq!(fake.requests().len(), 0);
}
