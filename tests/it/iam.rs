//! The policy documents: as files, and what they allow.
//!
//! `UPDATE_POLICIES=1` rewrites the files in `tests/it/iam/`.

mod evaluate;

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use alloy_primitives::Address;
use kms_signer::{
    ErrorKind, KeyArn, KeyRef,
    iam::{Account, IamPolicy, KeyPolicy, Principal, SigningAlgorithm, TrustPolicy},
};
use serde_json::Value;

use self::evaluate::{Policy, Request};
use crate::assert_kind;

const PARTITIONS: [(&str, &str); 3] = [("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")];
const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";

#[test]
fn every_document_is_as_in_its_file() {
    let mut different = Vec::new();
    for (partition, region) in PARTITIONS {
        for (name, text, _) in documents(partition, region) {
            let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/iam"))
                .join(partition)
                .join(format!("{name}.json"));
            let text = text + "\n";
            if env::var_os("UPDATE_POLICIES").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                different.push(path);
            }
        }
    }
    assert!(different.is_empty(), "UPDATE_POLICIES=1 renews these, if that is meant: {different:#?}");
}

#[test]
fn every_document_is_one_for_aws() {
    for (partition, region) in PARTITIONS {
        for (name, text, compact) in documents(partition, region) {
            let document: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(document, serde_json::from_str::<Value>(&compact).unwrap(), "{name}");
            assert_eq!(document["Version"], "2012-10-17", "{name}");
            assert!(!compact.contains(['\n', ' ']) || name == "key_manager", "{name}: {compact}");
            assert!(compact.len() < 6144, "{name} has {} characters", compact.len());
            let mut sids = BTreeSet::new();
            for statement in document["Statement"].as_array().unwrap() {
                let sid = statement["Sid"].as_str().unwrap();
                assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric()) && sids.insert(sid), "{name}: {sid}");
                for action in evaluate::strings(&statement["Action"]) {
                    let is_root = sid == "EnableIamPolicies" && name.starts_with("key_policy");
                    assert!(!action.contains('*') || is_root, "{name}: {action}");
                }
                for principal in evaluate::strings(&statement["Principal"]["AWS"]) {
                    assert!(principal.starts_with(&format!("arn:{partition}:")), "{name}: {principal}");
                    assert!(!principal.contains('*'), "{name}: {principal}");
                }
                assert_eq!(name.starts_with("trust"), statement["Resource"].is_null(), "{name}");
                for resource in evaluate::strings(&statement["Resource"]) {
                    assert!(
                        resource == "*" || resource.starts_with(&format!("arn:{partition}:")),
                        "{name}: {resource}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_signer_has_two_actions() {
    let root = Account::new("aws", OWN).unwrap();
    let key_policy = KeyPolicy::builder(root).signer(role("aws", OWN, "relayer")).build().unwrap();
    let of_keys = IamPolicy::signer([key("aws", "us-east-1")]).unwrap();
    let KeyRef::AliasArn(alias) = "arn:aws:kms:us-east-1:111122223333:alias/relayer".parse().unwrap() else { panic!() };
    for text in [key_policy.to_json(), of_keys.to_json(), IamPolicy::signer_by_alias(&alias).to_json()] {
        let document: Value = serde_json::from_str(&text).unwrap();
        let statements = document["Statement"].as_array().unwrap().iter();
        let actions: Vec<_> = statements
            .filter(|statement| statement["Sid"] != "EnableIamPolicies")
            .flat_map(|statement| evaluate::strings(&statement["Action"]))
            .collect();
        assert_eq!(actions, ["kms:GetPublicKey", "kms:Sign"]);
    }
}

#[test]
fn a_signer_may_sign_digests_with_its_key_and_no_more() {
    let key = key("aws", "us-east-1").to_string();
    let policy = Policy::parse(&IamPolicy::signer([key.parse().unwrap()]).unwrap().to_json());
    let sign = |message_type, algorithm| {
        let request = Request::new("kms:Sign", &key).with("kms:MessageType", message_type);
        policy.allows(&request.with("kms:SigningAlgorithm", algorithm))
    };
    assert!(sign("DIGEST", "ECDSA_SHA_256"));
    assert!(!sign("RAW", "ECDSA_SHA_256"));
    assert!(!sign("DIGEST", "ED25519_PH_SHA_512"));
    assert!(policy.allows(&Request::new("kms:GetPublicKey", &key)));
    assert!(!policy.allows(&Request::new("kms:GetPublicKey", &key.replace("1234abcd", "ffff0000"))));
    assert!(!policy.allows(&Request::new("kms:DescribeKey", &key)));

    let ed25519 = IamPolicy::signer_with(SigningAlgorithm::Ed25519Sha512, [key.parse().unwrap()]).unwrap();
    let request = Request::new("kms:Sign", &key).with("kms:MessageType", "RAW");
    assert!(Policy::parse(&ed25519.to_json()).allows(&request.with("kms:SigningAlgorithm", "ED25519_SHA_512")));
}

#[test]
fn a_key_manager_manages_its_own_and_never_deletes_or_signs() {
    let account = Account::new("aws", OWN).unwrap();
    let builder = IamPolicy::key_manager(account, "team", "wallets")
        .alias_prefix("alias/wallets/")
        .grantee(role("aws", OWN, "relayer"))
        .replica_region("eu-west-1");
    let strict = Policy::parse(&builder.clone().build().unwrap().to_json());
    let with_policies = Policy::parse(&builder.clone().key_policies().build().unwrap().to_json());
    let with_imports = Policy::parse(&builder.imports().build().unwrap().to_json());

    let key = key("aws", "us-east-1").to_string();
    let on_own = |action| Request::new(action, &key).with("aws:ResourceTag/team", "wallets");
    let on_others = |action| Request::new(action, &key).with("aws:ResourceTag/team", "treasury");
    let create_of =
        |tag, origin| Request::new("kms:CreateKey", "*").with("aws:RequestTag/team", tag).with("kms:KeyOrigin", origin);
    let create = |tag| create_of(tag, "AWS_KMS");
    let tag = |request: Request, keys: &[&str], value| {
        request.with_all("aws:TagKeys", keys).with("aws:RequestTag/team", value)
    };
    let alias = |action, name| Request::new(action, &format!("arn:aws:kms:us-east-1:{OWN}:alias/{name}"));
    let grant = |operations: &[&str], grantee| {
        on_own("kms:CreateGrant").with_all("kms:GrantOperations", operations).with("kms:GranteePrincipal", grantee)
    };
    let relayer = role("aws", OWN, "relayer").to_string();

    for request in [
        create("wallets"),
        tag(Request::new("kms:TagResource", &key), &["team", "name"], "wallets"),
        on_own("kms:TagResource").with_all("aws:TagKeys", &["name"]),
        on_own("kms:UntagResource").with_all("aws:TagKeys", &["name"]),
        on_own("kms:DescribeKey"),
        on_own("kms:GetPublicKey"),
        on_own("kms:ListResourceTags"),
        on_own("kms:DisableKey"),
        on_own("kms:EnableKey"),
        on_own("kms:CreateAlias"),
        on_own("kms:UpdateAlias"),
        alias("kms:CreateAlias", "wallets/1"),
        alias("kms:UpdateAlias", "wallets/1"),
        grant(&["GetPublicKey", "Sign"], &relayer),
        on_own("kms:RevokeGrant"),
        on_own("kms:ReplicateKey").with("kms:ReplicaRegion", "eu-west-1"),
        Request::new("kms:ListKeys", "*"),
        Request::new("kms:ListAliases", "*"),
    ] {
        for policy in [&strict, &with_policies, &with_imports] {
            assert!(policy.allows(&request), "{request:?}");
        }
    }
    for request in [
        create_of("wallets", "EXTERNAL"),
        on_own("kms:GetParametersForImport"),
        on_own("kms:ImportKeyMaterial").with("kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"),
    ] {
        assert!(with_imports.allows(&request) && !strict.allows(&request), "{request:?}");
    }
    for request in [
        Request::new("kms:CreateKey", "*"),
        create("treasury"),
        create("wallets").with("kms:BypassPolicyLockoutSafetyCheck", "true"),
        on_own("kms:PutKeyPolicy").with("kms:BypassPolicyLockoutSafetyCheck", "true"),
        on_own("kms:Sign"),
        on_own("kms:ScheduleKeyDeletion"),
        on_own("kms:DeleteImportedKeyMaterial"),
        on_own("kms:ImportKeyMaterial").with("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"),
        alias("kms:DeleteAlias", "wallets/1"),
        alias("kms:UpdateAlias", "treasury/1"),
        Request::new("kms:UpdateAlias", &key),
        Request::new("kms:DescribeKey", &key),
        Request::new("kms:DisableKey", &key),
        on_others("kms:DisableKey"),
        tag(on_others("kms:TagResource"), &["team"], "wallets"),
        tag(on_own("kms:TagResource"), &["team"], "treasury"),
        tag(on_own("kms:TagResource"), &["TEAM"], "treasury"),
        on_own("kms:UntagResource").with_all("aws:TagKeys", &["team"]),
        on_own("kms:UntagResource").with_all("aws:TagKeys", &["name", "Team"]),
        on_others("kms:UntagResource").with_all("aws:TagKeys", &["name"]),
        grant(&["Sign", "CreateGrant"], &relayer),
        grant(&["Sign"], "arn:aws:iam::444455556666:root"),
        on_own("kms:ReplicateKey").with("kms:ReplicaRegion", "us-west-2"),
    ] {
        for policy in [&strict, &with_policies, &with_imports] {
            assert!(!policy.allows(&request), "{request:?}");
        }
    }
    assert!(!strict.allows(&on_own("kms:PutKeyPolicy")));
    assert!(with_policies.allows(&on_own("kms:PutKeyPolicy")));
    assert!(!with_policies.allows(&on_others("kms:PutKeyPolicy")));

    // Another policy of the same role does not lift what is denied.
    let account = Account::new("aws", OWN).unwrap();
    let both = IamPolicy::key_manager(account, "team", "wallets").build().unwrap();
    let both = Policy::parse(&both.and(IamPolicy::signer([key.parse().unwrap()]).unwrap()).to_json());
    let sign = on_own("kms:Sign").with("kms:MessageType", "DIGEST").with("kms:SigningAlgorithm", "ECDSA_SHA_256");
    assert!(!both.allows(&sign));
    assert!(!both.allows(&grant(&["Sign"], &relayer)), "grants are allowed to named grantees only");
}

#[test]
fn a_manager_of_one_key_spec_leaves_the_others_alone() {
    let account = Account::new("aws", OWN).unwrap();
    let policy = IamPolicy::key_manager(account, "team", "wallets").key_spec("ECC_SECG_P256K1").build().unwrap();
    let policy = Policy::parse(&policy.to_json());
    let key = key("aws", "us-east-1").to_string();
    let create =
        Request::new("kms:CreateKey", "*").with("aws:RequestTag/team", "wallets").with("kms:KeyOrigin", "AWS_KMS");
    let disable = Request::new("kms:DisableKey", &key).with("aws:ResourceTag/team", "wallets");
    for request in [create, disable] {
        assert!(policy.allows(&request.clone().with("kms:KeySpec", "ECC_SECG_P256K1")), "{request:?}");
        assert!(!policy.allows(&request.clone().with("kms:KeySpec", "SYMMETRIC_DEFAULT")), "{request:?}");
    }
}

#[test]
fn what_is_said_of_a_multi_region_key_can_be_said_of_its_replicas() {
    let single = key("aws", "us-east-1").to_string();
    let multi = format!("arn:aws:kms:us-east-1:{OWN}:key/mrk-1234abcd12ab34cd56ef1234567890ab");
    let keys = [&single, &multi].map(|text| text.parse().unwrap());
    let policy = Policy::parse(&IamPolicy::signer(keys).unwrap().in_every_region().to_json());
    for (arn, allowed) in [
        (multi.clone(), true),
        (multi.replace("us-east-1", "eu-west-1"), true),
        (multi.replace(OWN, OTHER), false),
        (single.clone(), true),
        (single.replace("us-east-1", "eu-west-1"), false),
    ] {
        assert_eq!(policy.allows(&Request::new("kms:GetPublicKey", &arn)), allowed, "{arn}");
    }
}

#[test]
fn sids_stay_unique_when_policies_are_joined() {
    let signer = || IamPolicy::signer([key("aws", "us-east-1")]).unwrap();
    let document: Value = serde_json::from_str(&signer().and(signer()).and(signer()).to_json()).unwrap();
    let statements = document["Statement"].as_array().unwrap().iter();
    let sids: Vec<_> = statements.map(|statement| statement["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids, ["ReadPublicKey", "Sign", "ReadPublicKey2", "Sign2", "ReadPublicKey3", "Sign3"]);
}

#[test]
fn principals_are_read_strictly() {
    for text in [
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/alice@example.com",
        "arn:aws-cn:iam::111122223333:role/service/deep/relayer",
        "arn:aws-iso-b:iam::111122223333:role/relayer",
        "arn:aws-eusc:iam::111122223333:role/relayer",
        "arn:aws-us-gov:sts::111122223333:assumed-role/relayer/session-1",
        "arn:aws:sts::111122223333:federated-user/bob",
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef",
    ] {
        let principal: Principal = text.parse().unwrap();
        assert_eq!(principal.to_string(), text);
        assert_eq!(principal.account(), OWN);
        assert!(text.starts_with(&format!("arn:{}:", principal.partition())));
        assert_eq!(principal.is_account_root(), text.ends_with(":root"));
    }
    let long = format!("arn:aws:iam::111122223333:role/{}", "a".repeat(65));
    for (text, says) in [
        ("", "named by its ARN"),
        ("*", "wildcard"),
        ("arn:aws:iam::*:root", "wildcard"),
        ("arn:aws:iam::111122223333:role/*", "wildcard"),
        ("arn:aws:sts::111122223333:assumed-role/relayer/?", "wildcard"),
        ("111122223333", "arn:<partition>:iam::<account>:root"),
        ("lambda.amazonaws.com", "service"),
        ("AROAEXAMPLEID", "unique id"),
        (" arn:aws:iam::111122223333:root", "white space"),
        ("relayer", "named by its ARN"),
        ("arn:gcp:iam::111122223333:root", "partition"),
        ("arn:aws:iam::1111:root", "12 digits"),
        ("arn:aws:iam:us-east-1:111122223333:root", "Region"),
        ("arn:aws:iam::111122223333:rooted", "of no principal"),
        ("arn:aws:iam::111122223333:root/x", "of no principal"),
        ("arn:aws:iam::111122223333:group/admins", "group"),
        ("arn:aws:iam::111122223333:instance-profile/x", "instance profile"),
        ("arn:aws:iam::111122223333:role/", "no name"),
        ("arn:aws:iam::111122223333:role/a b", "no name"),
        ("arn:aws:iam::111122223333:role/a:b", "no name"),
        (&long, "no name"),
        ("arn:aws:sts::111122223333:assumed-role/relayer", "session"),
        ("arn:aws:sts::111122223333:assumed-role/relayer/a/b", "no name"),
        ("arn:aws:sts::111122223333:role/relayer", "of no principal"),
        ("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "Region"),
    ] {
        let error = text.parse::<Principal>().unwrap_err();
        assert_kind(&error, ErrorKind::Config);
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn policies_that_could_not_work_are_refused() {
    let account = || Account::new("aws", OWN).unwrap();
    let own = || role("aws", OWN, "relayer");
    let key_policy = || KeyPolicy::builder(account());
    let manager = |key: &str, value: &str| IamPolicy::key_manager(account(), key, value);
    let many = |count: usize| (0..count).fold(key_policy(), |b, i| b.signer(role("aws", OWN, &format!("signer-{i}"))));
    let errors = [
        ("external signer", key_policy().signer(role("aws", OTHER, "x")).build().err()),
        ("external signer", key_policy().administrator(role("aws-cn", OWN, "x")).build().err()),
        ("own account", key_policy().external_signer(own()).build().err()),
        ("another partition", key_policy().external_signer(role("aws-cn", OTHER, "x")).build().err()),
        ("administrator", key_policy().signer(own()).without_account_root().build().err()),
        ("bytes", many(600).build().err()),
        ("no key", IamPolicy::signer([]).err()),
        ("no key", IamPolicy::encryptor([]).err()),
        ("no key", IamPolicy::sealer([]).err()),
        ("no key", IamPolicy::opener([], [Address::ZERO]).err()),
        ("tag key", manager("", "x").build().err()),
        ("tag key", manager("AWS:x", "x").build().err()),
        ("tag key", manager("a*", "x").build().err()),
        ("value", manager("team", "").build().err()),
        ("value", manager("team", "${aws:username}").build().err()),
        ("alias prefix", manager("team", "x").alias_prefix("wallets/").build().err()),
        ("alias prefix", manager("team", "x").alias_prefix("alias/").build().err()),
        ("alias prefix", manager("team", "x").alias_prefix("alias/*").build().err()),
        ("alias prefix", manager("team", "x").alias_prefix("alias/aws/s3").build().err()),
        ("key spec", manager("team", "x").key_spec("secp256k1").build().err()),
        ("Region", manager("team", "x").replica_region("*").build().err()),
        ("partition", manager("team", "x").grantee(role("aws-cn", OWN, "x")).build().err()),
        ("external id", TrustPolicy::new(own()).external_id("1").err()),
        ("external id", TrustPolicy::new(own()).external_id("${aws:PrincipalTag/x}").err()),
        ("12 digits", Account::new("aws", "1").err()),
        ("partition", Account::new("AWS", OWN).err()),
        ("partition", Account::new("aws:x", OWN).err()),
    ];
    for (index, (says, error)) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("number {index} ({says}) is accepted"));
        assert_kind(&error, ErrorKind::Config);
        assert!(error.to_string().contains(says), "{index}: {error}");
    }
    assert!(many(100).build().is_ok());
    let closed = key_policy().administrator(own()).without_account_root().build().unwrap();
    assert!(!closed.to_json().contains("kms:*"));
}

/// Every kind of document: its name, its text over several lines and its shortest.
fn documents(partition: &str, region: &str) -> Vec<(&'static str, String, String)> {
    let account = Account::new(partition, OWN).unwrap();
    let key = key(partition, region);
    let own = |name: &str| role(partition, OWN, name);
    let key_policy = || KeyPolicy::builder(&key).administrator(own("key-admin"));
    let signing = key_policy()
        .signer(own("relayer"))
        .signer(own("validator"))
        .external_signer(role(partition, OTHER, "treasury"))
        .grantor(own("wallet-service"));
    let alias = format!("arn:{partition}:kms:{region}:{OWN}:alias/relayer");
    let KeyRef::AliasArn(alias) = alias.parse().unwrap() else { panic!("{alias} is no alias ARN") };
    let trust = TrustPolicy::new(role(partition, OTHER, "service")).external_id("customer-17").unwrap();
    let manager = IamPolicy::key_manager(&key, "managed-by", "wallet-service")
        .alias_prefix("alias/wallets/")
        .key_spec("ECC_SECG_P256K1")
        .grantee(own("relayer"))
        .replica_region(region);
    macro_rules! documents {
        ($($name:literal: $document:expr),* $(,)?) => {
            vec![$({ let document = $document; ($name, document.to_string(), document.to_json()) }),*]
        };
    }
    documents! {
        "key_policy_signing": signing.build().unwrap(),
        "key_policy_encryption": key_policy().encryptor(own("vault")).build().unwrap(),
        "key_policy_without_root": key_policy().signer(own("relayer")).without_account_root().build().unwrap(),
        "signer": IamPolicy::signer([key.clone()]).unwrap(),
        "signer_by_alias": IamPolicy::signer_by_alias(&alias),
        "encryptor": IamPolicy::encryptor([key.clone()]).unwrap(),
        "sealer": IamPolicy::sealer([key.clone()]).unwrap(),
        "opener": IamPolicy::opener([key.clone()], [Address::repeat_byte(0x11)]).unwrap(),
        "lister": IamPolicy::lister(&account),
        "key_manager": manager.build().unwrap(),
        "trust": trust,
    }
}

fn role(partition: &str, account: &str, name: &str) -> Principal {
    format!("arn:{partition}:iam::{account}:role/{name}").parse().unwrap()
}

fn key(partition: &str, region: &str) -> KeyArn {
    format!("arn:{partition}:kms:{region}:{OWN}:key/1234abcd-12ab-34cd-56ef-1234567890ab").parse().unwrap()
}
