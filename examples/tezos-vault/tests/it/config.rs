//! The configuration: Signatory's documented files load, and what is not supported is named.

use super::*;

/// `docs/aws_kms.md`, with values in the place of `{…}` (the hash is one of `docs/start.md`), and an anchor for the alias that it uses.
const AWS_KMS: &str = "
server:
  address: :6732
  utility_address: :9583
  authorized_keys:
    - &authorized_key edpkujLb5ZCZ2gprnRzE9aVHKZfx9A8EtWu2xxkwYSjBUJbesJ9rWE
vaults:
  # Name is used to identify backend during import process
  awskms:
    driver: awskms
    config:
      user_name: signatory
      access_key_id: AKIAIOSFODNN7EXAMPLE
      secret_access_key: wJalrXUtnFEMI
      region: us-east-2
# This section is for public key hashes to define what is activated IRL
tezos:
  # Default policy allows \"block\" and \"attestation\" operations
  tz3VfoCwiQyMNYnaseFLFAjN9AQJQnhvddjG:
    log_payloads: true
    allowed_operations:
      # List of [generic, block, attestation, preattestation]
      - generic
      - block
      - attestation
      - preattestation
    allowed_kinds:
      - transaction
      - attestation
      - reveal
      - delegation
    authorized_keys:
      # Allow sign operation only for clients specified below. Same syntax as `server/authorized_key`
      - *authorized_key
";

/// `docs/start.md`, the example for AWS KMS, without the access key, which is optional.
const START: &str = "
server:
  # Address for the main HTTP server to listen on
  address: :6732
  # Address for the utility HTTP server (for Prometheus metrics) to listen on
  utility_address: :9583

vaults:
  # Name is used to identify backend during import process

  # AWS KMS backend
  aws:
    driver: awskms
    config:
      region: us-west-2

tezos:
  # tz3 key example
  tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N:
    allow:
      block:
      attestation:          # Tag 21 (when DAL unavailable: node offline, syncing, or no shards)
      preattestation:       # Tag 20 (always needed)
      attestation_with_dal: # Tag 23 (when DAL content present and node operational) - tz1/tz2/tz3 only, NOT tz4
      failing_noop:
      generic:
        - delegation
        - transaction
";

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn documented_files_load() {
    let config = Config::parse(AWS_KMS).unwrap();
    let key = &config.keys[&"tz3VfoCwiQyMNYnaseFLFAjN9AQJQnhvddjG".parse().unwrap()];
    assert_eq!(names(key.policy.operations()), "block preattestation attestation generic");
    assert_eq!(names(key.policy.kinds()), "attestation delegation reveal transaction");
    assert!(key.log_payloads);
    assert_eq!(key.callers, config.callers);
    let vault = &config.vaults[0];
    assert_eq!((vault.name.as_str(), vault.region.as_deref()), ("awskms", Some("us-east-2")));
    assert_eq!(vault.credentials.as_ref().unwrap().access_key_id, "AKIAIOSFODNN7EXAMPLE");
    assert!(!format!("{config:?}").contains("wJalr"));
    assert_eq!(config.base_dir.to_str(), Some("/var/lib/signatory"));

    let config = Config::parse(START).unwrap();
    let key = &config.keys[&"tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N".parse().unwrap()];
    assert_eq!(names(key.policy.operations()), "block preattestation attestation attestation_with_dal generic");
    assert_eq!(names(key.policy.kinds()), "delegation failing_noop transaction");
    assert!(config.vaults[0].credentials.is_none() && config.callers.is_none());
    // Without a host it is this machine only, and the reader is told.
    assert_eq!(config.address.to_string(), "127.0.0.1:6732");
    assert_eq!(config.utility_address.to_string(), "127.0.0.1:9583");
    assert!(config.warnings[0].starts_with("line 4: server.address: :6732 names no host"), "{:?}", config.warnings);

    Config::parse(include_str!("../../signatory.yaml")).unwrap();
}

