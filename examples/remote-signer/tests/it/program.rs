//! The program itself: its words, and its refusals at the start.

use std::{
    io::{BufRead, BufReader, Read},
    net::Ipv4Addr,
    process::{Child, Command, Output, Stdio},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use kms_signer::fake::FakeKms;
use remote_signer::Fingerprint;

use crate::tls::{Authority, Folder, ask_at, client};

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
    let example = include_str!("../../remote-signer.toml");
    let good = example.replacen("PUT-HERE-WHAT-remote-signer-token-PRINTS", &"11".repeat(32), 1);
    let good = good.replace("PUT-HERE-WHAT-remote-signer-token-PRINTS", &"22".repeat(32));
    for (text, reason) in [
        ("".to_owned(), "at least one of [[keys]]"),
        (example.to_owned(), "callers[0].token_sha256"),
        (good.replace("[audit]", "[adit]"), "line 20, adit: unknown field `adit`"),
        (good.to_owned(), "payouts.toml: No such file"),
        (
            good.replace("rules = \"payouts.toml\"", "rules.transactions = [{ name = \"x\" }]"),
            "the rules of the caller payouts",
        ),
        (
            good.replace("[\"debug_traceTransaction\"]", "[\"personal_*\"]"),
            "forward: personal_* would let the node sign",
        ),
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

/// A program that ends with its test, whatever its outcome.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves a fake over HTTP on loopback.
async fn serve(fake: &FakeKms) -> String {
    async fn answer(State(fake): State<FakeKms>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        fake.handle(Request::from_parts(parts, bytes)).await.map(Body::from)
    }
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_certificates_is_served() {
    let fake = FakeKms::new();
    let (first, second) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    fake.alias("alias/second", &second).unwrap();
    let folder = Folder::new("program");
    let authority = Authority::new();
    let (server, known) = (authority.issue("localhost"), authority.issue("caller"));
    folder.write("server.pem", &server.pem);
    folder.write("server-key.pem", &server.key);
    folder.write("ca.pem", &authority.pem());
    folder.write("rules.toml", "[[messages]]\nname = \"any\"\nany = true\n");
    let text = format!(
        r#"
listen = "127.0.0.1:0"
tls = {{ certificate = "server.pem", key = "server-key.pem", client_ca = "ca.pem" }}

[[keys]]
name = "first"
key = "{first}"

[[keys]]
name = "second"
key = "alias/second"
region = "us-east-1"

[[callers]]
name = "token"
token_sha256 = "{}"
keys = ["first", "second"]
rules = "rules.toml"

[[callers]]
name = "certificate"
certificate_sha256 = "{}"
keys = ["second"]
rules.messages = [{{ name = "any", any = true }}]
"#,
        Fingerprint::of(b"secret"),
        known.fingerprint
    );
    let config = folder.write("config.toml", &text);
    let child = Command::new(env!("CARGO_BIN_EXE_remote-signer"))
        .env_clear()
        .env("AWS_ENDPOINT_URL", serve(&fake).await)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .arg("--config")
        .arg(config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut started = Started(child);
    let line = BufReader::new(started.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let port = line.strip_prefix("https://127.0.0.1:").unwrap().parse().unwrap();

    let (_, both) = ask_at(port, client(&authority, None), Some("secret")).await.unwrap();
    assert_eq!(both.matches("0x").count(), 2, "{both}");
    let (_, one) = ask_at(port, client(&authority, Some(&known)), None).await.unwrap();
    assert_eq!(one.matches("0x").count(), 1, "{one}");
    assert_eq!(ask_at(port, client(&authority, None), Some("wrong-secret")).await.unwrap().0, 401);

    assert!(Command::new("kill").args(["-TERM", &started.0.id().to_string()]).status().unwrap().success());
    let mut log = String::new();
    started.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(started.0.wait().unwrap().code(), Some(0), "{log}");
    assert!(log.contains("alias/second") || log.contains(second.as_ref()), "{log}");
    assert!(!log.contains("secret") && !log.contains(&Fingerprint::of(b"secret").to_string()), "{log}");
}
