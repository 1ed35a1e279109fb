//! No plain key and no plain secret is left anywhere: not in a `Debug`, not in a log at TRACE, not in a file.

use std::{io::Write, process::Stdio};

use alloy_primitives::hex;
use base64::{Engine, engine::general_purpose::STANDARD};
use kms_signer::{ErrorKind, fake::Fault, keys::Secret, seal::SealedSigner};

use super::{context, fake_and_key, operations};
use crate::{
    examples::{example, example_at, text},
    log::logged_at,
    serve,
};

const SECRET: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// The first form of the secret that is found: raw, or as text.
fn trace_of(secret: &[u8], bytes: &[u8]) -> Option<String> {
    let text = hex::encode(secret);
    let base64 = STANDARD.encode(secret);
    let decimal = secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let forms = [
        secret.to_vec(),
        text.clone().into_bytes(),
        text.to_uppercase().into_bytes(),
        // As it is in the middle of a longer text, whatever comes before it.
        base64.trim_end_matches('=').as_bytes()[..40].to_vec(),
        decimal.into_bytes(),
    ];
    let found = forms.iter().find(|form| bytes.windows(form.len()).any(|window| window == &form[..]))?;
    Some(String::from_utf8_lossy(found).into_owned())
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for text in [hex::encode(SECRET), hex::encode_upper(SECRET), STANDARD.encode(SECRET), format!("{SECRET:?}")] {
        assert!(trace_of(&SECRET, format!("x{text}x").as_bytes()).is_some(), "{text}");
    }
    assert!(trace_of(&SECRET, &[&[1], &SECRET[..], &[2]].concat()).is_some());
    assert!(trace_of(&SECRET, b"nothing").is_none());
}

#[tokio::test]
async fn neither_debug_nor_the_log_at_trace_shows_a_secret() {
    let (shown, log) = logged_at(tracing::Level::TRACE, async {
        let (fake, key) = fake_and_key().await;
        let signer = SealedSigner::seal(&key, &Secret::from_bytes(&SECRET).unwrap()).await.unwrap();
        let opened = SealedSigner::open(&key, signer.sealed()).await.unwrap();
        let plain = key.decrypt(key.encrypt(SECRET, &context()).await.unwrap(), &context()).await.unwrap();
        let unsealed = key.unseal(key.seal(SECRET, &context()).await.unwrap(), &context()).await.unwrap();
        assert_eq!((plain.as_bytes(), unsealed.as_bytes()), (&SECRET[..], &SECRET[..]));
        format!(
            "{fake:?} {key:?} {signer:?} {opened:?} {plain:?} {unsealed:?} {:?} {:?}",
            opened.sealed(),
            fake.requests()
        )
    })
    .await;
    assert!(log.contains("transmitting request") && log.contains("TrentService.Encrypt"), "the SDK's log was captured");
    assert!(log.contains("TRACE"), "at TRACE");
    for (place, text) in [("Debug", &shown), ("the log", &log)] {
        assert_eq!(trace_of(&SECRET, text.as_bytes()), None, "in {place}");
    }
}

/// An answer that holds a plaintext and cannot be read is in no error, nor in the log.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_shown() {
    let (fake, key) = fake_and_key().await;
    let ciphertext = key.encrypt(SECRET, &context()).await.unwrap();
    let plaintext = STANDARD.encode(SECRET);
    for body in [
        format!(r#"{{"KeyId":1,"Plaintext":"{plaintext}"}}"#),
        format!(r#"{{"Plaintext":"{plaintext}","KeyId":1}}"#),
        format!(r#"{{"Plaintext":"{plaintext}""#),
        format!(r#"{{"Plaintext":{:?}}}"#, hex::encode(SECRET)) + "x",
    ] {
        let answer = || Fault::response(200, "application/x-amz-json-1.1", body.clone());
        let (errors, log) = logged_at(tracing::Level::TRACE, async {
            fake.inject(answer());
            let decrypt = key.decrypt(&ciphertext, &context()).await.unwrap_err();
            fake.inject(answer());
            [decrypt, key.seal("x", &context()).await.unwrap_err()]
        })
        .await;
        let mut shown = log;
        for error in &errors {
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
            let mut next: Option<&dyn std::error::Error> = Some(error);
            while let Some(error) = next {
                shown += &format!("{error} {error:?}\n");
                next = error.source();
            }
        }
        assert_eq!(trace_of(&SECRET, shown.as_bytes()), None, "{body}");
    }
}

/// As a service does, whose role has the opener's policy alone: one `Decrypt`, of the address that is expected.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_opens_with_one_decrypt() {
    let (fake, key) = fake_and_key().await;
    let signer = SealedSigner::create(&key).await.unwrap();
    let file = std::env::temp_dir().join(format!("kms-signer-open-{}.json", std::process::id()));
    std::fs::write(&file, signer.sealed().to_string()).unwrap();
    let before = fake.requests().len();
    let endpoint = format!("http://{}", serve(&fake));
    let open = |expected: &str| {
        let mut command = example_at("sealed_signer", &endpoint);
        command.args(["--key-id", key.key().as_ref(), "--expect", expected, "--open"]).arg(&file);
        text(&command.output().unwrap())
    };
    let (out, err) = open("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert!(err.contains("error: ") && err.contains("address") && !out.contains("signed"), "{out}{err}");
    let (out, err) = open(&signer.address().to_string());
    assert!(out.contains("signed     1000 times"), "{out}{err}");
    assert_eq!(operations(&fake)[before..], ["Decrypt"]);
    std::fs::remove_file(file).unwrap();
}

/// The example with a known key, everything logged, and a folder of its own for whatever it writes.
#[test]
fn a_process_that_seals_and_opens_a_key_leaves_no_plain_one() {
    let folder = std::env::temp_dir().join(format!("kms-signer-plain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = example("sealed_signer");
    command.current_dir(&folder).args(["--secret-stdin", "--trace", "--out", "sealed.json"]);
    for variable in ["TMPDIR", "HOME", "XDG_CACHE_HOME"] {
        command.env(variable, &folder);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "0x{}", hex::encode(SECRET)).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, log) = text(&output);
    assert!(output.status.success(), "{out}{log}");
    assert!(
        out.contains("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266") && out.contains("signed     1000 times"),
        "{out}"
    );
    assert!(log.contains("transmitting request") && log.contains("TrentService.Decrypt"), "the SDK's log was captured");

    let mut searched = vec![("stdout".to_owned(), output.stdout), ("stderr".to_owned(), output.stderr)];
    let mut folders = vec![folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                searched.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    assert!(searched.iter().any(|(place, _)| place.ends_with("sealed.json")));
    for (place, bytes) in &searched {
        assert_eq!(trace_of(&SECRET, bytes), None, "in {place}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
