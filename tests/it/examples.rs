//! The examples as a new user runs them: on FakeKms, on a KMS over HTTP, and wrongly. `cargo test` builds them beside this.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use kms_signer::{KmsSigner, fake::FakeKms};

use crate::serve;

const ALL: [&str; 11] = [
    "quickstart",
    "address",
    "send_transaction",
    "sign_typed_data",
    "validator",
    "metrics",
    "soak",
    "wallets",
    "fake_kms_server",
    "audit_verify",
    "sealed_signer",
];

fn path(example: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let path = deps.ancestors().nth(2).unwrap().join("examples").join(example);
    assert!(path.exists(), "{} is missing; `cargo test` without --test builds it", path.display());
    path
}

/// The example in an environment of its own.
pub(super) fn example(name: &str) -> Command {
    let mut command = Command::new(path(name));
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

/// The same, with the environment of a user whose KMS is at `endpoint`.
pub(super) fn example_at(name: &str, endpoint: &str) -> Command {
    let mut command = example(name);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "fake")
        .env("AWS_SECRET_ACCESS_KEY", "fake");
    command
}

pub(super) fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{command:?}: {out}{err}");
    out
}

/// Fails with one line that begins with "error:" after what it said it does.
#[track_caller]
fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (_, err) = text(&output);
    assert!(!output.status.success(), "{command:?} succeeded");
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{err}");
    assert!(err.lines().count() <= 2 && !err.contains("panicked"), "{err}");
    errors[0].to_owned()
}

fn served_key() -> (String, String, String) {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    fake.alias("alias/demo", &key).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let signer = runtime.block_on(KmsSigner::new(fake.client(), &key, None)).unwrap();
    (format!("http://{}", serve(&fake)), signer.address().to_string(), signer.public_key().to_spki_pem())
}

