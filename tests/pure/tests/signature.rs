//! Signatures: from what KMS returns to what Ethereum carries. Every one is recovered twice, without a table of multiples and with it.

mod warm;

use alloy_primitives::{B256, Signature, U256, b256, hex, keccak256, uint};
use k256::{
    AffinePoint, FieldBytes, ProjectivePoint, Scalar,
    ecdsa::SigningKey,
    elliptic_curve::{
        Group, PrimeField, ops::Reduce, point::AffineCoordinates, point::DecompressPoint, sec1::ToEncodedPoint,
    },
};
use kms_signer::{Error, ErrorKind, Operation, PublicKey, Result, signature, signature::V};

use self::warm::recover;

const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
/// n / 2 rounded down: EIP-2's largest s.
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// A signature that was published with its secret and digest.
struct Published {
    origin: &'static str,
    secret: B256,
    digest: B256,
    r: B256,
    s: B256,
    is_odd: bool,
}

const EIP_155: Published = Published {
    origin: "EIP-155, the example transaction: v = 37 = 35 + 2 * 1 + 0",
    secret: B256::repeat_byte(0x46),
    digest: b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"),
    r: b256!("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"),
    s: b256!("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"),
    is_odd: false,
};
const EIP_712: Published = Published {
    origin: "EIP-712, the example mail (assets/eip-712/Example.js): v = 28",
    secret: b256!("c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"),
    digest: b256!("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"),
    r: b256!("4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"),
    s: b256!("07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"),
    is_odd: true,
};
const WEB3_JS: Published = Published {
    origin: "web3.js, eth.accounts.sign('Some data', …): v = 0x1c",
    secret: b256!("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"),
    digest: b256!("1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"),
    r: b256!("b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"),
    s: b256!("6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a029"),
    is_odd: true,
};

#[test]
fn agrees_with_published_signatures() {
    for Published { origin, secret, digest, r, s, is_odd } in [EIP_155, EIP_712, WEB3_JS] {
        let key = key_of(&secret);
        let low = der(r.into(), s.into());
        let high = der(r.into(), ORDER - U256::from_be_bytes(s.0));
        for given in [&low, &high] {
            let made = recover(given, &digest, &key).unwrap_or_else(|error| panic!("{origin}: {error}"));
            assert_eq!(made, Signature::new(r.into(), s.into(), is_odd), "{origin}");
            assert_eq!(made.recover_address_from_prehash(&digest).unwrap(), key.address(), "{origin}");
            assert_eq!(signature::to_der(&made), low, "{origin}");
            assert_eq!(signature::to_compact(&made)[..], [r.0, s.0].concat(), "{origin}");
            let parity = [&r[..], &s[..], &[u8::from(is_odd)]].concat();
            let legacy = [&r[..], &s[..], &[27 + u8::from(is_odd)]].concat();
            assert_eq!(signature::to_eth_bytes(&made, V::Parity)[..], parity, "{origin}");
            assert_eq!(signature::to_eth_bytes(&made, V::Legacy)[..], legacy, "{origin}");
        }
    }
}

/// The two texts of EIP-155's example: what is hashed, and what is sent.
#[test]
fn agrees_with_the_transaction_of_eip_155() {
    let unsigned = hex!("ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080");
    let signed = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe"
        "537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
    let digest = keccak256(unsigned);
    assert_eq!(digest, EIP_155.digest);
    let made = recover(&der(EIP_155.r.into(), EIP_155.s.into()), &digest, &key_of(&EIP_155.secret)).unwrap();
    let v = 35 + 2 + u8::from(made.v());
    let end = [&[v, 0xa0][..], &made.r().to_be_bytes::<32>(), &[0xa0], &made.s().to_be_bytes::<32>()].concat();
    assert!(signed.ends_with(&end), "{}", hex::encode(end));
}

