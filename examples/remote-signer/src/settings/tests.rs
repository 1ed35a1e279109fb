use super::*;

const EXAMPLE: &str = include_str!("../../remote-signer.toml");

/// The least there may be.
const SMALL: &str = r#"
[[keys]]
name = "one"
key = "alias/one"

[[callers]]
name = "a"
token_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
keys = ["one"]
rules = "a.toml"
"#;

/// The example with hashes where it has a placeholder, so that nobody's copy of it knows a token that everybody knows.
fn example() -> Settings {
    assert!(wrong(EXAMPLE).contains("token_sha256"));
    let (first, second) = EXAMPLE.split_once("PUT-HERE-WHAT-remote-signer-token-PRINTS").unwrap();
    let second = second.replace("PUT-HERE-WHAT-remote-signer-token-PRINTS", &"22".repeat(32));
    Settings::parse(&format!("{first}{}{second}", "11".repeat(32))).unwrap()
}

fn wrong(text: &str) -> String {
    Settings::parse(text).unwrap_err()
}

#[test]
fn the_example_is_read_with_its_rules() {
    let settings = example();
    assert_eq!((settings.keys.len(), settings.callers.len()), (2, 2));
    kms_signer::guard::Guard::from_toml(include_str!("../../payouts.toml")).unwrap();
    let RulesSource::Here(table) = &settings.callers[1].rules else { panic!("no table") };
    kms_signer::guard::Guard::from_json(&serde_json::to_string(table).unwrap()).unwrap();
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let (example, small) = (example(), Settings::parse(SMALL).unwrap());
    assert_eq!(format!("{:?}", example.limits), format!("{:?}", small.limits));
    assert_eq!(example.listen, small.listen);
    assert!(example.audit.unwrap().fsync && small.audit.is_none());
}

#[test]
fn paths_are_taken_from_the_files_folder() {
    let folder = std::env::temp_dir().join(format!("remote-signer-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.toml");
    std::fs::write(&path, format!("[audit]\nfile = \"audit.jsonl\"\n{SMALL}")).unwrap();
    let settings = Settings::read(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(settings.audit.unwrap().file, folder.join("audit.jsonl"));
    assert!(matches!(&settings.callers[0].rules, RulesSource::File(path) if *path == folder.join("a.toml")));
}

#[test]
fn a_mistake_is_told_with_its_line_and_key() {
    for (from, to, line, key) in [
        ("key = \"alias/one\"", "kye = \"alias/one\"", "line 4", "kye"),
        ("keys = [\"one\"]", "keys = \"one\"", "line 9", "callers[0].keys"),
        ("token_sha256 = \"2bb", "token_sha256 = \"xbb", "line 8", "callers[0].token_sha256"),
        ("rules = \"a.toml\"", "rules = 5", "line 10", "callers[0].rules"),
        ("name = \"a\"", "name = ", "line 7", ""),
    ] {
        let error = wrong(&SMALL.replace(from, to));
        assert!(error.starts_with(line) && error.contains(key), "{to}: {error}");
    }
}

/// Whoever puts the token where its hash belongs must not find it in a log.
#[test]
fn no_mistake_repeats_a_value() {
    let secret = "hunter2hunter2";
    for text in [
        SMALL.replace("token_sha256 = \"2bb", &format!("token_sha256 = \"{secret}")),
        SMALL.replace("keys = [\"one\"]", &format!("keys = \"{secret}\"")),
        SMALL.replace("token_sha256 =", &format!("token = \"{secret}\"\ntoken_sha256 =")),
        format!("chain_id = \"{secret}\"\n{SMALL}"),
        format!("upstream = \"http://user:{secret}\n{SMALL}"),
        format!("upstream = [\"{secret}\"]\n{SMALL}"),
        format!("listen = \"{secret}\"\n{SMALL}"),
    ] {
        let error = wrong(&text);
        assert!(!error.contains(secret), "{error}");
    }
    let settings = Settings::parse(&format!("upstream = \"http://user:{secret}@node\"\n{SMALL}")).unwrap();
    assert!(!format!("{settings:?}").contains(secret));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let second = "\n[[keys]]\nname = \"one\"\nkey = \"alias/two\"\n";
    for (text, reason) in [
        (String::new(), "at least one"),
        (format!("{SMALL}{second}"), "two keys have the name one"),
        (SMALL.replace("keys = [\"one\"]", "keys = [\"two\"]"), "none of [[keys]]"),
        (SMALL.replace("keys = [\"one\"]", "keys = []"), "has no keys"),
        (SMALL.replace("keys = [\"one\"]", "keys = [\"one\", \"one\"]"), "twice"),
        (SMALL.replace("token_sha256", "certificate_sha256"), "client_ca"),
        (SMALL.lines().filter(|line| !line.contains("sha256")).collect::<Vec<_>>().join("\n"), "needs token_sha256"),
        (format!("listen = \"0.0.0.0:1\"\n{SMALL}"), "plain sight"),
        (format!("{SMALL}\n[limits]\nbatch = 0\n"), "limits.batch"),
        (format!("{SMALL}\n[limits]\nread_seconds = nan\n"), "limits.read_seconds"),
        (format!("{SMALL}\n[limits]\nread_seconds = inf\n"), "limits.read_seconds"),
    ] {
        let error = wrong(&text);
        assert!(error.contains(reason), "{error}");
    }
    assert!(Settings::parse(&format!("listen = \"0.0.0.0:1\"\nplain_http = true\n{SMALL}")).is_ok());
}
