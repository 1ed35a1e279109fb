//! The layers of the crate: which file may use which.

use std::{collections::BTreeMap, fs, path::Path};

/// Module, and the modules it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("asn1", &[]),
    ("error", &[]),
    ("key_ref", &["error"]),
    ("public_key", &["asn1", "error"]),
    ("signature", &["asn1", "error", "public_key"]),
    ("observe", &["error"]),
    ("client", &["error", "key_ref", "public_key", "signature", "observe"]),
    ("signer", &["error", "key_ref", "public_key", "signature", "observe", "client"]),
    ("iam", &["error", "key_ref"]),
    ("keys", &["error", "key_ref", "public_key", "signature", "observe", "iam", "client", "signer"]),
    ("seal", &["error", "key_ref", "public_key", "signature", "observe", "client", "signer", "keys"]),
    ("guard", &["error", "key_ref", "observe", "client", "signer"]),
    ("chains", &["error", "key_ref", "public_key", "signature", "observe", "client"]),
    ("fake", &["error", "key_ref", "public_key", "signature"]),
    ("guide", &["iam", "seal"]),
];

#[test]
fn no_file_uses_a_layer_above_it() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut edges = 0;
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let module = file.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let allowed = allowed.get(module).unwrap_or_else(|| panic!("{file}: the table of layers lacks it"));
        for used in used_modules(&file, &text) {
            edges += 1;
            assert!(used == module || allowed.contains(&used.as_str()), "{file} uses {used}, which is not below it");
        }
    }
    assert!(edges > 20, "only {edges} uses found: the test no longer sees them");
}

/// The guard's rules and limits are pure; what wraps signers and writes files is above them.
#[test]
fn the_guards_rules_use_no_runtime_and_no_client() {
    const PURE: [&str; 7] = ["asked.rs", "decision.rs", "record.rs", "rules.rs", "rules/", "spent.rs", "spent/"];
    let mut seen = 0;
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guard"))) {
        if PURE.iter().any(|pure| file.starts_with(pure)) {
            seen += 1;
            let used = used_modules(&format!("guard/{file}"), &text);
            assert!(
                used.iter().all(|module| matches!(module.as_str(), "error" | "observe" | "guard")),
                "{file}: {used:?}"
            );
            for above in ["tokio::", "aws_", "super::guarded", "super::audit::"] {
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                assert!(!code.collect::<String>().contains(above), "{file} uses {above}");
            }
        }
    }
    assert!(seen > 15, "only {seen} files found");
}

/// Every Rust file below `root`, by its path from there.
fn sources(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The top-level modules named by `crate::…`, also within braces, and by `super::…` where it leaves the module.
fn used_modules(file: &str, text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let depth = file.matches('/').count();
    let mut used = Vec::new();
    for (index, _) in code.match_indices("crate::") {
        used.extend(heads(&code[index + "crate::".len()..]));
    }
    if depth == 0 {
        // In a top-level file `super` is the crate, except within its own inline test module.
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (index, _) in code.match_indices("super::") {
            used.extend(heads(&code[index + "super::".len()..]));
        }
    }
    used.retain(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    used
}

/// The first path segments after `crate::`: one name, or those of a brace group.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut depth = 0;
    let mut start = true;
    let mut heads = Vec::new();
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                heads.push(name(&group[index..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}