/// Ordinary signatures, of every shape of DER that KMS returns.
#[test]
fn reads_every_shape_that_kms_returns() {
    let key = SigningKey::from_bytes(&EIP_155.secret.0.into()).unwrap();
    let public_key = key_of(&EIP_155.secret);
    let mut shapes =
        [("r of 33 bytes", 0), ("r of less than 32 bytes", 0), ("s of 33 bytes", 0), ("s of less than 32 bytes", 0)];
    let mut parities = [0; 2];
    // 782 and 1795 are the first with a short r, which one in 512 has.
    for i in (0..100u32).chain([782, 1795]) {
        let digest = keccak256(i.to_be_bytes());
        let (expected, parity) = key.sign_prehash_recoverable(&digest.0).unwrap();
        let (r, s) = (U256::from_be_slice(&expected.r().to_bytes()), U256::from_be_slice(&expected.s().to_bytes()));
        for given_s in [s, ORDER - s] {
            let given = der(r, given_s);
            let made = recover(&given, &digest, &public_key)
                .unwrap_or_else(|error| panic!("{error}: {} of {digest}", hex::encode(&given)));
            let vector = || format!("{} of {digest} gave {made:?}", hex::encode(&given));
            assert_eq!(made, Signature::new(r, s, parity.is_y_odd()), "{}", vector());
            assert_eq!(made.recover_address_from_prehash(&digest).unwrap(), public_key.address(), "{}", vector());
            for ((_, count), is_shape) in shapes.iter_mut().zip([
                r.bit_len() == 256,
                r.bit_len() < 248,
                given_s.bit_len() == 256,
                given_s.bit_len() < 248,
            ]) {
                *count += usize::from(is_shape);
            }
        }
        parities[usize::from(parity.is_y_odd())] += 1;
    }
    for (shape, count) in shapes {
        assert!(count > 0, "no signature has an {shape}");
    }
    assert!(parities.iter().all(|&count| count > 0), "{parities:?}");
}

/// KMS never returns these, and they are signatures.
#[test]
fn reads_extreme_integers_and_digests() {
    let (zero, largest) = (B256::ZERO, B256::repeat_byte(0xff));
    for digest in [zero, B256::with_last_byte(5), ORDER.into(), (ORDER - uint!(5_U256)).into(), largest] {
        for k in [1u64, 2, 3, u64::MAX] {
            let point = ProjectivePoint::GENERATOR * Scalar::from(k);
            let r = U256::from_be_slice(&point.to_affine().x());
            for s in [U256::ONE, uint!(0x80_U256), HALF_ORDER, HALF_ORDER + U256::ONE, ORDER - U256::ONE] {
                let vector = format!("k = {k}, s = {s:#x}, digest = {digest}");
                let key = key_that_signs(&point, s, &digest);
                let made = recover(&der(r, s), &digest, &key).unwrap_or_else(|error| panic!("{error}: {vector}"));
                let is_high = s > HALF_ORDER;
                let is_odd = bool::from(point.to_affine().y_is_odd()) != is_high;
                let low = if is_high { ORDER - s } else { s };
                assert_eq!(made, Signature::new(r, low, is_odd), "{vector}");
                assert_eq!(made.recover_address_from_prehash(&digest).unwrap(), key.address(), "{vector}");
            }
        }
    }
}

