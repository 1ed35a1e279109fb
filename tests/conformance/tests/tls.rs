//! TLS as it is in production: a server with a certificate of a CA that the machine trusts, and one that it does not.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    sync::Arc,
};

use bytes::Bytes;
use kms_signer::{Error, ErrorKind, KmsClient, KmsSigner, PublicKey, alloy_signer::Signer, fake::FakeKms};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// The trust store is read once in a process, so each case runs the test below in one of its own.
#[test]
fn a_trusted_ca_is_trusted_and_no_other() {
    let folder = std::env::temp_dir().join(format!("kms-signer-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (ca, config) = certificates();
    let (stranger, _) = certificates();
    std::fs::write(folder.join("ca.pem"), &ca).unwrap();
    std::fs::write(folder.join("stranger.pem"), stranger).unwrap();

    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let signer = runtime.block_on(KmsSigner::new(fake.client(), &key, None)).unwrap();
    let public_key = signer.public_key().to_spki_pem();
    let address = serve(fake, config);
    for (bundle, outcome) in [("ca.pem", "signed"), ("stranger.pem", "refused")] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "in_a_process_of_its_own", "--ignored", "--nocapture"])
            .env("SSL_CERT_FILE", folder.join(bundle))
            .env("SSL_CERT_DIR", Path::new("/nonexistent"))
            .env("KMS_TLS_ENDPOINT", format!("https://localhost:{}", address.port()))
            .env("KMS_TLS_KEY", key.as_ref())
            .env("KMS_TLS_PUBLIC_KEY", &public_key)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{bundle}: {out}{}", String::from_utf8_lossy(&output.stderr));
        assert!(out.contains(outcome), "{bundle}: {out}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
#[ignore = "run by the test above, with a trust store and a server of its own"]
async fn in_a_process_of_its_own() {
    let key = std::env::var("KMS_TLS_KEY").unwrap();
    let client = KmsClient::builder()
        .for_key(&key)
        .endpoint_url(std::env::var("KMS_TLS_ENDPOINT").unwrap())
        .static_credentials("AKIDEXAMPLE", "secret", None)
        .max_attempts(1)
        .build()
        .await
        .unwrap();
    // With a known key the first request is a Sign.
    let public_key = PublicKey::from_spki_pem(&std::env::var("KMS_TLS_PUBLIC_KEY").unwrap()).unwrap();
    let signer = KmsSigner::builder(client, key).public_key(public_key).connect().await.unwrap();
    match signer.sign_message(b"x").await {
        Ok(signature) => {
            assert_eq!(signature.recover_address_from_msg("x").unwrap(), signer.address());
            println!("signed");
        }
        Err(error) => {
            let error = Error::find(&error).unwrap();
            assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
            assert!(!error.may_have_signed(), "{error}");
            assert!(error.to_string().contains("certificate"), "{error}");
            println!("refused: {error}");
        }
    }
}

/// A CA's certificate as PEM, and a server's configuration with one that it issued for `localhost`.
fn certificates() -> (String, Arc<ServerConfig>) {
    let ca_key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = parameters.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(parameters, ca_key);

    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (ca.pem(), Arc::new(config))
}

/// Serves a fake over TLS on loopback, in a thread of its own.
fn serve(fake: FakeKms, config: Arc<ServerConfig>) -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (fake, acceptor) = (fake.clone(), TlsAcceptor::from(config.clone()));
                tokio::spawn(async move {
                    // A client that does not trust the certificate ends the handshake.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(fake, stream).await;
                    }
                });
            }
        });
    });
    address
}

/// HTTP/1.1 as far as KMS's clients use it: requests with a length, one after another.
async fn answer(fake: FakeKms, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut request = http::Request::post("/");
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line == "\r\n" {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            }
            request = request.header(name, value);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let response = fake.handle(request.body(Bytes::from(body)).unwrap()).await;
        let mut head = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", response.status(), response.body().len());
        for (name, value) in response.headers() {
            if name != "content-length" {
                head += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(response.body()).await.unwrap();
        stream.flush().await.unwrap();
    }
}
