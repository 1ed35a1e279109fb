//! Public keys: what is read, what is written, what is refused and why.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

use alloy_primitives::{Address, address, hex, keccak256};
use kms_signer::{Error, ErrorKind, Operation, PublicKey, Result};

/// What OpenSSL wrote; see `tests/vectors/README.md`.
macro_rules! openssl {
    ($name:literal) => {
        include_str!(concat!("../../vectors/openssl/", $name, ".pem"))
    };
}

/// Keys whose secrets are public, with the addresses that their origins state.
const KNOWN: [(&str, &str, Address); 5] = [
    (
        openssl!("secp256k1-one"),
        openssl!("secp256k1-one-compressed"),
        address!("7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
    ),
    (openssl!("secp256k1-hardhat-0"), openssl!("secp256k1-hardhat-0-compressed"), HARDHAT_0),
    (
        openssl!("secp256k1-hardhat-1"),
        openssl!("secp256k1-hardhat-1-compressed"),
        address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    ),
    (
        openssl!("secp256k1-eip-155"),
        openssl!("secp256k1-eip-155-compressed"),
        address!("9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"),
    ),
    (
        openssl!("secp256k1-eip-712"),
        openssl!("secp256k1-eip-712-compressed"),
        address!("CD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"),
    ),
];
const HARDHAT_0: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

const PEM: &str = openssl!("secp256k1-hardhat-0");
const X: &str = "8318535b54105d4a7aae60c08fc45f9687181b4fdfc625bd1a753fa7397fed75";
const Y: &str = "3547f11ca8696646f2f3acb08e31016afac23e630c5d11f59f61fef57b0d2aa5";
/// id-ecPublicKey and secp256k1: the algorithm of every SPKI that is accepted.
const ALGORITHM: &str = "301006072a8648ce3d020106052b8104000a";

#[test]
fn agrees_with_openssl_and_with_known_addresses() {
    for (uncompressed, compressed, address) in KNOWN {
        let key = PublicKey::from_spki_pem(uncompressed).unwrap_or_else(|error| panic!("{address}: {error}"));
        assert_eq!(key.address(), address, "{uncompressed}");
        assert_eq!(key.to_spki_pem(), uncompressed);
        assert_eq!(key, PublicKey::from_spki_pem(compressed).unwrap(), "{compressed}");
    }
    assert_eq!(
        PublicKey::from_spki_pem(PEM).unwrap().to_sec1_uncompressed()[..],
        hex::decode(format!("04{X}{Y}")).unwrap()
    );
}

#[test]
fn every_encoding_gives_the_same_key() {
    for (pem, _, address) in KNOWN {
        let key = PublicKey::from_spki_pem(pem).unwrap();
        let (compressed, uncompressed) = (key.to_sec1(), key.to_sec1_uncompressed());
        for (encoding, read) in [
            ("SEC 1, compressed", PublicKey::from_sec1(&compressed)),
            ("SEC 1, uncompressed", PublicKey::from_sec1(&uncompressed)),
            ("SPKI DER", PublicKey::from_spki_der(&key.to_spki_der())),
            ("SPKI DER, compressed", PublicKey::from_spki_der(&spki(ALGORITHM, &hex::encode(compressed)))),
            ("SPKI PEM", PublicKey::from_spki_pem(&key.to_spki_pem())),
        ] {
            assert_eq!(read.unwrap_or_else(|error| panic!("{address}: {encoding}: {error}")), key, "{encoding}");
        }
    }
}

#[test]
fn has_the_lengths_and_forms_that_its_documentation_states() {
    for (pem, _, address) in KNOWN {
        let key = PublicKey::from_spki_pem(pem).unwrap();
        let (compressed, uncompressed, der) = (key.to_sec1(), key.to_sec1_uncompressed(), key.to_spki_der());
        assert_eq!(der.len(), 88, "{address}");
        assert_eq!(spki(ALGORITHM, &hex::encode(compressed)).len(), 56, "{address}");
        assert_eq!(der, spki(ALGORITHM, &hex::encode(uncompressed)), "{address}");
        assert_eq!(uncompressed[0], 4, "{address}");
        assert_eq!(compressed[0], 2 + (uncompressed[64] & 1), "{address}");
        assert_eq!(compressed[1..], uncompressed[1..33], "{address}");
        assert_eq!(key.address()[..], keccak256(&uncompressed[1..])[12..], "{address}");
        assert_eq!(key.to_spki_pem().lines().map(str::len).collect::<Vec<_>>(), [26, 64, 56, 24], "{address}");
        assert!(key.to_spki_pem().ends_with("-----END PUBLIC KEY-----\n"), "{address}");
        assert_eq!(format!("{key:?}"), format!("PublicKey({})", hex::encode(compressed)));
    }
}

#[test]
fn keys_are_equal_by_their_point() {
    let hash = |key: &PublicKey| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    };
    for (i, (a, _, _)) in KNOWN.into_iter().enumerate() {
        for (j, (_, b, _)) in KNOWN.into_iter().enumerate() {
            let (a, b) = (PublicKey::from_spki_pem(a).unwrap(), PublicKey::from_spki_pem(b).unwrap());
            assert_eq!(a == b, i == j, "{a:?} {b:?}");
            assert_eq!(hash(&a) == hash(&b), i == j, "{a:?} {b:?}");
        }
    }
    // Same x, other y.
    let (even, odd) = (sec1(&format!("02{X}")).unwrap(), sec1(&format!("03{X}")).unwrap());
    assert_ne!(even, odd);
    assert_ne!(even.address(), odd.address());
    assert_eq!(odd.address(), HARDHAT_0);
}

