//! What the bare core stands on: three crates, and nothing that needs an operating system or a network.

use std::process::Command;

#[test]
fn the_bare_core_has_three_dependencies() {
    let direct: Vec<String> = tree(&["--depth", "1"]).into_iter().skip(1).collect();
    assert_eq!(direct, ["alloy-primitives", "base64", "k256"]);
}

#[test]
fn the_bare_core_needs_no_system() {
    let all = tree(&[]);
    assert!(all.len() > 10 && all.iter().any(|name| name == "elliptic-curve"), "{all:?}");
    for name in &all {
        let is_allowed = !["alloy-signer", "alloy-consensus", "alloy-network", "getrandom", "http", "tokio"]
            .contains(&&**name)
            && !name.starts_with("aws-")
            && !name.starts_with("rustls")
            && !name.starts_with("hyper");
        assert!(is_allowed, "{name} among {all:?}");
    }
}

/// The names of the crates that the library without features is built from, itself first.
fn tree(options: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--package", "kms-signer", "--no-default-features"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
