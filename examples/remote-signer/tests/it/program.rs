//! The program itself: its words, and its refusals at the start.

use std::process::{Command, Output};

use remote_signer::Fingerprint;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_remote-signer"))
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_token_is_printed_with_its_hash() {
    let output = run(&["token"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("token", "token_sha256"));
    assert_eq!((words[1].len(), words[3]), (64, &*Fingerprint::of(words[1].as_bytes()).to_string()));
    assert!(!String::from_utf8(output.stderr).unwrap().contains(words[1]));
}

#[test]
fn the_demo_is_for_this_machine() {
    let error = refused(&["--demo", "--listen", "0.0.0.0:0"]);
    assert!(error.contains("0.0.0.0:0 is not loopback"), "{error}");
    let error = refused(&["--demo", "--listen", "127.0.0.1:0", "--upstream", "http://user:secret@127.0.0.1:1/key"]);
    assert!(error.contains("error: http://127.0.0.1:1: the node was not reached"), "{error}");
    assert!(!error.contains("secret") && !error.contains("/key"), "{error}");
}

#[test]
fn what_is_wrong_with_the_configuration_is_said() {
    let folder = std::env::temp_dir().join(format!("remote-signer-program-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.toml");
    let config = |text: &str| {
        std::fs::write(&path, text).unwrap();
        refused(&["--config", path.to_str().unwrap()])
    };
    let good = include_str!("../../remote-signer.toml");
    for (text, reason) in [
        ("".to_owned(), "at least one of [[keys]]"),
        (good.replace("[audit]", "[adit]"), "line 20, adit: unknown field `adit`"),
        (good.to_owned(), "payouts.toml: No such file"),
        (
            good.replace("rules = \"payouts.toml\"", "rules.transactions = [{ name = \"x\" }]"),
            "the rules of the caller payouts",
        ),
        (good.replace("[\"debug_traceTransaction\"]", "[\"personal_*\"]"), "forward: personal_* is none of"),
    ] {
        let error = config(&text);
        assert!(error.starts_with("error: ") && error.contains(reason), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(refused(&["--config", "/nowhere/config.toml"]).contains("/nowhere/config.toml: No such file"));
    for arguments in [&[][..], &["--demo", "--config", "x"], &["token", "--demo"]] {
        assert!(refused(arguments).contains("Usage: "), "{arguments:?}");
    }
}
