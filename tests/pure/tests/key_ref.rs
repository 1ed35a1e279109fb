//! Key references: every form KMS takes, every refusal, and that no refusal repeats what was read.

use kms_signer::{Error, ErrorKind, KeyArn, KeyRef, Operation};

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const MRK: &str = "mrk-1234abcd12ab34cd56ef1234567890ab";

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Id,
    Arn,
    Alias,
    AliasArn,
}
use Form::{Alias, AliasArn, Arn, Id};

fn form(key: &KeyRef) -> Form {
    match key {
        KeyRef::Id(_) => Id,
        KeyRef::Arn(_) => Arn,
        KeyRef::Alias(_) => Alias,
        KeyRef::AliasArn(_) => AliasArn,
        other => panic!("no form for {other:?}"),
    }
}

#[test]
fn reads_every_form() {
    let longest_alias = format!("alias/{}", "a".repeat(250));
    let us = |resource: &str| format!("arn:aws:kms:us-east-1:111122223333:{resource}");
    for (text, expected, place, key_id) in [
        (ID.to_owned(), Id, None, Some(ID)),
        (MRK.to_owned(), Id, None, Some(MRK)),
        (ID.to_uppercase(), Id, None, Some("1234ABCD-12AB-34CD-56EF-1234567890AB")),
        ("alias/relayer".to_owned(), Alias, None, None),
        ("alias/team_1/Relayer-2".to_owned(), Alias, None, None),
        ("alias/aws/secretsmanager".to_owned(), Alias, None, None),
        ("alias/a".to_owned(), Alias, None, None),
        // A key id behind the prefix is a name like any other.
        (format!("alias/{ID}"), Alias, None, None),
        (longest_alias.clone(), Alias, None, None),
        (us(&format!("key/{ID}")), Arn, Some(("us-east-1", "111122223333")), Some(ID)),
        (us(&format!("key/{MRK}")), Arn, Some(("us-east-1", "111122223333")), Some(MRK)),
        (us("alias/relayer"), AliasArn, Some(("us-east-1", "111122223333")), None),
        (us("alias/team_1/Relayer-2"), AliasArn, Some(("us-east-1", "111122223333")), None),
        (us(&longest_alias), AliasArn, Some(("us-east-1", "111122223333")), None),
    ] {
        let key: KeyRef = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(form(&key), expected, "{text}");
        assert_eq!(key.region().zip(key.account()), place, "{text}");
        assert_eq!(key.key_id().map(|id| id.as_str()), key_id, "{text}");
        assert_eq!(key.as_arn().is_some(), expected == Arn, "{text}");
        assert_eq!(key.to_string(), text);
        assert_eq!(key.as_ref(), text);
        assert_eq!(text.parse::<KeyRef>().unwrap(), key, "{text}");
    }
}