#[test]
fn a_key_can_be_shared_between_threads() {
    fn check<T: Clone + Send + Sync + Unpin + 'static>() {}
    check::<PublicKey>();
}

#[test]
fn names_the_other_kinds_of_keys() {
    for (pem, name) in [
        (openssl!("p256"), "on P-256"),
        (openssl!("p384"), "on P-384"),
        (openssl!("p521"), "on P-521"),
        (openssl!("sm2"), "on SM2"),
        (openssl!("p224"), "on another curve"),
        (openssl!("brainpool-p256r1"), "on another curve"),
        (openssl!("rsa-2048"), "an RSA key"),
        (openssl!("rsa-4096"), "an RSA key"),
        (openssl!("ed25519"), "an Ed25519 key"),
        (openssl!("x25519"), "of another kind"),
    ] {
        assert_unsuitable(PublicKey::from_spki_pem(pem), name);
    }
    // Keys that KMS has and the OpenSSL of the vectors had not: NIST's object identifiers, with zeros for the key.
    for (node, length, name) in
        [("11", 1312, "an ML-DSA-44 key"), ("12", 1952, "an ML-DSA-65 key"), ("13", 2592, "an ML-DSA-87 key")]
    {
        let der = spki(&format!("300b06096086480165030403{node}"), &"00".repeat(length));
        assert_unsuitable(PublicKey::from_spki_der(&der), name);
    }
}

#[track_caller]
fn assert_unsuitable(read: Result<PublicKey>, name: &str) {
    let error = refused(read, ErrorKind::KeyUnsuitable, name);
    for text in [&format!("the key is {name};"), "secp256k1", "KeySpec ECC_SECG_P256K1 and KeyUsage SIGN_VERIFY"] {
        assert!(error.to_string().contains(text), "{text:?} is missing: {error}");
    }
}

