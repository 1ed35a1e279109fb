//! Rules from text: what is read, and what is said of mistakes.

use alloy_consensus::TxType;
use alloy_primitives::{Address, U256, address};
use kms_signer::{
    ErrorKind,
    guard::{Allow, Guard, LimitRule, MessageRule, Rules, TransactionRule},
};
use proptest::prelude::*;

const RULES: &str = r#"
allow_blind_hashes = true

[[transactions]]
name = "usdc"
chain_ids = [1, 10]
to = ["0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"]
calls = ["transfer(address,uint256)", "0x095ea7b3", "none"]
max_value = 21000
max_fee_per_gas = "30.5 gwei"
max_gas_limit = 100000
types = ["eip1559"]

[[messages]]
name = "log in"
prefixes = ["Log in: "]

[[limits]]
name = "a day's"
window = "1day 12h"
per_recipient = "1 ether"
"#;

#[test]
fn toml_json_and_code_say_the_same() {
    let mut transaction = TransactionRule::new("usdc");
    transaction.chain_ids = Allow::from([1u64, 10]);
    transaction.to = Allow::from([address!("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")]);
    transaction.calls =
        Allow::Only(["transfer(address,uint256)", "0x095ea7b3", "none"].map(|call| call.parse().unwrap()).into());
    transaction.max_value = U256::from(21_000);
    transaction.max_fee_per_gas = 30_500_000_000;
    transaction.max_gas_limit = 100_000;
    transaction.types = vec![TxType::Eip1559];
    let mut message = MessageRule::new("log in");
    message.prefixes = vec!["Log in: ".to_owned()];
    let mut limit = LimitRule::new("a day's", std::time::Duration::from_secs(36 * 60 * 60));
    limit.per_recipient = Some(U256::from(10).pow(U256::from(18)));
    let mut rules = Rules::default();
    rules.transactions.push(transaction);
    rules.messages.push(message);
    rules.limits.push(limit);
    rules.allow_blind_hashes = true;

    assert_eq!(Rules::from_toml(RULES).unwrap(), rules);
    let json = serde_json::to_string(&RULES.parse::<toml::Table>().unwrap()).unwrap();
    assert_eq!(Rules::from_json(&json).unwrap(), rules);
    Guard::new(rules).unwrap();
}

#[test]
fn no_rules_allow_nothing() {
    for rules in [Rules::from_toml("").unwrap(), Rules::from_json("{}").unwrap()] {
        assert_eq!(rules, Rules::default());
    }
}

