//! The tables of rules in the documentation hold, row by row.

use std::time::Duration;

use alloy_eips::eip7702::Authorization;
use alloy_primitives::{B256, U256};
use kms_signer::{
    ErrorKind, Result,
    guard::{Asked, Guard, Permit},
};

use super::asks::{SENDER, Timed, Tx, Typed};

const DOCUMENTATION: &str = include_str!("../../../src/guard/rules.md");

struct Section {
    /// What it shows as TOML: a rule, and what the rule allows.
    examples: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    key: String,
    rule: String,
    allowed: String,
    denied: String,
}

fn section(title: &str) -> Section {
    let text = DOCUMENTATION.split("### ").find(|section| section.starts_with(title)).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    let examples = blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect();
    let rows = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [key, _meaning, rule, allowed, denied] = cells[..] else { panic!("{line}") };
        Row { key: codes(key).remove(0), rule: lines(rule), allowed: lines(allowed), denied: lines(denied) }
    });
    let section = Section { examples, rows: rows.collect() };
    assert!(!section.rows.is_empty(), "{title}");
    section
}

/// The pieces of code in a cell.
fn codes(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn lines(cell: &str) -> String {
    codes(cell).join("\n")
}

/// A document with some of its keys set anew.
fn with(base: &str, changes: &str) -> String {
    let changed: toml::Table = changes.parse().unwrap();
    let is_kept = |line: &&str| line.split_once(" = ").is_none_or(|(key, _)| !changed.contains_key(key));
    let kept: Vec<_> = base.lines().filter(is_kept).collect();
    format!("{}\n{changes}\n", kept.join("\n"))
}

fn guard(rules: &str) -> Guard {
    Guard::from_toml(rules).unwrap_or_else(|error| panic!("{rules}\n{error}"))
}

fn assert_allowed(what: &str, result: Result<Permit>) {
    if let Err(error) = result {
        panic!("{what}: {error}");
    }
}

/// The denial names the rule, and the key of the row or, where that only allows more, the one that would have to.
fn assert_denied(row: &Row, result: Result<Permit>) {
    let key = match row.key.as_str() {
        "create" => "among to",
        "to" => "among to",
        "any" => "max_length",
        "chain_ids" if row.rule.contains("total") => "total",
        "window" => "within 1h",
        key => key,
    };
    let Err(error) = result else { panic!("{} is allowed", row.key) };
    assert_eq!(error.kind(), ErrorKind::GuardDenied);
    assert_eq!(error.rule(), Some("example"), "{error}");
    let text = error.to_string();
    assert!(text.contains("\"example\"") && text.contains(key), "{}: {text}", row.key);
}

#[test]
fn transactions() {
    let Section { examples, rows } = section("Transactions");
    let [rule, transaction] = &examples[..] else { panic!("{examples:?}") };
    assert_allowed("the example", Tx::from_toml(transaction).judge(&guard(rule)));
    for row in &rows {
        let guard = guard(&with(rule, &row.rule));
        let tx = |changes: &str| Tx::from_toml(&with(transaction, changes));
        assert_allowed(&row.key, tx(&row.allowed).judge(&guard));
        assert_denied(row, tx(&row.denied).judge(&guard));
    }
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, keys_of("TransactionRule", include_str!("../../../src/guard/rules/transaction.rs")));
}

#[test]
fn messages() {
    let rows = section("Messages").rows;
    for row in &rows {
        let guard = guard(&format!("[[messages]]\nname = \"example\"\n{}", row.rule));
        let judge = |cell: &str| {
            let message: toml::Table = cell.parse().unwrap();
            guard.judge(SENDER, &Asked::Message(message["message"].as_str().unwrap().as_bytes()))
        };
        assert_allowed(&row.key, judge(&row.allowed));
        assert_denied(row, judge(&row.denied));
    }
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, keys_of("MessageRule", include_str!("../../../src/guard/rules/message.rs")));
}