/// With R's x-coordinate in n..p, r is x - n, and neither value of the parity leads back to R.
#[test]
fn refuses_an_x_reduced_r() {
    let digest = EIP_155.digest;
    let mut points = 0;
    for r in 1..20u64 {
        let x = FieldBytes::from((ORDER + U256::from(r)).to_be_bytes());
        for is_odd in [0, 1] {
            let Some(point) = Option::<AffinePoint>::from(AffinePoint::decompress(&x, is_odd.into())) else { continue };
            points += 1;
            for s in [U256::from(7), ORDER - U256::from(7)] {
                let vector = format!("r = {r}, s = {s:#x}, odd = {is_odd}");
                let key = key_that_signs(&point.into(), s, &digest);
                let error =
                    refused(recover(&der(U256::from(r), s), &digest, &key), ErrorKind::InvalidSignature, &vector);
                assert!(error.to_string().contains("not below n"), "{error}: {vector}");
                // The ECDSA signature is good; only Ethereum has no form for it.
                let ecdsa =
                    k256::ecdsa::Signature::from_scalars(U256::from(r).to_be_bytes::<32>(), s.to_be_bytes::<32>())
                        .unwrap();
                for parity in [false, true] {
                    let made = Signature::new(U256::from(r), U256::from(7), parity);
                    assert_ne!(made.recover_address_from_prehash(&digest).ok(), Some(key.address()), "{vector}");
                }
                use k256::ecdsa::signature::hazmat::PrehashVerifier;
                let verifier = k256::ecdsa::VerifyingKey::from_sec1_bytes(&key.to_sec1()).unwrap();
                verifier.verify_prehash(&digest.0, &ecdsa.normalize_s().unwrap_or(ecdsa)).expect(&vector);
                // r + n is no way out.
                let error = refused(
                    recover(&der(U256::from_be_bytes(x.into()), s), &digest, &key),
                    ErrorKind::InvalidSignature,
                    &vector,
                );
                assert!(error.to_string().contains("r is not between 1 and n - 1"), "{error}: {vector}");
            }
        }
    }
    assert!(points >= 10, "only {points} points");
}

#[test]
fn refuses_what_is_not_strict_der() {
    let (r, s) = (hex::encode(WEB3_JS.r), hex::encode(WEB3_JS.s));
    let (r_element, s_element) = (format!("022100{r}"), format!("0220{s}"));
    let pair = format!("{r_element}{s_element}");
    let good = format!("3045{pair}");
    let small = "020101";
    assert!(recover(&hex::decode(&good).unwrap(), &WEB3_JS.digest, &key_of(&WEB3_JS.secret)).is_ok());
    for (what, der, why) in [
        ("nothing", String::new(), "too early"),
        ("only a tag", "30".to_owned(), "too early"),
        ("an empty sequence", "3000".to_owned(), "too early"),
        ("only r", format!("3023{r_element}"), "too early"),
        ("one byte short", good[..good.len() - 2].to_owned(), "too early"),
        ("one byte short, length adjusted", format!("3044{}", &pair[..pair.len() - 2]), "too early"),
        ("a byte behind it", format!("{good}00"), "extra bytes"),
        ("a null behind it", format!("{good}0500"), "too long"),
        ("a byte inside, behind s", format!("3046{pair}00"), "extra bytes"),
        ("a third integer", format!("3009{small}{small}{small}"), "extra bytes"),
        ("a second signature", format!("3006{small}{small}3006{small}{small}"), "extra bytes"),
        ("r ‖ s, as Ethereum writes them", format!("{r}{s}"), "wrong type"),
        ("r ‖ s ‖ v", format!("{r}{s}1c"), "wrong type"),
        ("a set", format!("31{}", &good[2..]), "wrong type"),
        ("an enumerated for r", format!("30450a{}", &pair[2..]), "wrong type"),
        ("a null for s", format!("3025{r_element}0500"), "wrong type"),
        ("a sequence in a sequence", format!("30083006{small}{small}"), "wrong type"),
        ("BER: a long form of a short length", format!("308145{pair}"), "shortest form"),
        ("BER: a long form of r's length", format!("3007028101 01{small}").replace(' ', ""), "shortest form"),
        ("BER: a length with a leading zero", format!("30820006{small}{small}"), "shortest form"),
        ("BER: a length of four bytes", format!("308400000006{small}{small}"), "too large"),
        ("BER: an indefinite length", format!("3080{small}{small}0000"), "indefinite"),
        ("BER: an indefinite length of r", format!("30080280010000{small}"), "indefinite"),
        ("BER: a needless zero before s", format!("3046{r_element}022100{s}"), "needless leading zero"),
        ("BER: two zeros before r", format!("300802030000ff{small}"), "needless leading zero"),
        ("BER: a needless 0xff before a negative r", format!("30070202ff80{small}"), "negative"),
        ("an empty r", format!("30050200{small}"), "empty"),
        ("an empty s", format!("3005{small}0200"), "empty"),
        ("a negative r: its zero is missing", format!("30440220{r}{s_element}"), "negative"),
        ("a negative s", format!("3006{small}0201ff"), "negative"),
        ("r = 0", format!("3006020100{small}"), "r is not between"),
        ("s = 0", format!("3006{small}020100"), "s is not between"),
        ("r = s = 0", "3006020100020100".to_owned(), "r is not between"),
        ("r = n", format!("3026022100{ORDER:x}{small}"), "r is not between"),
        ("s = n", format!("3026{small}022100{ORDER:x}"), "s is not between"),
        ("s = n + 1", format!("3026{small}022100{:x}", ORDER + U256::ONE), "s is not between"),
        ("r of 256 ones", format!("3026022100{}{small}", "ff".repeat(32)), "r is not between"),
        ("r of 257 bits", format!("3026022101{}{small}", "00".repeat(32)), "r is not between"),
        ("s of 263 bits", format!("3026{small}02217f{}", "ff".repeat(32)), "s is not between"),
        ("r of 34 bytes", format!("30270222{}{small}", "01".repeat(34)), "r is not between"),
        ("s of 66 bytes", format!("3047{small}0242{}", "01".repeat(66)), "too long"),
        ("both of 34 bytes", format!("30480222{0}0222{0}", "01".repeat(34)), "too long"),
        ("a mebibyte", "30".repeat(1 << 20), "too long"),
    ] {
        let der = hex::decode(&der).unwrap_or_else(|error| panic!("{what}: {error}"));
        let read = recover(&der, &WEB3_JS.digest, &key_of(&WEB3_JS.secret));
        let error = refused(read, ErrorKind::InvalidSignature, what);
        assert!(error.to_string().contains(why), "{what} should be refused for {why:?}: {error}");
    }
}

