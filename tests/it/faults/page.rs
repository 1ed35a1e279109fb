//! The table as Markdown, and the page of the documentation that has it.

use std::{env, fs, path::Path};

use super::table::{Expected, Row, Section};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/faults.md");
/// What is before it is written by hand.
const MARK: &str = "<!-- From here on written by tests/it/faults.rs; UPDATE_FAULTS=1 renews it. -->\n";

pub(super) fn markdown(sections: &[Section]) -> String {
    let mut page = String::new();
    for Section { title, rows } in sections {
        page += &format!("\n## {title}\n\n");
        page += "| fault | operation | kind | may have signed | with retries |\n|---|---|---|---|---|\n";
        for row in rows {
            for line in lines(row) {
                page += &line;
            }
        }
    }
    page
}

fn lines(row: &Row) -> Vec<String> {
    let (get_public_key, sign) = (row.get_public_key, row.sign);
    if get_public_key.is_some() && get_public_key == sign.map(Expected::without_signature) {
        return sign.map(|expected| line(row.fault, "both", expected)).into_iter().collect();
    }
    let cells = [("`GetPublicKey`", get_public_key), ("`Sign`", sign)];
    cells.into_iter().filter_map(|(operation, expected)| Some(line(row.fault, operation, expected?))).collect()
}

fn line(fault: &str, operation: &str, expected: Expected) -> String {
    let (kind, may_have_signed, end) = match expected {
        Expected::Accepted => ("none".to_owned(), "–", "not needed"),
        Expected::Fails { kind, may_have_signed, survived, .. } => (
            format!("`{kind:?}`"),
            if may_have_signed { "yes" } else { "no" },
            if survived { "survived" } else { "reported" },
        ),
    };
    format!("| {fault} | {operation} | {kind} | {may_have_signed} | {end} |\n")
}

/// Compares the page with the table, or writes the table into it where `UPDATE_FAULTS` is set.
pub(super) fn compare(table: &str) {
    let page = fs::read_to_string(Path::new(PAGE)).unwrap();
    let (by_hand, written) = page.split_once(MARK).unwrap_or_else(|| panic!("{PAGE} lacks the line {MARK:?}"));
    if env::var_os("UPDATE_FAULTS").is_some() {
        fs::write(PAGE, format!("{by_hand}{MARK}{table}")).unwrap();
    } else {
        assert!(written == table, "{PAGE} is not what the table says; UPDATE_FAULTS=1 renews it");
    }
}