#[test]
fn what_is_not_supported_is_named_with_its_line() {
    let vaults = "vaults: {aws: {driver: awskms}}\n";
    let tezos = |rules: &str| format!("{vaults}tezos:\n  tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N:\n{rules}");
    for (text, error) in [
        (format!("{vaults}server:\n  jwt:\n    users:\n"), "line 3: server.jwt: this is not supported"),
        (format!("{vaults}policy_hook:\n  address: x\n"), "line 2: policy_hook: this is not supported"),
        (format!("{vaults}watermark:\n  driver: aws\n"), "line 3: watermark.driver: aws is not supported: file or mem"),
        (
            "vaults:\n  kms:\n    driver: cloudkms\n".to_owned(),
            "line 3: vaults.kms.driver: the driver cloudkms is not supported: awskms",
        ),
        (
            "vaults:\n  aws:\n    driver: awskms\n    config:\n      zone: x\n".to_owned(),
            "line 5: vaults.aws.config.zone: this is not supported",
        ),
        (
            "vaults:\n  aws:\n    driver: awskms\n    config:\n      access_key_id: x\n".to_owned(),
            "line 2: vaults.aws: access_key_id and secret_access_key belong together",
        ),
        ("vaults:\n  aws:\n    config:\n".to_owned(), "line 2: vaults.aws: driver is missing"),
        (String::new(), "there are no vaults"),
        (format!("{vaults}server:\n  address: 6732\n"), "line 3: server.address: \"6732\" is no address"),
        (
            format!("{vaults}server:\n  address: example.org:1\n"),
            "line 3: server.address: \"example.org:1\" is no address",
        ),
        (
            format!("{vaults}server:\n  authorized_keys:\n    - edpk\n"),
            "line 4: server.authorized_keys: this is no public key",
        ),
        (format!("{vaults}tezos:\n  tz3:\n"), "line 3: tezos.tz3: this is no public key hash"),
        (
            tezos("    jwt_users: [a]\n"),
            "line 4: tezos.tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N.jwt_users: this is not supported",
        ),
        (tezos("    allow_proof_of_possession: true\n"), "allow_proof_of_possession: this is not supported"),
        (tezos("    log_payloads: maybe\n"), "log_payloads: true or false is expected"),
        (
            tezos("    allow:\n      transaction:\n"),
            "line 5: tezos.tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N.allow.transaction: this is no kind of request",
        ),
        (
            tezos("    allow:\n      generic:\n        - block\n"),
            "line 6: tezos.tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N.allow.generic: block is no kind of operation",
        ),
        (tezos("    allowed_operations: [transaction]\n"), "transaction is no kind of request"),
        (tezos("    allowed_chains: [main]\n"), "this is no chain id"),
    ] {
        let found = Config::parse(&text).unwrap_err();
        assert!(found.contains(error), "{found}\n{error}");
    }
}

#[test]
fn the_rules_of_a_key() {
    let rules = |rules: &str| {
        let text =
            format!("vaults: {{aws: {{driver: awskms}}}}\ntezos: {{tz3MhmeqpudUqEX8PYTbNDF3CVcnnjNQoo8N: {rules}}}\n");
        let key = Config::parse(&text).unwrap().keys.into_values().next().unwrap();
        format!("[{}] [{}]", names(key.policy.operations()), names(key.policy.kinds()))
    };
    assert_eq!(rules(""), "[block preattestation attestation] []");
    assert_eq!(rules("{log_payloads: yes}"), "[] []");
    assert_eq!(rules("{allow: }"), "[] []");
    assert_eq!(rules("{allowed_operations: [endorsement, preendorsement]}"), "[preattestation attestation] []");
    // `allow` goes before the older words.
    assert_eq!(rules("{allow: {block: }, allowed_operations: [generic], allowed_kinds: [reveal]}"), "[block] []");
    assert_eq!(
        rules("{allow: {generic: [\"ballot:yay\", stake]}, allow_proof_of_possession: false}"),
        "[generic] [ballot:yay stake]"
    );
}

/// What is not named is not allowed, however the lists are written.
#[test]
fn lists_allow_no_more_than_they_name() {
    use kms_signer::tezos::Request;

    let check = |rules: &str, bytes: &[u8]| {
        let text = format!(
            "tezos: {{tz3VfoCwiQyMNYnaseFLFAjN9AQJQnhvddjG: {rules}}}\nvaults: {{a: {{driver: awskms, config: {{region: us-east-1}}}}}}"
        );
        let config = Config::parse(&text).unwrap();
        let key = config.keys.values().next().unwrap();
        key.policy.check(&Request::parse(bytes).unwrap()).is_ok()
    };
    for (rules, transaction, attestation) in [
        ("", false, true),
        ("{allowed_operations: [generic], allowed_kinds: [transaction]}", true, false),
        // `failing_noop` stands for a generic request, and for nothing else in one.
        ("{allowed_operations: [failing_noop], allowed_kinds: [transaction]}", false, false),
        ("{allowed_operations: [attestation]}", false, true),
        ("{allowed_operations: [attestation], allowed_chains: []}", false, false),
        ("{allowed_operations: [attestation], allowed_chains: [NetXxkAx4woPLyu]}", false, true),
        ("{allowed_operations: [attestation], allowed_chains: [NetXdQprcVkpaWU]}", false, false),
    ] {
        assert_eq!((check(rules, TRANSACTION), check(rules, &ATTESTATION)), (transaction, attestation), "{rules}");
    }
}