#[test]
fn typed_data() {
    let Section { examples, rows } = section("Typed data");
    let [rule, data] = &examples[..] else { panic!("{examples:?}") };
    let typed = |changes: &str| toml::from_str::<Typed>(&with(data, changes)).unwrap();
    assert_allowed("the example", typed("").judge(&guard(rule)));
    for row in &rows {
        let guard = guard(&with(rule, &row.rule));
        assert_allowed(&row.key, typed(&row.allowed).judge(&guard));
        assert_denied(row, typed(&row.denied).judge(&guard));
    }
    // A domain without a field is allowed by "any" alone.
    for (field, key) in [
        ("domain_name", "domain_names"),
        ("domain_version", "domain_versions"),
        ("chain_id", "chain_ids"),
        ("verifying_contract", "verifying_contracts"),
    ] {
        let without = typed(&format!("{field} = \"none\""));
        let error = without.judge(&guard(rule)).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
        assert_allowed(key, without.judge(&guard(&with(rule, &format!("{key} = \"any\"")))));
    }
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, keys_of("TypedDataRule", include_str!("../../../src/guard/rules/typed_data.rs")));
}

#[test]
fn authorizations() {
    let rows = section("Authorisations").rows;
    for row in &rows {
        let guard = guard(&format!("[[authorizations]]\nname = \"example\"\n{}", row.rule));
        let judge = |cell: &str| {
            let cell: toml::Table = cell.parse().unwrap();
            let chain_id = cell.get("chain_id").map_or(1, |id| id.as_integer().unwrap());
            let delegate = cell.get("delegate").map_or(SENDER, |delegate| delegate.as_str().unwrap().parse().unwrap());
            let authorization = Authorization { chain_id: U256::from(chain_id), address: delegate, nonce: 1 };
            guard.judge(SENDER, &Asked::Authorization(&authorization))
        };
        assert_allowed(&row.key, judge(&row.allowed));
        assert_denied(row, judge(&row.denied));
    }
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, keys_of("AuthorizationRule", include_str!("../../../src/guard/rules/authorization.rs")));
}

#[test]
fn blind_hashes() {
    let row = &section("Blind hashes").rows[0];
    let asked = Asked::Hash(&B256::ZERO);
    assert_eq!(guard(&row.rule).judge(SENDER, &asked).unwrap().rule(), row.key);
    let error = guard("").judge(SENDER, &asked).unwrap_err();
    assert!(error.to_string().contains(&row.key), "{error}");
}

#[test]
fn limits() {
    const EVERYTHING: &str = "
        [[transactions]]
        name = 'all'
        chain_ids = 'any'
        to = 'any'
        max_value = '100 ether'
        max_fee_per_gas = 0
        max_gas_limit = 21000
        [[limits]]
        name = 'example'
    ";
    let first = "value = '0.4 ether'\nmax_fee_per_gas = '0'\nto = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'\n";
    let rows = section("Limits").rows;
    for row in &rows {
        let judge = |cell: &str| {
            let timed = Timed::new(&format!("{EVERYTHING}{}", row.rule));
            assert!(timed.sign(&Tx::from_toml(first)));
            let (cell, minutes) = match cell.strip_prefix("after = \"") {
                Some(after) => ("", after.trim_end_matches("m\"").parse().unwrap()),
                None => (cell, 0),
            };
            let second = Tx { nonce: 1, ..Tx::from_toml(&with(first, cell)) };
            timed.set(Duration::from_secs(60 * minutes)).judge(&second)
        };
        assert_allowed(&row.key, judge(&row.allowed));
        assert_denied(row, judge(&row.denied));
    }
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, keys_of("LimitRule", include_str!("../../../src/guard/rules/limit.rs")));
}

/// The fields of a rule in its source, without its name: the table leaves none out, and keeps their order.
fn keys_of<'s>(rule: &str, source: &'s str) -> Vec<&'s str> {
    let fields = source.split(&format!("pub struct {rule} {{")).nth(1).unwrap().split("\n}").next().unwrap();
    let keys = fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next());
    keys.filter(|key| *key != "name").collect()
}