#[test]
fn refuses_a_signature_of_something_else() {
    let Published { secret, digest, r, s, .. } = EIP_155;
    let (key, r, s) = (key_of(&secret), U256::from_be_bytes(r.0), U256::from_be_bytes(s.0));
    let mut other_digest = digest;
    other_digest.0[31] ^= 1;
    let one = U256::ONE;
    for (what, given, digest, key) in [
        ("another digest", der(r, s), other_digest, key.clone()),
        ("no digest", der(r, s), B256::ZERO, key.clone()),
        ("the digest hashed once more", der(r, s), keccak256(digest), key.clone()),
        ("another key", der(r, s), digest, key_of(&EIP_712.secret)),
        ("the key with the other y", der(r, s), digest, negated(&key)),
        ("another key, high s", der(r, ORDER - s), digest, key_of(&EIP_712.secret)),
        ("another signature", der(EIP_712.r.into(), EIP_712.s.into()), digest, key.clone()),
        ("r and s exchanged", der(s, r), digest, key.clone()),
        ("r one more", der(r + one, s), digest, key.clone()),
        ("r negated", der(ORDER - r, s), digest, key.clone()),
        ("s one more", der(r, s + one), digest, key.clone()),
        ("s one less", der(r, s - one), digest, key.clone()),
        ("r = s = 1", der(one, one), digest, key.clone()),
        ("r = 1", der(one, s), digest, key.clone()),
        ("s = 1", der(r, one), digest, key.clone()),
        ("r = n - 1", der(ORDER - one, s), digest, key.clone()),
        ("s = n - 1", der(r, ORDER - one), digest, key.clone()),
        ("r = s = n - 1", der(ORDER - one, ORDER - one), digest, key.clone()),
        ("r = s = n - 1, no digest", der(ORDER - one, ORDER - one), B256::ZERO, key.clone()),
        ("R at infinity", der(r, s), at_infinity(r, &secret), key.clone()),
    ] {
        let error = refused(recover(&given, &digest, &key), ErrorKind::SignatureMismatch, what);
        // Neither the digest nor the signature is anybody's business who reads a log.
        for shown in [format!("{error}"), format!("{error:?}")] {
            for secret in
                [hex::encode(&digest[..4]), format!("{r:x}")[..8].to_owned(), format!("{s:x}")[..8].to_owned()]
            {
                assert!(!shown.contains(&secret), "{what}: {shown}");
            }
        }
    }
    assert!(recover(&der(r, s), &digest, &key).is_ok());
}

