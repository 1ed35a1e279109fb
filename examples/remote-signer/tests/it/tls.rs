//! Mutual TLS: the right certificate, a wrong one, and none.

use std::{path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use remote_signer::{Fingerprint, tls};
use rustls::ServerConfig;

use crate::support::{Running, Setup};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) key: String,
    pub(crate) fingerprint: Fingerprint,
}

impl Authority {
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn issue(&self, name: &str) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let fingerprint = Fingerprint::of(certificate.der());
        Issued { pem: certificate.pem(), key: key.serialize_pem(), fingerprint }
    }
}

/// A folder that goes when the test does.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("remote-signer-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(authority: &Authority, name: &str, optional: bool) -> Result<Arc<ServerConfig>, String> {
    let folder = Folder::new(name);
    let server = authority.issue("localhost");
    let (certificate, key) = (folder.write("server.pem", &server.pem), folder.write("key.pem", &server.key));
    let ca = folder.write("ca.pem", &authority.0.pem());
    tls::server_config(tls::Files { certificate: &certificate, key: &key, client_ca: Some(&ca) }, optional)
}

pub(crate) fn client(authority: &Authority, identity: Option<&Issued>) -> reqwest::Client {
    let ca = reqwest::Certificate::from_pem(authority.0.pem().as_bytes()).unwrap();
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([ca]);
    if let Some(identity) = identity {
        let pem = format!("{}{}", identity.pem, identity.key);
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

async fn ask(server: &Running, http: reqwest::Client, token: Option<&str>) -> Option<(u16, String)> {
    ask_at(server.address.port(), http, token).await
}

pub(crate) async fn ask_at(port: u16, http: reqwest::Client, token: Option<&str>) -> Option<(u16, String)> {
    let url = format!("https://localhost:{port}");
    let mut request = http.post(url).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.body(r#"{"jsonrpc":"2.0","id":1,"method":"eth_accounts"}"#).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.unwrap()))
}

#[tokio::test]
async fn a_certificate_says_who_asks() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (right, unknown, foreign) = (authority.issue("b"), authority.issue("x"), other.issue("b"));
    let tls = Some(config(&authority, "optional", true).unwrap());
    let server = Setup { tls, certificate: Some(right.fingerprint), ..Setup::default() }.start().await;

    let (status, text) = ask(&server, client(&authority, Some(&right)), None).await.unwrap();
    assert_eq!(status, 200);
    assert!(text.contains(&format!("{:?}", server.accounts[2])), "{text}");
    // Of our authority, and nobody we know.
    assert_eq!(ask(&server, client(&authority, Some(&unknown)), None).await.unwrap().0, 401);
    // Of another authority: no connection.
    assert!(ask(&server, client(&authority, Some(&foreign)), None).await.is_none());
    // None, with and without a token.
    assert_eq!(ask(&server, client(&authority, None), None).await.unwrap().0, 401);
    let (status, text) = ask(&server, client(&authority, None), Some("token-a")).await.unwrap();
    assert!(status == 200 && text.contains(&format!("{:?}", server.accounts[0])), "{text}");
    // A token goes before a certificate.
    let (_, text) = ask(&server, client(&authority, Some(&right)), Some("token-a")).await.unwrap();
    assert!(text.contains(&format!("{:?}", server.accounts[0])), "{text}");
    assert_eq!(ask(&server, client(&authority, Some(&right)), Some("token-c")).await.unwrap().0, 401);
    // Plain HTTP to the same port.
    let plain = server.http.post(format!("http://{}", server.address)).body("{}").send().await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn a_certificate_may_be_a_must() {
    let authority = Authority::new();
    let right = authority.issue("b");
    let tls = Some(config(&authority, "must", false).unwrap());
    let server = Setup { tls, certificate: Some(right.fingerprint), ..Setup::default() }.start().await;
    assert!(ask(&server, client(&authority, None), Some("token-a")).await.is_none());
    assert_eq!(ask(&server, client(&authority, Some(&right)), None).await.unwrap().0, 200);
}

#[test]
fn a_file_that_is_wrong_is_named() {
    let folder = Folder::new("files");
    let authority = Authority::new();
    let (one, two) = (authority.issue("a"), authority.issue("b"));
    let certificate = folder.write("one.pem", &one.pem);
    let (key, other) = (folder.write("one-key.pem", &one.key), folder.write("two-key.pem", &two.key));
    let empty = folder.write("empty.pem", "");
    let missing = folder.0.join("missing.pem");
    for (certificate, key, client_ca, named) in [
        (&missing, &key, None, "missing.pem"),
        (&certificate, &missing, None, "missing.pem"),
        (&empty, &key, None, "empty.pem"),
        (&certificate, &empty, None, "empty.pem"),
        (&certificate, &other, None, "two-key.pem"),
        (&certificate, &key, Some(&*empty), "empty.pem"),
    ] {
        let error = tls::server_config(tls::Files { certificate, key, client_ca }, true).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}
