//! The example `wallets` as its users run it: a demo in one process, and a KMS over HTTP.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use kms_signer::fake::{FakeKms, Fault};
use serde_json::Value;

use crate::{
    examples::{example, example_at, text},
    serve,
};

const SECRET: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

fn output(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn says(command: &mut Command, input: &str) -> String {
    let output = output(command, input);
    let (out, err) = text(&output);
    assert!(output.status.success(), "{command:?}: {out}{err}");
    assert!(!(out + &err).contains(&SECRET[2..]), "the secret is shown");
    text(&output).0
}

#[track_caller]
fn complains(command: &mut Command, input: &str) -> String {
    let output = output(command, input);
    let (_, err) = text(&output);
    assert!(!output.status.success() && !err.contains("panicked"), "{command:?}: {err}");
    assert!(!err.contains(&SECRET[2..]), "the secret is shown");
    err
}

fn objects(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_demo_makes_imports_lists_and_retires() {
    let words = "--demo create --alias alias/wallets/1 --tag team=payments --multi-region then list then import --alias \
        alias/deployer --secret-stdin then list then replicate alias/wallets/1 us-west-2 --alias alias/copy then grant \
        alias/wallets/1 arn:aws:iam::111122223333:role/relayer then disable alias/deployer then list --json then delete \
        alias/deployer --days 7 then show alias/wallets/1 --json then ensure alias/wallets/1";
    let out = says(example("wallets").args(words.split_whitespace()), &format!("{SECRET}\n"));
    let lines: Vec<&str> = out.lines().collect();
    let first = lines[0].split_whitespace().next().unwrap();
    assert!(first.starts_with("0x") && first.len() == 42, "{out}");
    assert_eq!(out.matches("ADDRESS").count(), 2, "{out}");
    assert_eq!(
        out.lines().filter(|line| line.starts_with(first)).count(),
        5,
        "create, two lists, replicate, ensure: {out}"
    );
    assert!(
        out.lines().any(|line| line.starts_with(first) && line.contains(":us-west-2:") && line.contains("alias/copy"))
    );
    assert!(out.lines().any(|line| line.starts_with(ADDRESS) && line.contains("alias/deployer")));
    assert!(out.contains("grant id ") && out.contains("grant token "));

    let json = objects(&out.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n"));
    assert_eq!(json.len(), 3, "two listed, one shown: {out}");
    let wallet = json.iter().find(|key| key["address"] == first).unwrap();
    assert_eq!(wallet["aliases"], serde_json::json!(["alias/wallets/1"]));
    assert_eq!(
        (&wallet["tags"]["team"], &wallet["state"], &wallet["multi_region"]),
        (&"payments".into(), &"Enabled".into(), &true.into())
    );
    let deployer = json.iter().find(|key| key["imported"] == true).unwrap();
    assert_eq!((&deployer["address"], &deployer["state"]), (&Value::Null, &"Disabled".into()));
}

#[test]
fn over_http_one_run_finds_what_another_made() {
    let fake = FakeKms::new();
    let endpoint = format!("http://{}", serve(&fake));
    let wallets = |words: &str| {
        let mut command = example_at("wallets", &endpoint);
        command.args(words.split_whitespace());
        command
    };
    let made = says(&mut wallets("create --json --alias alias/a --description hot --tag a=b"), "");
    let imported = says(&mut wallets("import --json --alias alias/deployer --secret-stdin"), SECRET);
    assert_eq!(objects(&imported)[0]["address"], ADDRESS);
    let listed = objects(&says(&mut wallets("list --json"), ""));
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&objects(&made)[0]) && listed.contains(&objects(&imported)[0]), "{listed:?}");
    assert_eq!(objects(&says(&mut wallets("list --json --prefix alias/d"), "")), objects(&imported));
    assert_eq!(objects(&says(&mut wallets("list --json --tag a=b"), "")), objects(&made));

    fake.inject(Fault::error("AccessDeniedException", 400, "not this one").on("GetPublicKey"));
    let listed = objects(&says(&mut wallets("list --json"), ""));
    let skipped = listed.iter().find_map(|key| key["skipped"].as_str()).unwrap();
    assert!(skipped.contains("not this one") && skipped.contains("kms:GetPublicKey"), "{skipped}");

    assert!(complains(&mut wallets("create --alias alias/a"), "").contains("choose another alias, or use `ensure`"));
    assert!(complains(&mut wallets("ensure alias/a --kind symmetric"), "").contains("not SYMMETRIC_DEFAULT"));
    assert!(complains(&mut wallets("import --secret-stdin"), "12\n").contains("64 hexadecimal digits"));
    assert!(complains(&mut wallets("import --secret-stdin"), "").contains("standard input has no line"));
    assert!(complains(&mut wallets("import"), "").contains("--secret-stdin, or --keystore FILE"));
    assert!(complains(&mut wallets("delete alias/a --days 3"), "").contains("7 to 30 days"));
}

#[test]
fn policies_are_printed_without_any_account() {
    let account = ["--account", "111122223333"];
    let key = ["--key", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"];
    let role = ["--principal", "arn:aws:iam::111122223333:role/relayer"];
    let guest = ["--principal", "arn:aws:iam::210987654321:role/relayer"];
    for (words, action) in [
        ([&["key-signer"], &account[..], &role].concat(), "kms:Sign"),
        ([&["external-signer"], &account[..], &guest].concat(), "kms:GetPublicKey"),
        ([&["administrator"], &account[..], &role].concat(), "kms:ScheduleKeyDeletion"),
        ([&["signer"], &key[..]].concat(), "kms:Sign"),
        ([&["encryptor"], &key[..]].concat(), "kms:Decrypt"),
        (
            [&["manager", "--tag", "service=wallets", "--alias-prefix", "alias/w/"], &account[..]].concat(),
            "kms:CreateKey",
        ),
        ([&["lister"], &account[..]].concat(), "kms:ListKeys"),
        ([&["trust", "--external-id", "12345"], &role[..]].concat(), "sts:AssumeRole"),
    ] {
        let out = says(example("wallets").arg("policy").args(&words), "");
        let policy: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(policy["Version"], "2012-10-17", "{words:?}");
        assert!(out.contains(action), "{words:?}: {out}");
    }
    assert!(complains(example("wallets").args(["policy", "signer", "--key", "alias/a"]), "").contains("key ARN"));
}

#[test]
fn the_address_is_compared_with_what_is_expected() {
    let fake = FakeKms::new();
    let key = fake.import_key(SECRET.parse().unwrap()).unwrap();
    let endpoint = format!("http://{}", serve(&fake));
    let address = |expect: &str| {
        let mut command = example_at("address", &endpoint);
        command.args(["--key-id", key.as_ref(), "--expect", expect]);
        command
    };
    assert_eq!(says(&mut address(ADDRESS), "").trim(), ADDRESS);
    let other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let error = complains(&mut address(other), "");
    assert!(error.contains(ADDRESS) && error.contains(other), "{error}");
}

/// From one command line to another's, at once.
#[test]
fn a_granted_key_is_used_with_its_token() {
    let fake = FakeKms::new();
    let endpoint = format!("http://{}", serve(&fake));
    let role = "arn:aws:iam::111122223333:role/relayer";
    let made = objects(&says(example_at("wallets", &endpoint).args(["create", "--json"]), ""));
    let (key, address) = (made[0]["arn"].as_str().unwrap(), made[0]["address"].as_str().unwrap());
    let granted = objects(&says(example_at("wallets", &endpoint).args(["grant", key, role, "--json"]), ""));
    let (id, secret) = fake.access_key_for(role);
    let address_as_role = |words: &[&str]| {
        let mut command = example_at("address", &endpoint);
        command.env("AWS_ACCESS_KEY_ID", &id).env("AWS_SECRET_ACCESS_KEY", &secret).args(["--key-id", key]).args(words);
        command
    };
    assert!(complains(&mut address_as_role(&[]), "").contains("not authorized to perform: kms:GetPublicKey"));
    let token = granted[0]["grant_token"].as_str().unwrap();
    assert_eq!(says(&mut address_as_role(&["--grant-token", token]), "").trim(), address);
}

#[test]
fn whose_keys_are_meant_is_said_once() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let endpoint = format!("http://{}", serve(&fake));
    let words = ["list", "then", "--demo", "delete", key.as_ref()];
    let error = complains(example_at("wallets", &endpoint).args(words), "");
    assert!(error.contains("before the first command"), "{error}");
    assert_eq!(fake.requests().len(), 0);
    // JSON is, too.
    let out = says(example("wallets").args("--demo --json create then list".split_whitespace()), "");
    assert_eq!(objects(&out).len(), 2);
}

#[test]
fn signers_are_loaded_from_kms_once_and_from_the_file_after_that() {
    let file = std::env::temp_dir().join(format!("kms-signer-records-{}.json", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let load = format!("load --records {}", file.display());
    let demo = |words: &str| {
        let mut command = example("wallets");
        command.args(["--demo", "--demo-keys", "20", "--json"]).args(words.split_whitespace());
        command
    };
    let out = objects(&says(&mut demo(&format!("{load} --prefix alias/demo/1 then {load}")), ""));
    assert_eq!((&out[0]["signers"], &out[0]["requests"]), (&11.into(), &(1 + 2 * 11).into()), "{out:?}");
    assert_eq!((&out[1]["signers"], &out[1]["requests"]), (&11.into(), &0.into()), "{out:?}");
    assert!(complains(&mut demo(&format!("{load} --prefix alias/demo/1")), "").contains("is there already"));
    std::fs::write(&file, "[{]").unwrap();
    assert!(complains(&mut demo(&load), "").contains("kms-signer-records"));
    std::fs::remove_file(&file).unwrap();
}