#[test]
fn writes_the_shortest_der() {
    let integer = |text: &str| text.parse::<U256>().unwrap();
    for (r, s, expected) in [
        ("1", "1", "3006020101020101".to_owned()),
        ("0x7f", "0x80", "300702017f02020080".to_owned()),
        ("0x100", "0xff00", "300902020100020300ff00".to_owned()),
        (
            "0x00000000000000000000000000000000000000000000000000000000deadbeef",
            "2",
            "300a020500deadbeef020102".to_owned(),
        ),
    ] {
        let signature = Signature::new(integer(r), integer(s), true);
        assert_eq!(hex::encode(signature::to_der(&signature)), expected, "{r} {s}");
        assert_eq!(signature::to_der(&signature.with_parity(false)), signature::to_der(&signature), "{r} {s}");
    }
    let largest = Signature::new(ORDER - U256::ONE, ORDER - U256::ONE, false);
    assert_eq!(signature::to_der(&largest).len(), 72);
}

/// alloy reads back what is written, in both forms of v.
#[test]
fn alloy_reads_what_is_written() {
    for is_odd in [false, true] {
        let signature = Signature::new(EIP_712.r.into(), EIP_712.s.into(), is_odd);
        for v in [V::Parity, V::Legacy] {
            let bytes = signature::to_eth_bytes(&signature, v);
            assert_eq!(Signature::from_raw_array(&bytes).unwrap(), signature, "{v:?}");
        }
        let compact = signature::to_compact(&signature);
        assert_eq!(Signature::from_bytes_and_parity(&compact, is_odd), signature);
    }
}

/// DER written without the code under test.
fn der(r: U256, s: U256) -> Vec<u8> {
    let integer = |value: U256| {
        let length = value.bit_len() / 8 + 1;
        let bytes = [&[0][..], &value.to_be_bytes::<32>()].concat();
        [&[0x02, length as u8][..], &bytes[33 - length..]].concat()
    };
    let pair = [integer(r), integer(s)].concat();
    [&[0x30, pair.len() as u8][..], &pair].concat()
}

fn key_of(secret: &B256) -> PublicKey {
    let key = SigningKey::from_bytes(&secret.0.into()).unwrap();
    PublicKey::from_sec1(key.verifying_key().to_encoded_point(true).as_bytes()).unwrap()
}

/// The key under which (R's x-coordinate, s) signs the digest: Q = r⁻¹·(s·R − z·G).
fn key_that_signs(point: &ProjectivePoint, s: U256, digest: &B256) -> PublicKey {
    let r = <Scalar as Reduce<k256::U256>>::reduce_bytes(&point.to_affine().x());
    let z = <Scalar as Reduce<k256::U256>>::reduce_bytes(&digest.0.into());
    let s = Scalar::from_repr(s.to_be_bytes().into()).unwrap();
    let key = (*point * s - ProjectivePoint::GENERATOR * z) * r.invert().unwrap();
    assert!(!bool::from(key.is_identity()));
    PublicKey::from_sec1(key.to_affine().to_encoded_point(true).as_bytes()).unwrap()
}

/// The digest z = −r·d, with which zG + rQ is the point at infinity.
fn at_infinity(r: U256, secret: &B256) -> B256 {
    let [r, d] = [r.into(), *secret].map(|number: B256| Scalar::from_repr(number.0.into()).unwrap());
    B256::new((-(r * d)).to_repr().into())
}

fn negated(key: &PublicKey) -> PublicKey {
    let mut sec1 = key.to_sec1();
    sec1[0] ^= 1;
    PublicKey::from_sec1(&sec1).unwrap()
}

#[track_caller]
fn refused(read: Result<Signature>, kind: ErrorKind, what: &str) -> Error {
    let error = read.map(|signature| panic!("{what} gave {signature:?}")).unwrap_err();
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert_eq!(error.operation(), Operation::Recover, "{what}: {error}");
    assert!(error.key().is_none() && !error.is_retryable() && !error.may_have_signed(), "{what}: {error:?}");
    error
}
