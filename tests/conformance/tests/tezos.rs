//! The package `tezos-vault` with keys in an emulator: list, signatures over HTTP, also for Taquito, refusals, and `kill -9`. `cargo test -p tezos-vault` builds it.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use alloy_primitives::hex;
use blake2::{Blake2b256, Digest};
use conformance::{
    endpoint,
    launch::{self, Process},
};
use kms_signer::{
    KmsClient,
    keys::{KeyInfo, Keys, NewKey},
    tezos::PublicKey,
};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use serde_json::{Value, json};

/// Signatory's `signatory_test.go` and `request_test.go`.
const TRANSACTION: &[u8] = &hex!(
    "03573a2d2d49a3b9634d1605c3aa48ebdd5d21a5885ad17aa44c2b1d0dbcbcac686c004b415314d2b56b0481a3ae8c992ce8bb\
     8dba0369d086039ecb2dc35000c0843d000076b2f1ea1cf6753888ac5488693977446652d79e00"
);
const DELEGATION: &[u8] = &hex!(
    "03b89591b37be370e3db3fc7f77fdd176c5153f75ddcd239094c7ebeb66ee5e8bd6e002ea14368f6494539861ba04cf8cc946ace12cfd4ea09d89f40f4\
     4e00ff004b415314d2b56b0481a3ae8c992ce8bb8dba0369"
);
const ATTESTATION: [u8; 80] = hex!(
    "13ed9d217cfc81eee810737b04018acef4db74d056b79edc43e6be46cae7e4c217c22a82f01500120000518d00000000\
     03e7ea1f67dbb0bb6cfa372cb092cd9cf786b4f1b5e5139da95b915fb95e698d"
);

/// Another payload at the same level and round.
fn double() -> [u8; 80] {
    let mut bytes = ATTESTATION;
    bytes[79] ^= 1;
    bytes
}

/// A key, and its public key hash as this test has it: the prefix of `tz2…` or `tz3…` before the Blake2b-160 of the compressed point.
struct Key {
    info: KeyInfo,
    point: Vec<u8>,
    hash: String,
}

impl Key {
    fn new(info: KeyInfo) -> Self {
        let spki = info.spki_der().unwrap();
        let (uncompressed, is_p256) = (&spki[spki.len() - 65..], spki.len() == 91);
        let point = [&[2 + (uncompressed[64] & 1)], &uncompressed[1..33]].concat();
        let digest = blake2::Blake2b::<blake2::digest::consts::U20>::digest(&point);
        let prefix = if is_p256 { [6, 161, 164] } else { [6, 161, 161] };
        let hash = bs58::encode([&prefix[..], &digest].concat()).with_check().into_string();
        Self { info, point, hash }
    }

    /// With P-256 in Rust, or libsecp256k1, which octez uses and which refuses a high s.
    fn verify(&self, bytes: &[u8], signature: &str) {
        let digest = Blake2b256::digest(bytes);
        let decoded = bs58::decode(signature).with_check(None).into_vec().unwrap();
        if self.hash.starts_with("tz3") {
            let raw = decoded.strip_prefix(&[54, 240, 44, 52]).unwrap();
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.point).unwrap();
            key.verify_prehash(&digest, &p256::ecdsa::Signature::from_slice(raw).unwrap()).unwrap();
        } else {
            let raw = decoded.strip_prefix(&[13, 115, 101, 19, 63]).unwrap();
            let key = secp256k1::PublicKey::from_slice(&self.point).unwrap();
            let message = secp256k1::Message::from_digest(digest.into());
            let signature = secp256k1::ecdsa::Signature::from_compact(raw).unwrap();
            secp256k1::Secp256k1::verification_only().verify_ecdsa(message, &signature, &key).unwrap();
        }
    }
}

/// A running vault. Dropping it is `kill -9`.
struct Vault {
    _process: Process,
    url: String,
    http: reqwest::Client,
}

struct Setting {
    kms: String,
    folder: PathBuf,
}