#[test]
fn a_mistake_is_told_with_its_line_and_key() {
    // What is changed in the rules above, and what the error says.
    for (from, to, expected) in [
        (
            "max_value = 21000",
            "max_valu = 21000",
            &["line 9", "transactions[0].max_valu", "unknown field", "max_value"][..],
        ),
        ("max_value = 21000", "max_value = -1", &["line 9", "transactions[0].max_value", "not negative"]),
        ("max_value = 21000", "max_value = \"1 eth\"", &["line 9", "transactions[0].max_value", "0.5 ether"]),
        ("max_value = 21000", "max_value = 0.5", &["line 9", "transactions[0].max_value", "0.5 ether"]),
        ("\"30.5 gwei\"", "\"1000000000000000000000000000000 gwei\"", &["line 10", "max_fee_per_gas", "128 bits"]),
        ("max_gas_limit = 100000\n", "", &["line 4", "transactions[0]", "missing field `max_gas_limit`"]),
        ("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "0xA0b8", &["line 7", "transactions[0].to", "40 hexadecimal"]),
        ("chain_ids = [1, 10]", "chain_ids = \"all\"", &["line 6", "transactions[0].chain_ids", "\"any\""]),
        ("chain_ids = [1, 10]", "chain_ids = []", &["line 4", "transactions", "\"usdc\" allows no chain_ids"]),
        ("transfer(address,uint256)", "transfer", &["line 8", "transactions[0].calls[0]", "is no function"]),
        ("\"eip1559\"", "\"1559\"", &["line 12", "transactions[0].types", "eip1559"]),
        ("1day 12h", "a day", &["line 20", "limits[0].window", "24h"]),
        ("1day 12h", "0s", &["line 18", "limits", "\"a day's\"", "shorter than a second"]),
        ("prefixes = [\"Log in: \"]", "prefixes = [\"\"]", &["line 14", "messages", "empty prefix"]),
        ("prefixes = [\"Log in: \"]", "", &["line 14", "messages", "\"log in\" allows no message"]),
        ("[[limits]]", "[[limit]]", &["line 18", "limit", "unknown field", "limits"]),
        ("[[limits]]", "[[limits", &["line 18"]),
        ("name = \"log in\"", "name = \"\"", &["line 14", "messages", "no name"]),
        ("name = \"log in\"", "name = \"usdc\"", &["two rules have the name \"usdc\""]),
        ("name = \"log in\"", "name = \"allow_blind_hashes\"", &["records use it"]),
        (
            "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eb48",
            &["line 7", "transactions[0].to", "EIP-55"],
        ),
        ("[[messages]]", "[[messages]]\nname = \"log in\"\nany = true\n[[messages]]", &["two rules", "\"log in\""]),
        ("allow_blind_hashes = true", "allow_blind_hashes = 1", &["line 2", "allow_blind_hashes"]),
    ] {
        assert!(RULES.contains(from), "{from}");
        let error = Rules::from_toml(&RULES.replace(from, to)).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(text.starts_with("reading the rules: "), "{text}");
        for part in expected {
            assert!(text.contains(part), "{from} -> {to}: {part:?} is not in: {text}");
        }
    }
}

#[test]
fn a_mistake_in_json_is_told_with_its_line_and_key() {
    for (json, expected) in [
        (
            "{\n\"transactions\": [{\"name\": \"a\",\n\"chains\": [1]}]}",
            &["line 3", "transactions[0].chains", "unknown field"][..],
        ),
        ("{\n\"messages\": [{\"name\": \"a\", \"any\": 1}]}", &["line 2", "messages[0].any"]),
        ("{\"messages\": []", &["line 1"]),
        ("{} {}", &["line 1", "trailing"]),
        ("[1]", &["line 1"]),
        ("", &["line 1"]),
    ] {
        let text = Rules::from_json(json).unwrap_err().to_string();
        for part in expected {
            assert!(text.contains(part), "{json}: {part:?} is not in: {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// Rules are files that people edit: whatever becomes of one, it is read or refused with a line.
    #[test]
    fn no_text_makes_it_panic(at in 0..RULES.len(), cut in 0usize..20, put in "\\PC{0,12}") {
        let end = (at + cut).min(RULES.len());
        prop_assume!(RULES.is_char_boundary(at) && RULES.is_char_boundary(end));
        let text = format!("{}{put}{}", &RULES[..at], &RULES[end..]);
        if let Err(error) = Rules::from_toml(&text) {
            prop_assert!(error.to_string().contains("line "), "{}", error);
        }
        let _ = Rules::from_json(&text);
    }
}

#[test]
fn rules_of_every_kind_are_checked() {
    const RULES: [&str; 8] = [
        "[[messages]]\nname = 'a'\nany = true\nexact = ['x']",
        "[[typed_data]]\nname = 'a'\ndomain_names = []\ndomain_versions = 'any'\nchain_ids = [1]\nverifying_contracts = 'any'\nprimary_types = 'any'",
        "[[typed_data]]\nname = 'a'\ndomain_names = 'any'\ndomain_versions = 'any'\nchain_ids = [1]\nverifying_contracts = 'any'\nprimary_types = []",
        "[[authorizations]]\nname = 'a'\nchain_ids = []\ndelegates = 'any'",
        "[[authorizations]]\nname = 'a'\nchain_ids = [1]\ndelegates = []",
        "[[limits]]\nname = 'a'\nwindow = '1h'",
        "[[limits]]\nname = 'a'\nwindow = '367days'\ntotal = 1",
        "[[limits]]\nname = 'a'\nwindow = '1h'\ntotal = 1\nchain_ids = []",
    ];
    let said = [
        "any and a list",
        "domain_names",
        "primary_types",
        "chain_ids",
        "delegates",
        "limits nothing",
        "a year",
        "chain_ids",
    ];
    for (rules, said) in RULES.into_iter().zip(said) {
        let text = Rules::from_toml(rules).unwrap_err().to_string();
        assert!(text.contains("line 1") && text.contains("\"a\"") && text.contains(said), "{text}");
    }
}

#[test]
fn rules_made_in_code_are_checked_too() {
    let rule = |change: fn(&mut TransactionRule)| {
        let mut rule = TransactionRule::new("pay");
        rule.chain_ids = Allow::from([1u64]);
        rule.to = Allow::from([Address::ZERO]);
        rule.max_gas_limit = 21_000;
        change(&mut rule);
        let mut rules = Rules::default();
        rules.transactions.push(rule);
        Guard::new(rules).map_err(|error| error.to_string())
    };
    rule(|_| {}).unwrap();
    for (change, expected) in [
        ((|rule| rule.chain_ids = Allow::default()) as fn(&mut TransactionRule), "chain_ids"),
        (|rule| rule.to = Allow::default(), "recipient"),
        (|rule| rule.calls = Allow::default(), "calls"),
        (|rule| rule.types.clear(), "types"),
        (|rule| rule.max_gas_limit = 0, "max_gas_limit"),
        (|rule| rule.max_blobs = 1, "max_fee_per_blob_gas"),
        (|rule| (rule.max_blobs, rule.max_fee_per_blob_gas) = (1, 1), "eip4844"),
        (|rule| rule.max_authorizations = 1, "eip7702"),
        (|rule| rule.name.clear(), "name"),
    ] {
        let error = rule(change).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
