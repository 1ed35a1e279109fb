//! Reading an encrypted keystore file, after a look at what it asks for: the file chooses how much memory and time that takes.

use std::{fs::File, io::Read, path::Path};

use eth_keystore::KeystoreError;
use serde::Deserialize;
use zeroize::Zeroizing;

/// In bytes. One of version 3 has some 500.
const MAX_FILE: u64 = 64 * 1024;
/// What scrypt may take, in bytes: four times what is usual.
const MAX_MEMORY: u64 = 1 << 30;
/// How often scrypt may go through its memory, and the rounds of PBKDF2: some forty times what is usual.
const MAX_PARALLEL: u64 = 16;
const MAX_ROUNDS: u64 = 10_000_000;

#[derive(Deserialize)]
struct Keystore {
    version: u64,
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

/// Those of scrypt and those of PBKDF2.
#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    salt: String,
    n: Option<u64>,
    r: Option<u64>,
    p: Option<u64>,
    c: Option<u64>,
    prf: Option<String>,
}

/// The secret in the file. An error says nothing of what is in it.
pub(super) fn decrypt(path: &Path, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(|error| format!("the file cannot be opened: {error}"))?;
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| format!("the file cannot be read: {error}"))?;
    // serde's own text would repeat what it found, which may be a secret.
    let keystore: Keystore =
        serde_json::from_str(&text).map_err(|error| format!("it is no keystore (line {})", error.line()))?;
    keystore.check()?;
    eth_keystore::decrypt_key(path, password).map(Zeroizing::new).map_err(|error| match error {
        KeystoreError::MacMismatch => "the password is wrong, or the file was changed".to_owned(),
        _ => "it is no keystore of version 3".to_owned(),
    })
}

impl Keystore {
    fn check(&self) -> Result<(), String> {
        let Crypto { cipher, cipherparams, ciphertext, kdf, kdfparams, mac } = &self.crypto;
        let is_hex = |text: &str, bytes: usize| text.len() == 2 * bytes && text.bytes().all(|b| b.is_ascii_hexdigit());
        let is_salt = kdfparams.salt.len() <= 128 && kdfparams.salt.bytes().all(|b| b.is_ascii_hexdigit());
        if self.version != 3 || cipher != "aes-128-ctr" {
            return Err("only keystores of version 3 with aes-128-ctr can be read".to_owned());
        }
        if !is_hex(&cipherparams.iv, 16) || !is_hex(ciphertext, 32) || !is_hex(mac, 32) || !is_salt {
            return Err("its iv, ciphertext, mac or salt has another length than that of a private key's".to_owned());
        }
        let is_possible = kdfparams.dklen == 32
            && match kdf.as_str() {
                "scrypt" => kdfparams.is_scrypt(),
                "pbkdf2" => kdfparams.is_pbkdf2(),
                _ => false,
            };
        is_possible.then_some(()).ok_or_else(|| "its key derivation is unknown, or asks for too much".to_owned())
    }
}

impl KdfParams {
    fn is_scrypt(&self) -> bool {
        let (Some(n), Some(r), Some(p)) = (self.n, self.r, self.p) else { return false };
        let memory = n.checked_mul(r).and_then(|blocks| blocks.checked_mul(128));
        n.is_power_of_two()
            && n > 1
            && r > 0
            && (1..=MAX_PARALLEL).contains(&p)
            && memory.is_some_and(|memory| memory <= MAX_MEMORY)
    }

    fn is_pbkdf2(&self) -> bool {
        self.prf.as_deref() == Some("hmac-sha256") && self.c.is_some_and(|rounds| (1..=MAX_ROUNDS).contains(&rounds))
    }
}