#[test]
fn reads_any_partition_and_region() {
    for (partition, region) in [
        ("aws", "eu-central-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
        ("aws-iso-f", "us-isof-south-1"),
        ("aws-eusc", "eusc-de-east-1"),
        // Neither exists; both could tomorrow.
        ("aws-moon-2", "moon-far-side-12"),
    ] {
        let text = format!("arn:{partition}:kms:{region}:111122223333:key/{MRK}");
        let arn: KeyArn = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((arn.partition(), arn.region(), arn.account()), (partition, region, "111122223333"), "{text}");
        assert_eq!(arn.key_id().as_str(), MRK, "{text}");
        assert!(arn.is_multi_region() && arn.key_id().is_multi_region(), "{text}");
        assert_eq!(arn.to_string(), text);
        assert_eq!(KeyRef::from(arn).to_string(), text);

        let text = format!("arn:{partition}:kms:{region}:111122223333:alias/relayer");
        let Ok(KeyRef::AliasArn(arn)) = text.parse() else { panic!("{text}") };
        assert_eq!((arn.partition(), arn.region(), arn.account()), (partition, region, "111122223333"), "{text}");
        assert_eq!(arn.alias().as_str(), "alias/relayer", "{text}");
    }
}

#[test]
fn only_mrk_ids_are_multi_region() {
    for (text, expected) in [(ID, false), (MRK, true)] {
        let key: KeyRef = text.parse().unwrap();
        assert_eq!(key.key_id().unwrap().is_multi_region(), expected, "{text}");
        let arn: KeyArn = format!("arn:aws:kms:us-east-1:111122223333:key/{text}").parse().unwrap();
        assert_eq!(arn.is_multi_region(), expected, "{arn}");
    }
}

#[test]
fn refuses_everything_else_and_says_why() {
    let us = |resource: &str| format!("arn:aws:kms:us-east-1:111122223333:{resource}");
    for (text, why) in [
        (String::new(), "empty"),
        (" ".to_owned(), "white space"),
        (format!(" {ID}"), "white space"),
        (format!("{ID}\n"), "white space"),
        (format!("{ID}\r\n"), "white space"),
        ("relayer".to_owned(), "alias/"),
        ("Alias/relayer".to_owned(), "alias/"),
        ("key/1234abcd".to_owned(), "not a key reference"),
        (format!("key/{ID}"), "not a key reference"),
        (format!("{{{ID}}}"), "not a key reference"),
        (ID.replace('-', ""), "not a key reference"),
        (ID.replace('a', "g"), "not a key reference"),
        (format!("{ID}-"), "not a key reference"),
        (format!("{ID}0"), "not a key reference"),
        (ID[1..].to_owned(), "not a key reference"),
        (ID.replace('a', "\u{430}"), "not a key reference"),
        (format!("mrk-{ID}"), "multi-Region"),
        (MRK[..MRK.len() - 1].to_owned(), "multi-Region"),
        (format!("{MRK}0"), "multi-Region"),
        (MRK.to_uppercase(), "not a key reference"),
        ("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".to_owned(), "looks like an address"),
        ("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266".to_owned(), "looks like an address"),
        ("alias/".to_owned(), "1 to 250 characters"),
        (format!("alias/{}", "a".repeat(251)), "1 to 250 characters"),
        ("alias/re layer".to_owned(), "only letters"),
        ("alias/relayer\n".to_owned(), "only letters"),
        ("alias/relayer:1".to_owned(), "only letters"),
        ("alias/relayer.1".to_owned(), "only letters"),
        ("alias/r\u{e9}layer".to_owned(), "only letters"),
        ("arn:".to_owned(), "partition"),
        (format!("ARN:aws:kms:us-east-1:111122223333:key/{ID}"), "not a key reference"),
        (format!("arn:azure:kms:us-east-1:111122223333:key/{ID}"), "partition"),
        (format!("arn:AWS:kms:us-east-1:111122223333:key/{ID}"), "partition"),
        (format!("arn:aws cn:kms:us-east-1:111122223333:key/{ID}"), "partition"),
        (format!("arn::kms:us-east-1:111122223333:key/{ID}"), "partition"),
        ("arn:aws:s3:::bucket".to_owned(), "not of KMS"),
        ("arn:aws:iam::111122223333:role/signer".to_owned(), "not of KMS"),
        (format!("arn:aws:kms::111122223333:key/{ID}"), "no Region"),
        (format!("arn:aws:kms:US-EAST-1:111122223333:key/{ID}"), "no Region"),
        (format!("arn:aws:kms:us_east_1:111122223333:key/{ID}"), "no Region"),
        (format!("arn:aws:kms:*:111122223333:key/{ID}"), "no Region"),
        (format!("arn:aws:kms:us-east-1::key/{ID}"), "12 digits"),
        (format!("arn:aws:kms:us-east-1:11112222333:key/{ID}"), "12 digits"),
        (format!("arn:aws:kms:us-east-1:1111222233333:key/{ID}"), "12 digits"),
        (format!("arn:aws:kms:us-east-1:1111-2222-33:key/{ID}"), "12 digits"),
        (us("key/"), "key id"),
        (us("key/*"), "key id"),
        (us(&format!("key/{ID} ")), "key id"),
        (us(&format!("key/{ID}:1")), "key id"),
        (us(&format!("key/{ID}/1")), "key id"),
        (us(&format!("key/mrk-{ID}")), "key id"),
        (us("key/alias/relayer"), "key id"),
        (us("alias/"), "1 to 250 characters"),
        (us("alias/re layer"), "only letters"),
        (us("alias/relayer:1"), "only letters"),
        (us(&format!("alias/{}", "a".repeat(251))), "1 to 250 characters"),
        (us(ID), "neither a key nor an alias"),
        (us(&format!("Key/{ID}")), "neither a key nor an alias"),
        (us("grant/1"), "neither a key nor an alias"),
        ("arn:aws:kms:us-east-1:111122223333".to_owned(), "neither a key nor an alias"),
    ] {
        let error = text.parse::<KeyRef>().map(|key| panic!("{text:?} was read as {key:?}")).unwrap_err();
        assert_refusal(&error);
        let message = error.to_string();
        assert!(message.contains(why), "{text:?} should be refused for {why:?}: {message}");
    }
}

#[test]
fn a_key_arn_is_no_other_form() {
    for text in [ID, MRK, "alias/relayer", "arn:aws:kms:us-east-1:111122223333:alias/relayer"] {
        let error = text.parse::<KeyArn>().map(|arn| panic!("{text} was read as {arn:?}")).unwrap_err();
        assert_refusal(&error);
        assert!(error.to_string().contains("a key ARN is needed"), "{text}: {error}");
    }
}

#[test]
fn names_the_length_of_what_is_too_long() {
    for (length, why) in [(2048, "not a key reference"), (2049, "2049 characters are too many")] {
        let error = "r".repeat(length).parse::<KeyRef>().unwrap_err();
        assert_refusal(&error);
        assert!(error.to_string().contains(why), "{length}: {error}");
    }
}

/// A Region is a label of its endpoint's name, kms.<Region>.amazonaws.com, and DNS allows 63 characters (RFC 1035).
#[test]
fn a_region_is_at_most_a_dns_label() {
    let arn = |length| format!("arn:aws:kms:{}:111122223333:key/{ID}", "r".repeat(length));
    assert_eq!(arn(63).parse::<KeyRef>().unwrap().region().map(str::len), Some(63));
    let error = arn(64).parse::<KeyRef>().unwrap_err();
    assert_refusal(&error);
    assert!(error.to_string().contains("no Region"), "{error}");
}

/// People paste private keys where a key id belongs, and errors end in logs.
#[test]
fn no_refusal_repeats_a_secret() {
    const HEX: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const BASE64: &str = "rAl0vsOaF+NrpKa00jj/lEustHjL7V78rnhNe/Ty/4A=";
    const PHRASE: &str = "test test test test test test test test test test test junk";
    let pem = |label: &str| format!("-----BEGIN {label}-----\n{BASE64}\n-----END {label}-----\n");

    // What looks like a secret, and which part of it must not come back.
    let secrets = [
        (HEX.to_owned(), HEX),
        (format!("0x{HEX}"), HEX),
        (format!("0X{HEX}"), HEX),
        (HEX.to_uppercase(), HEX),
        (format!("{HEX}\n"), HEX),
        (format!("{HEX}00"), HEX),
        (BASE64.to_owned(), BASE64),
        (pem("PRIVATE KEY"), BASE64),
        (pem("EC PRIVATE KEY"), BASE64),
        (pem("ENCRYPTED PRIVATE KEY"), BASE64),
        (pem("PRIVATE KEY").replace('\n', "\\n"), BASE64),
        (PHRASE.to_owned(), "junk"),
        (format!(" {PHRASE}\n"), "junk"),
        (PHRASE.replace(' ', "\n"), "junk"),
        (PHRASE.replace(' ', ","), "junk"),
    ];
    let places: [fn(&str) -> String; 11] = [
        |secret| secret.to_owned(),
        |secret| format!("{secret}{}", "0".repeat(2048)),
        |secret| format!("mrk-{secret}"),
        |secret| format!("alias/ {secret}"),
        |secret| format!("alias/{}{secret}", "a".repeat(250)),
        |secret| format!("arn:{secret}:kms:us-east-1:111122223333:key/{ID}"),
        |secret| format!("arn:aws:{secret}:us-east-1:111122223333:key/{ID}"),
        |secret| format!("arn:aws:kms:{secret}:111122223333:key/{ID}"),
        |secret| format!("arn:aws:kms:us-east-1:{secret}:key/{ID}"),
        |secret| format!("arn:aws:kms:us-east-1:111122223333:key/{secret}"),
        |secret| format!("arn:aws:kms:us-east-1:111122223333:alias/ {secret}"),
    ];
    for (secret, telling) in &secrets {
        for text in places.map(|place| place(secret)) {
            let error = text.parse::<KeyRef>().map(|key| panic!("{text:?} was read as {key:?}")).unwrap_err();
            assert_refusal(&error);
            for shown in [format!("{error}"), format!("{error:#}"), format!("{error:?}"), format!("{error:#?}")] {
                assert!(!shown.to_lowercase().contains(&telling.to_lowercase()), "{text:?}: {shown}");
            }
        }
    }
}

#[test]
fn names_a_private_key_for_what_it_is() {
    const HEX: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    for text in [
        HEX.to_owned(),
        format!("0x{HEX}"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned(),
        "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----".to_owned(),
        "test test test test test test test test test test test junk".to_owned(),
    ] {
        let error = text.parse::<KeyRef>().unwrap_err();
        assert!(error.to_string().contains("looks like a private key"), "{text:?}: {error}");
    }
}

/// KMS allows any such name, a digest for instance; whether it is a secret, nobody can tell.
#[test]
fn an_alias_may_be_64_hexadecimal_digits() {
    let text = format!("alias/{}", "5e".repeat(32));
    assert_eq!(text.parse::<KeyRef>().unwrap().to_string(), text);
}

fn assert_refusal(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::InvalidKeyRef, "{error}");
    assert_eq!(error.operation(), Operation::ParseKeyRef, "{error}");
    assert_eq!(error.key(), None, "{error}");
    assert!(!error.is_retryable() && !error.may_have_signed(), "{error}");
    assert!(std::error::Error::source(error).is_none(), "{error}");
}