impl Setting {
    fn new(kms: String, keys: &[Key]) -> Self {
        let folder = std::env::temp_dir().join(format!("tezos-vault-conformance-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let rules = "{log_payloads: true, allowed_operations: [generic, block, preattestation, attestation], allowed_kinds: [transaction, reveal]}";
        let rules: String = keys.iter().map(|key| format!("  {}: {rules}\n", key.hash)).collect();
        let text = format!(
            "server:\n  address: 127.0.0.1:0\n  utility_address: 127.0.0.1:0\n\
             vaults:\n  aws:\n    driver: awskms\n    config:\n      region: us-east-1\n\
             base_dir: {}\ntezos:\n{rules}",
            folder.display()
        );
        fs::write(folder.join("signatory.yaml"), text).unwrap();
        Self { kms, folder }
    }

    fn command(&self) -> Command {
        let mut command = launch::program("tezos-vault", &self.kms);
        command.env("RUST_LOG", "warn").arg("--config").arg(self.folder.join("signatory.yaml"));
        command
    }

    async fn serve(&self) -> Vault {
        let printed = self.folder.join("printed");
        let mut command = self.command();
        let process = Process::start(command.arg("serve").stdout(File::create(&printed).unwrap()));
        let begun = Instant::now();
        let url = loop {
            let text = fs::read_to_string(&printed).unwrap();
            if let Some((url, _)) = text.split_once('\n') {
                break url.to_owned();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not begin to serve");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Vault { _process: process, url, http }
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Vault {
    async fn ask(&self, key: &Key, bytes: &[u8]) -> (u16, Value) {
        let body = format!("\"{}\"", hex::encode(bytes));
        let answer = self.http.post(format!("{}/keys/{}", self.url, key.hash)).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn signs(&self, key: &Key, bytes: &[u8]) {
        let (status, answer) = self.ask(key, bytes).await;
        assert_eq!(status, 200, "{answer}");
        key.verify(bytes, answer["signature"].as_str().unwrap());
    }

    /// What Taquito's client makes of it: a line for the public key, and one for each operation.
    fn taquito(&self, key: &Key, operations: &[&[u8]]) -> Vec<Value> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tezos/taquito.cjs");
        let mut node = Command::new("node");
        node.env("NODE_PATH", endpoint("NODE_MODULES")).args([script, &self.url, &key.hash]);
        // It sets the first byte, the watermark, itself.
        let output = node.args(operations.iter().map(|bytes| hex::encode(&bytes[1..]))).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn refuses(&self, key: &Key, bytes: &[u8], status: u16, why: &str) {
        let (found, answer) = self.ask(key, bytes).await;
        println!("{found} {answer}");
        assert_eq!(found, status, "{answer}");
        assert!(answer[0]["msg"].as_str().unwrap().contains(why), "{answer}");
    }
}

#[tokio::test]
#[ignore = "needs KMS_ENDPOINT and NODE_MODULES, started and installed by tests/stack.sh"]
async fn a_vault_of_signatory() {
    let kms = endpoint("KMS_ENDPOINT");
    let client = KmsClient::builder().region("us-east-1").endpoint_url(&kms).static_credentials("test", "test", None);
    let client = Keys::new(client.build().await.unwrap());
    let mut keys = Vec::new();
    for new in [NewKey::p256(), NewKey::signing()] {
        keys.push(Key::new(client.create(new).await.unwrap()));
    }
    let setting = Setting::new(kms, &keys);

    let listed = setting.command().arg("list").output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    for key in &keys {
        let entry = text.split("\n\n").find(|entry| entry.contains(&key.hash)).unwrap_or_else(|| panic!("{text}"));
        println!("{entry}\n");
        for line in [
            "Vault:              AWSKMS (aws)".to_owned(),
            format!("ID:                 {}", key.info.arn()),
            "State:              Enabled".to_owned(),
            "Active:             true".to_owned(),
            "Allowed Operations: [block preattestation attestation generic]".to_owned(),
            "Allowed Kinds:      [reveal transaction]".to_owned(),
        ] {
            assert!(entry.lines().any(|found| found == line), "{line}");
        }
    }

    let vault = setting.serve().await;
    for key in &keys {
        let public_key = PublicKey::from_spki_der(key.info.spki_der().unwrap()).unwrap();
        assert_eq!(public_key.hash().to_string(), key.hash);
        let answer: Value =
            vault.http.get(format!("{}/keys/{}", vault.url, key.hash)).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer, json!({"public_key": public_key.to_string()}));
        for _ in 0..20 {
            vault.signs(key, TRANSACTION).await;
        }
        vault.refuses(key, DELEGATION, 403, "the operation delegation is not allowed").await;
        let answers = vault.taquito(key, &[TRANSACTION, DELEGATION]);
        println!("{answers:?}");
        assert_eq!(answers[0], json!({"publicKey": public_key.to_string()}));
        key.verify(TRANSACTION, answers[1]["signature"].as_str().unwrap());
        assert_eq!(answers[2]["error"], "OperationNotAuthorized");
        assert!(answers[2]["cause"].as_str().unwrap().contains("the operation delegation is not allowed"));
        assert_eq!(answers.len(), 3);
        vault.signs(key, &ATTESTATION).await;
        vault.refuses(key, &double(), 409, "another one was signed at level 20877").await;
    }
    drop(vault);

    let vault = setting.serve().await;
    for key in &keys {
        vault.refuses(key, &double(), 409, "another one was signed at level 20877").await;
        vault.signs(key, &ATTESTATION).await;
        vault.refuses(key, DELEGATION, 403, "the operation delegation is not allowed").await;
    }
}
