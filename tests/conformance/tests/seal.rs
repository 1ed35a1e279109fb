//! Symmetric keys, envelopes and sealed signers against an emulator.
//!
//! It departs from AWS in this: it encrypts without authenticating, so that an altered ciphertext decrypts to something else, and
//! another key than the ciphertext's decrypts it to something else, too. What is sealed is protected all the same: an envelope by its
//! tag, a signing key by its address. It knows no dry run.

use std::{
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

use alloy_primitives::{hex, keccak256};
use alloy_signer::Signer;
use base64::{Engine, engine::general_purpose::STANDARD};
use conformance::{endpoint, launch, target::Target};
use kms_signer::{
    ErrorKind, KmsClient,
    aws_sdk_kms::types::{KeySpec, KeyUsageType},
    keys::{Keys, NewKey},
    seal::{EncryptionContext, MAX_PLAINTEXT, SealedKey, SealedSigner, SymmetricKey},
};

async fn target() -> Target {
    Target::ministack(&endpoint("KMS_ENDPOINT")).await
}

async fn symmetric(target: &Target) -> SymmetricKey {
    let arn = target.key(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt, false).await;
    SymmetricKey::new(KmsClient::from(target.sdk()), arn).unwrap()
}

fn context() -> EncryptionContext {
    EncryptionContext::from([("tenant", "17"), ("purpose", "conformance")])
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn secrets_come_back_under_their_context_only() {
    let target = target().await;
    let key = symmetric(&target).await;
    key.validate(&context()).await.unwrap();
    for secret in [vec![1], vec![7; MAX_PLAINTEXT]] {
        let ciphertext = key.encrypt(&secret, &context()).await.unwrap();
        assert_eq!(key.decrypt(&ciphertext, &context()).await.unwrap().as_bytes(), secret);
        for wrong in [EncryptionContext::new(), context().with("tenant", "18")] {
            let error = key.decrypt(&ciphertext, &wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidCiphertext, "{error}");
        }
    }
    let alias = target.alias(key.key().as_ref()).await;
    let by_alias = SymmetricKey::new(target.sdk(), alias).unwrap();
    by_alias.validate(&context()).await.unwrap();
    assert_eq!(by_alias.key(), key.key());
    let signing = SymmetricKey::new(target.sdk(), target.signing_key().await).unwrap();
    assert_eq!(signing.validate(&context()).await.unwrap_err().kind(), ErrorKind::KeyUnsuitable);
    target.clean_up().await;
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn a_key_is_made_where_there_is_none() {
    let target = target().await;
    let alias = format!("alias/conformance-seal-{}", std::process::id());
    let keys = Keys::new(target.sdk());
    let first = SymmetricKey::ensure(&keys, &alias, NewKey::symmetric()).await.unwrap();
    let second = SymmetricKey::ensure(&keys, &alias, NewKey::symmetric()).await.unwrap();
    assert_eq!(first.key(), second.key());
    first.validate(&EncryptionContext::new()).await.unwrap();
    keys.schedule_deletion(first.key(), 7).await.unwrap();
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn envelopes_come_back_and_show_every_change() {
    let target = target().await;
    let (key, other) = (symmetric(&target).await, symmetric(&target).await);
    let secret = vec![b's'; 200_000];
    let envelope = key.seal(&secret, &context()).await.unwrap();
    assert_eq!(key.unseal(&envelope, &context()).await.unwrap().as_bytes(), secret);
    // Within the encrypted data key, the nonce, the secret and the tag.
    for index in [60, 100, 130, 1000, envelope.len() - 1] {
        let mut altered = envelope.clone();
        altered[index] ^= 1;
        let error = key.unseal(&altered, &context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCiphertext, "byte {index}: {error}");
    }
    for error in [
        key.unseal(&envelope, &EncryptionContext::new()).await.unwrap_err(),
        other.unseal(&envelope, &context()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidCiphertext, "{error}");
    }
    Keys::new(target.sdk()).disable(key.key()).await.unwrap();
    for error in [
        key.unseal(&envelope, &context()).await.unwrap_err(),
        key.encrypt("x", &context()).await.unwrap_err(),
        key.validate(&context()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::KeyUnusable, "{error}");
    }
    target.clean_up().await;
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn a_signing_key_is_sealed_opened_and_signs() {
    let target = target().await;
    let (key, other) = (symmetric(&target).await, symmetric(&target).await);
    let text = SealedSigner::create(&key).await.unwrap().sealed().to_string();
    let sealed: SealedKey = text.parse().unwrap();
    let signer = SealedSigner::open(&key, &sealed).await.unwrap();
    let hash = keccak256("conformance");
    for _ in 0..100 {
        let signature = signer.sign_hash(&hash).await.unwrap();
        assert_eq!(signature.recover_address_from_prehash(&hash).unwrap(), sealed.address());
    }

    let edited = |from: &str, to: &str| -> SealedKey { text.replacen(from, to, 1).parse().unwrap() };
    let stolen = SealedSigner::create(&key).await.unwrap();
    let renamed = edited(&sealed.address().to_string(), &stolen.address().to_string());
    let last = text.trim_end_matches(['=', '"', '}']).chars().next_back().unwrap();
    let end = text.rfind(last).unwrap();
    // Before the last character, whose low bits may not count.
    let flipped = if text.as_bytes()[end - 1] == b'A' { "B" } else { "A" };
    let altered: SealedKey = format!("{}{flipped}{}", &text[..end - 1], &text[end..]).parse().unwrap();
    for (key, sealed) in [(&key, renamed), (&key, altered), (&other, edited(key.key().as_ref(), other.key().as_ref()))]
    {
        let error = SealedSigner::open(key, &sealed).await.unwrap_err();
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::InvalidCiphertext | ErrorKind::AddressMismatch), "{error}");
    }
    Keys::new(target.sdk()).disable(key.key()).await.unwrap();
    let error = SealedSigner::open(&key, &sealed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnusable, "{error}");
    target.clean_up().await;
}

/// As its user runs it: sealed into a file, then opened from there.
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn the_example_seals_into_a_file_and_opens_it() {
    let target = target().await;
    let key = symmetric(&target).await;
    let file = std::env::temp_dir().join(format!("conformance-sealed-{}.json", std::process::id()));
    let file = file.to_str().unwrap();
    let run = |words: &[&str]| {
        let mut command = launch::example("sealed_signer", &endpoint("KMS_ENDPOINT"));
        let output = command.args(["--key-id", key.key().as_ref()]).args(words).output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{out}{}", String::from_utf8_lossy(&output.stderr));
        (output.status.success(), out)
    };
    let (succeeded, sealed) = run(&["--out", file]);
    assert!(succeeded && !run(&["--out", file]).0, "a file that is there is not written over");
    let (succeeded, opened) = run(&["--open", file]);
    std::fs::remove_file(file).unwrap();
    let address = |out: &str| out.lines().find(|line| line.starts_with("address")).unwrap().to_owned();
    assert!(succeeded && address(&sealed) == address(&opened) && opened.contains("signed     1000 times"));
    target.clean_up().await;
}

/// A key that everybody knows: the first of every development node.
const SECRET: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// Over a real connection, with everything logged: neither what is printed nor any file holds the plain key.
#[tokio::test]
#[ignore = "needs KMS_ENDPOINT, started by tests/stack.sh"]
async fn the_example_leaves_no_plain_key() {
    let target = target().await;
    let key = symmetric(&target).await;
    let folder = std::env::temp_dir().join(format!("conformance-plain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let run = |words: &[&str]| {
        let mut command = launch::example("sealed_signer", &endpoint("KMS_ENDPOINT"));
        command.current_dir(&folder).args(["--trace", "--key-id", key.key().as_ref()]).args(words);
        for variable in ["TMPDIR", "HOME", "XDG_CACHE_HOME"] {
            command.env(variable, &folder);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // What opens reads nothing, and may have ended.
        let _ = writeln!(input, "0x{}", hex::encode(SECRET));
        drop(input);
        child.wait_with_output().unwrap()
    };
    let outputs = [
        (run(&["--secret-stdin", "--out", "sealed.json"]), "TrentService.Encrypt"),
        (run(&["--open", "sealed.json", "--expect", ADDRESS]), "TrentService.Decrypt"),
    ];
    let mut searched = files(&folder);
    assert!(searched.iter().any(|(place, _)| place.ends_with("sealed.json")));
    for (Output { status, stdout, stderr }, operation) in outputs {
        let (out, log) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success() && out.contains(ADDRESS) && out.contains("signed     1000 times"), "{out}{log}");
        assert!(log.contains("transmitting request") && log.contains(operation), "the SDK's log was captured");
        searched.extend([("stdout".to_owned(), stdout), ("stderr".to_owned(), stderr)]);
    }
    for (place, bytes) in &searched {
        assert!(!holds_secret(bytes), "in {place}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    target.clean_up().await;
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for text in [hex::encode(SECRET), hex::encode_upper(SECRET), STANDARD.encode(SECRET), format!("{SECRET:?}")] {
        assert!(holds_secret(format!("x{text}x").as_bytes()), "{text}");
    }
    assert!(holds_secret(&[&[1], &SECRET[..], &[2]].concat()) && !holds_secret(b"nothing"));
}

/// Raw, or as text.
fn holds_secret(bytes: &[u8]) -> bool {
    let decimal = SECRET.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let forms = [
        SECRET.to_vec(),
        hex::encode(SECRET).into_bytes(),
        hex::encode_upper(SECRET).into_bytes(),
        STANDARD.encode(SECRET).trim_end_matches('=').as_bytes()[..40].to_vec(),
        decimal.into_bytes(),
    ];
    forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == &form[..]))
}

/// Every file in a folder and those below, by its path.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}