#[test]
fn each_runs_without_an_account_and_has_help() {
    assert_eq!(succeeds(&mut example("quickstart")).matches("recovered").count(), 3);
    assert!(succeeds(&mut example("address")).starts_with("0x"));
    assert!(succeeds(&mut example("send_transaction")).contains("signed for chain 31337"));
    assert!(succeeds(&mut example("sign_typed_data")).contains("recovered"));
    assert!(succeeds(&mut example("sealed_signer")).contains("signed     1000 times"));
    let metrics = succeeds(example("metrics").arg("--once"));
    assert!(metrics.contains("kms_signer_call_seconds_bucket{"), "{metrics}");
    assert!(metrics.lines().any(|line| line.contains(r#"operation="Sign""#) && line.ends_with("} 3")), "{metrics}");
    for name in ALL {
        assert!(succeeds(example(name).arg("--help")).contains("Usage:"), "{name}");
    }
}

#[test]
fn a_soak_among_faults_ends_without_a_wrong_signature() {
    let out = succeeds(example("soak").args(["--signatures", "500", "--adversarial", "0.2"]));
    let number = |name: &str| -> u64 {
        let rest = out.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim_start();
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().expect(&out)
    };
    assert_eq!(number("WRONG"), 0, "{out}");
    assert_eq!(number("signatures") + number("errors"), 500, "{out}");
    assert!(number("injected") > 0 && number("errors") > 0, "{out}");
    assert!(out.contains("memory") && out.contains("p99.9"), "{out}");
}

#[test]
fn each_uses_the_key_it_is_given() {
    let (endpoint, address, _) = served_key();
    let quickstart = succeeds(example_at("quickstart", &endpoint).env("KMS_KEY_ID", "alias/demo"));
    assert_eq!(quickstart.matches(&format!("recovered  {address}")).count(), 3, "{quickstart}");
    assert_eq!(succeeds(example_at("address", &endpoint).args(["--key-id", "alias/demo"])).trim(), address);
    for name in ["send_transaction", "sign_typed_data"] {
        assert!(succeeds(example_at(name, &endpoint).args(["--key-id", "alias/demo"])).contains(&address), "{name}");
    }
    let soak = succeeds(example_at("soak", &endpoint).args(["--key-id", "alias/demo", "--signatures", "50"]));
    assert!(soak.contains(&address) && soak.contains("signatures  50,") && soak.contains("none: "), "{soak}");
    assert!(
        succeeds(example_at("metrics", &endpoint).args(["--key-id", "alias/demo", "--once"])).contains("calls_total")
    );
}

#[test]
fn a_profile_is_honoured() {
    let (endpoint, address, _) = served_key();
    let folder = std::env::temp_dir().join(format!("kms-signer-profile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("config");
    let profile = format!(
        "[profile treasury]\nregion = us-east-1\nendpoint_url = {endpoint}\naws_access_key_id = fake\naws_secret_access_key = fake\n"
    );
    std::fs::write(&config, profile).unwrap();
    let with_profile = |name: &str| {
        let mut command = example("address");
        command.env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", name).args(["--key-id", "alias/demo"]);
        command
    };
    assert_eq!(succeeds(&mut with_profile("treasury")).trim(), address);
    let error = fails(&mut with_profile("tresury"));
    assert!(error.contains("no Region") || error.contains("tresury"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_address_is_found_offline_whatever_the_environment_says() {
    let (_, address, pem) = served_key();
    let file = std::env::temp_dir().join(format!("kms-signer-address-{}.pem", std::process::id()));
    std::fs::write(&file, &pem).unwrap();
    assert_eq!(succeeds(example("address").arg(&file).env("KMS_KEY_ID", "alias/demo")).trim(), address);
    std::fs::remove_file(&file).unwrap();

    let der = kms_signer::PublicKey::from_spki_pem(&pem).unwrap().to_spki_der();
    let mut child =
        example("address").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&der).unwrap();
    let (out, _) = text(&child.wait_with_output().unwrap());
    assert_eq!(out.trim(), address);
    assert!(fails(example("address").arg("/nowhere.pem")).contains("/nowhere.pem"));
}

#[test]
fn mistakes_end_in_one_readable_line() {
    let secret = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let output = example("quickstart").args(["--key-id", secret]).output().unwrap();
    let (out, err) = text(&output);
    assert!(!output.status.success() && !format!("{out}{err}").contains(secret), "{out}{err}");

    assert!(fails(example("quickstart").args(["--key-id", "relayer"])).contains("alias/"));
    assert!(fails(example("quickstart").args(["--key-id", "alias/x"])).contains("AWS_REGION"));
    let (endpoint, _, _) = served_key();
    assert!(fails(example_at("address", &endpoint).args(["--key-id", "alias/nobody"])).contains("NotFoundException"));
    let mut nobody = example("address");
    nobody.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", &endpoint).args(["--key-id", "alias/demo"]);
    assert!(fails(&mut nobody).contains("AWS_ACCESS_KEY_ID"));
    assert!(fails(example("quickstart").args(["--rpc-url", "http://127.0.0.1:1"])).contains("refused"));
    assert!(fails(example("send_transaction").args(["--value", "much"])).contains("much"));
}

#[test]
fn metrics_are_served_where_it_says() {
    let mut server = example("metrics").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let (host, path) = url.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut connection = TcpStream::connect(host).unwrap();
    write!(connection, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("version=0.0.4"), "{answer}");
    assert!(answer.contains("# TYPE kms_signer_call_seconds histogram"), "{answer}");
}

#[test]
fn the_server_prints_what_other_programs_need() {
    let mut server = example("fake_kms_server").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut quickstart = example("quickstart");
    for line in lines.by_ref().take_while(|line| !line.starts_with("# Then")) {
        for (name, value) in
            line.strip_prefix("export ").unwrap_or_default().split(' ').filter_map(|v| v.split_once('='))
        {
            quickstart.env(name, value);
        }
    }
    let out = quickstart.output();
    server.kill().unwrap();
    server.wait().unwrap();
    let (out, err) = text(&out.unwrap());
    assert_eq!(out.matches("recovered").count(), 3, "{out}{err}");
    assert!(err.contains("alias/demo"), "{err}");
}