#[test]
fn refuses_spki_that_is_not_what_kms_writes() {
    let point = format!("04{X}{Y}");
    let good = hex::encode(spki(ALGORITHM, &point));
    assert_eq!(PublicKey::from_spki_der(&hex::decode(&good).unwrap()).unwrap().address(), HARDHAT_0);
    let null = "301206072a8648ce3d020106052b8104000a0500";
    let no_curve = "300906072a8648ce3d0201";
    let null_curve = "300b06072a8648ce3d02010500";
    for (what, der, why) in [
        ("nothing", String::new(), "too early"),
        ("only a header", "3056".to_owned(), "too early"),
        ("one byte short", good[..good.len() - 2].to_owned(), "too early"),
        ("a byte behind it", format!("{good}00"), "extra bytes"),
        ("two keys", format!("{good}{good}"), "extra bytes"),
        ("a byte inside, behind the bit string", format!("3057{}00", &good[4..]), "extra bytes"),
        ("a set instead of a sequence", format!("31{}", &good[2..]), "wrong type"),
        ("an octet string instead of a bit string", good.replace("034200", "044200"), "wrong type"),
        ("only the point", point.clone(), "wrong type"),
        ("BER: a long form of a short length", format!("3081{}", &good[2..]), "shortest form"),
        ("BER: a length with a leading zero", format!("30820056{}", &good[4..]), "shortest form"),
        ("BER: a length of three bytes", format!("3083000056{}", &good[4..]), "too large"),
        ("BER: an indefinite length", format!("3080{}0000", &good[4..]), "indefinite"),
        ("a null behind the curve", hex::encode(spki(null, &point)), "extra bytes"),
        ("no curve", hex::encode(spki(no_curve, &point)), "not named"),
        ("null for the curve", hex::encode(spki(null_curve, &point)), "not named"),
        ("an unused bit in the bit string", good.replace("034200", "034201"), "whole number of bytes"),
        ("eight unused bits in the bit string", good.replace("034200", "034208"), "whole number of bytes"),
        ("an empty bit string", format!("3014{ALGORITHM}0300"), "whole number of bytes"),
        ("a bit string of no bits", hex::encode(spki(ALGORITHM, "")), "SEC 1"),
        ("the point at infinity", hex::encode(spki(ALGORITHM, "00")), "SEC 1"),
        ("a hybrid point", hex::encode(spki(ALGORITHM, &format!("07{X}{Y}"))), "SEC 1"),
        ("a point off the curve", hex::encode(spki(ALGORITHM, &format!("04{Y}{X}"))), "not on secp256k1"),
    ] {
        let der = hex::decode(&der).unwrap();
        let error = refused(PublicKey::from_spki_der(&der), ErrorKind::InvalidPublicKey, what);
        assert!(error.to_string().contains(why), "{what} should be refused for {why:?}: {error}");
    }
    for (pem, why) in [
        // RFC 5480, section 2.1.1 forbids curve parameters in place of the name, even the right ones.
        (openssl!("secp256k1-hardhat-0-explicit"), "not named"),
        (openssl!("secp256k1-hardhat-0-hybrid"), "SEC 1"),
    ] {
        let error = refused(PublicKey::from_spki_pem(pem), ErrorKind::InvalidPublicKey, pem);
        assert!(error.to_string().contains(why), "{pem} should be refused for {why:?}: {error}");
    }
}

#[test]
fn refuses_what_is_no_sec1_point() {
    // A point with x = 1 and one with y = 1: there, p + 1 still fits 32 bytes and must not pass for 1.
    let one = format!("{:064x}", 1);
    let p_plus_one = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30";
    let x_is_one = hex::encode(sec1(&format!("02{one}")).unwrap().to_sec1_uncompressed());
    let y_is_one = format!("041fe1e5ef3fceb5c135ab7741333ce5a6e80d68167653f6b2b24bcbcfaaaff507{one}");
    assert!(sec1(&y_is_one).is_ok());
    for (what, point, why) in [
        ("nothing", String::new(), "SEC 1"),
        ("the point at infinity", "00".to_owned(), "SEC 1"),
        ("33 zeros", "00".repeat(33), "SEC 1"),
        ("65 zeros", "00".repeat(65), "SEC 1"),
        ("only x", X.to_owned(), "SEC 1"),
        ("x and y without their tag", format!("{X}{Y}"), "SEC 1"),
        ("a tag alone", "04".to_owned(), "SEC 1"),
        ("uncompressed, one byte short", format!("04{X}{}", &Y[2..]), "SEC 1"),
        ("uncompressed, one byte more", format!("04{X}{Y}00"), "SEC 1"),
        ("compressed, one byte short", format!("03{}", &X[2..]), "SEC 1"),
        ("compressed, one byte more", format!("03{X}00"), "SEC 1"),
        ("compressed length, uncompressed tag", format!("04{X}"), "SEC 1"),
        ("uncompressed length, compressed tag", format!("03{X}{Y}"), "SEC 1"),
        ("compact", format!("05{X}"), "SEC 1"),
        ("hybrid, even", format!("06{X}{Y}"), "SEC 1"),
        ("hybrid, odd", format!("07{X}{Y}"), "SEC 1"),
        ("x and y exchanged", format!("04{Y}{X}"), "not on secp256k1"),
        ("y one too high", format!("04{X}{}6", &Y[..63]), "not on secp256k1"),
        ("(0, 0)", format!("04{}", "00".repeat(64)), "not on secp256k1"),
        ("x = 0, to which no y belongs", format!("02{}", "00".repeat(32)), "not on secp256k1"),
        ("x = 5, to which no y belongs", format!("02{:064x}", 5), "not on secp256k1"),
        ("x not below p, compressed", format!("02{p_plus_one}"), "not on secp256k1"),
        ("x not below p", x_is_one.replacen(&one, p_plus_one, 1), "not on secp256k1"),
        ("y not below p", y_is_one.replacen(&one, p_plus_one, 1), "not on secp256k1"),
    ] {
        let error = refused(sec1(&point), ErrorKind::InvalidPublicKey, what);
        assert!(error.to_string().contains(why), "{what} should be refused for {why:?}: {error}");
    }
}

