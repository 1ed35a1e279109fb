//! `Cargo.toml`, `lib.rs` and the README name the same features with the same defaults.

use std::collections::BTreeMap;

/// Feature and whether it is on by default, from the rows of a Markdown table.
fn table(text: &str) -> BTreeMap<String, bool> {
    let rows = text.lines().filter_map(|line| {
        let line = line.strip_prefix("//! ").unwrap_or(line);
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.trim_end_matches('`').to_owned();
        match cells.next()? {
            "yes" => Some((name, true)),
            "no" => Some((name, false)),
            _ => None,
        }
    });
    rows.collect()
}

fn manifest() -> BTreeMap<String, bool> {
    let text = include_str!("../../Cargo.toml");
    let section = text.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let default = section.split("default = [").nth(1).unwrap().split(']').next().unwrap();
    section
        .lines()
        .filter_map(|line| line.split_once(" = ["))
        .map(|(name, _)| (name.to_owned(), default.contains(&format!("{name:?}"))))
        .filter(|(name, _)| name != "default")
        .collect()
}

#[test]
fn manifest_documentation_and_readme_agree() {
    let manifest = manifest();
    assert!(manifest.len() >= 7, "{manifest:?}");
    assert_eq!(table(include_str!("../../src/lib.rs")), manifest, "lib.rs");
    assert_eq!(table(include_str!("../../README.md")), manifest, "README.md");
}

#[test]
fn full_is_everything_else() {
    let text = include_str!("../../Cargo.toml");
    let full = text.split("full = [").nth(1).unwrap().split(']').next().unwrap();
    for name in manifest().keys().filter(|name| *name != "full") {
        assert!(full.contains(&format!("{name:?}")), "{name} is missing in full");
    }
}

#[test]
fn no_dependency_is_pinned() {
    for line in include_str!("../../Cargo.toml").lines() {
        assert!(!line.contains("\"="), "an exact pin: {line}");
    }
}
