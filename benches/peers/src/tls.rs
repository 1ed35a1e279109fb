//! TLS on loopback: a certificate authority for this run, and a client that trusts it alone.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use aws_sdk_kms::Client;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{Outcome, memory};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, which clients are to trust.
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Outcome<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "peers");
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A server at 127.0.0.1.
    pub(crate) fn acceptor(&self) -> Outcome<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()])?.signed_by(&key, &self.issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// An SDK client of that server: the SDK's TLS stack, which loads no roots but this one.
pub(crate) fn client(address: SocketAddr, authority: &str) -> Outcome<Client> {
    let roots = TrustStore::empty().with_pem_certificate(authority);
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(TlsContext::builder().with_trust_store(roots).build()?)
        .build_https();
    Ok(Client::from_conf(memory::config().endpoint_url(format!("https://{address}")).http_client(http).build()))
}