#[test]
fn reads_pem_with_any_line_ends_and_space_around() {
    for (what, pem) in [
        ("as it is written", PEM.to_owned()),
        ("no line end at the end", PEM.trim_end().to_owned()),
        ("two line ends at the end", format!("{PEM}\n")),
        ("CRLF", PEM.replace('\n', "\r\n")),
        ("CRLF, none at the end", PEM.trim_end().replace('\n', "\r\n")),
        ("CRLF and LF mixed", PEM.replacen('\n', "\r\n", 2)),
        ("space around", format!(" \t\r\n\n{PEM}\r\n \t")),
    ] {
        let key = PublicKey::from_spki_pem(&pem).unwrap_or_else(|error| panic!("{what}: {error}: {pem:?}"));
        assert_eq!(key.address(), HARDHAT_0, "{what}: {pem:?}");
    }
}

#[test]
fn refuses_every_other_pem() {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----\n";
    const END: &str = "-----END PUBLIC KEY-----\n";
    let body = PEM.strip_prefix(BEGIN).unwrap().strip_suffix(END).unwrap();
    let base64 = body.replace('\n', "");
    let lines = |width: usize| {
        let lines = base64.as_bytes().chunks(width).map(|line| format!("{}\n", str::from_utf8(line).unwrap()));
        format!("{BEGIN}{}{END}", lines.collect::<String>())
    };
    assert_eq!(lines(64), PEM);
    let label = |label: &str| PEM.replace("PUBLIC KEY", label);
    let spaced = format!("{} {}", &body[..10], &body[10..]);
    for (what, pem, why) in [
        ("nothing", String::new(), "not a PEM"),
        ("white space", " \r\n".to_owned(), "not a PEM"),
        ("base64 without a frame, as the AWS CLI prints it", base64.clone(), "not a PEM"),
        ("text before BEGIN", format!("Key of the relayer\n{PEM}"), "not a PEM"),
        ("text behind END", format!("{PEM}# relayer\n"), "not a PEM"),
        ("a byte order mark", format!("\u{feff}{PEM}"), "not a PEM"),
        ("a no-break space around", format!("\u{a0}{PEM}"), "not a PEM"),
        ("no END line", PEM.replace(END, ""), "not a PEM"),
        ("no BEGIN line", PEM.replace(BEGIN, ""), "not a PEM"),
        ("four dashes", PEM.replace("-----", "----"), "not a PEM"),
        ("END of another label", PEM.replace("END PUBLIC", "END RSA PUBLIC"), "not a PEM"),
        ("another label", label("CERTIFICATE"), "not a PEM"),
        ("PKCS #1's label", label("RSA PUBLIC KEY"), "not a PEM"),
        ("lower case", label("public key"), "not a PEM"),
        ("a private key's label", label("PRIVATE KEY"), "private key"),
        ("SEC 1's private key's label", label("EC PRIVATE KEY"), "private key"),
        ("an encrypted private key's label", label("ENCRYPTED PRIVATE KEY"), "private key"),
        ("a private key behind it", format!("{PEM}{}", label("EC PRIVATE KEY")), "private key"),
        ("two keys", format!("{PEM}{PEM}"), "64 characters"),
        ("two keys with an empty line between", format!("{PEM}\n{PEM}"), "64 characters"),
        ("only a frame", format!("{BEGIN}{END}"), "END line"),
        ("an empty line for a key", format!("{BEGIN}\n{END}"), "64 characters"),
        ("an empty line before the key", format!("{BEGIN}\n{body}{END}"), "64 characters"),
        ("an empty line in the key", PEM.replacen("\nGn", "\n\nGn", 1), "64 characters"),
        ("an empty line behind the key", format!("{BEGIN}{body}\n{END}"), "64 characters"),
        ("a header", format!("{BEGIN}Proc-Type: 4,ENCRYPTED\n\n{body}{END}"), "64 characters"),
        ("all on one line", PEM.replace('\n', ""), "BEGIN line"),
        ("all on one line, with spaces", PEM.replace('\n', " "), "BEGIN line"),
        ("line ends written out", PEM.replace('\n', "\\n"), "not a PEM"),
        ("line ends of old Macs", PEM.trim_end().replace('\n', "\r"), "BEGIN line"),
        ("space behind BEGIN", PEM.replacen('\n', " \n", 1), "BEGIN line"),
        ("END behind the key on its line", format!("{BEGIN}{}{END}", body.trim_end()), "END line"),
        ("lines of 63 characters", lines(63), "64 characters"),
        ("lines of 65 characters", lines(65), "64 characters"),
        ("lines of 76 characters", lines(76), "64 characters"),
        ("one long line", lines(120), "64 characters"),
        ("a short line in the middle", format!("{BEGIN}{}\n{}{END}", &body[..63], &body[63..]), "64 characters"),
        ("space inside", format!("{BEGIN}{spaced}{END}"), "64 characters"),
        ("space inside, of the right length", PEM.replacen("MFYw", "MFY ", 1), "not base64"),
        ("space before a line", PEM.replacen("\nGn", "\n Gn", 1), "not base64"),
        ("space behind a line", PEM.replacen("==\n", "== \n", 1), "not base64"),
        ("a carriage return inside", PEM.replacen("GnU", "Gn\rU", 1), "not base64"),
        ("no padding", PEM.replace("==", ""), "not base64"),
        ("half the padding", PEM.replace("==", "="), "not base64"),
        ("padding alone on the last line", PEM.replace("==", "\n=="), "64 characters"),
        ("too much padding", PEM.replace("==", "==="), "not base64"),
        ("bits behind the last byte", PEM.replace("pQ==", "pR=="), "not base64"),
        ("the alphabet of base64url", PEM.replace('/', "_"), "not base64"),
        ("a letter that is not ASCII", PEM.replacen("MFYw", "MF\u{dd}", 1), "not base64"),
        ("a byte behind the DER", PEM.replace("pQ==", "pQA="), "extra bytes"),
        ("the last byte missing", PEM.replace("pQ==", ""), "too early"),
        ("too long", format!("{PEM}{}", " ".repeat(8192)), "too long"),
    ] {
        let error = refused(PublicKey::from_spki_pem(&pem), ErrorKind::InvalidPublicKey, what);
        assert!(error.to_string().contains(why), "{what} should be refused for {why:?}: {error}\n{pem:?}");
    }
}

/// A private key pasted for a public one must not end in a log.
#[test]
fn no_refusal_repeats_what_was_read() {
    let secret = "rAl0vsOaF+NrpKa00jj/lEustHjL7V78rnhNe/Ty/4A=";
    let sec1_secret = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    let pem = |label: &str| format!("-----BEGIN {label}-----\n{secret}\n-----END {label}-----\n");
    for error in [
        PublicKey::from_spki_pem(secret).unwrap_err(),
        PublicKey::from_spki_pem(&pem("PUBLIC KEY")).unwrap_err(),
        PublicKey::from_spki_pem(&pem("PRIVATE KEY")).unwrap_err(),
        PublicKey::from_spki_pem(&pem("EC PRIVATE KEY")).unwrap_err(),
        PublicKey::from_spki_pem(&format!("{}{}", pem("PUBLIC KEY"), pem("EC PRIVATE KEY"))).unwrap_err(),
        PublicKey::from_spki_der(&sec1_secret).unwrap_err(),
        PublicKey::from_sec1(&sec1_secret).unwrap_err(),
    ] {
        for shown in [format!("{error}"), format!("{error:?}")] {
            for telling in [&secret[..8], "ac0974be", "[172, 9, 116"] {
                assert!(!shown.to_lowercase().contains(&telling.to_lowercase()), "{shown}");
            }
        }
    }
}

/// A `SubjectPublicKeyInfo` of an algorithm and a point, both in hex.
fn spki(algorithm: &str, point: &str) -> Vec<u8> {
    let bits = element(0x03, &[&[0], &hex::decode(point).unwrap()[..]].concat());
    element(0x30, &[hex::decode(algorithm).unwrap(), bits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u16::try_from(content.len()).unwrap().to_be_bytes() {
        [0, short @ 0..0x80] => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &length, content].concat()
}

fn sec1(point: &str) -> Result<PublicKey> {
    PublicKey::from_sec1(&hex::decode(point).unwrap())
}

#[track_caller]
fn refused(read: Result<PublicKey>, kind: ErrorKind, what: &str) -> Error {
    let error = read.map(|key| panic!("{what} was read as {key:?}")).unwrap_err();
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert_eq!(error.operation(), Operation::ParsePublicKey, "{what}: {error}");
    assert!(error.key().is_none() && !error.is_retryable() && !error.may_have_signed(), "{what}: {error:?}");
    error
}
