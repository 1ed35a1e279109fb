//! Who may ask, for which keys, under which rules.

use std::{fmt, sync::Arc, time::Instant};

use alloy_primitives::{Address, B256, Bytes};
use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_STANDARD};
use kms_signer::{
    KmsSigner,
    guard::{AuditLog, Guard, Guarded},
};
use tokio::sync::Mutex;

use crate::{
    connect::observe,
    error::{RpcError, UNAUTHORIZED},
    secret::Fingerprint,
};

/// Longer ones are none of ours.
const LONGEST_TOKEN: usize = 1024;

/// A key, shared by the callers that may use it.
#[derive(Debug)]
pub struct Key {
    pub(crate) name: String,
    pub(crate) signer: KmsSigner,
    /// Transactions of one sender are numbered one after the other.
    pub(crate) lane: Arc<Mutex<Lane>>,
}

/// What was sent last.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// The last nonce that was sent, and when.
    pub(crate) last: Option<(u64, Instant)>,
    /// What the node may have taken or not.
    pub(crate) doubt: Option<Sent>,
}

/// A transaction that was signed to be sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) nonce: u64,
    pub(crate) hash: B256,
    pub(crate) raw: Bytes,
}

impl Key {
    /// A key under the name that health checks and logs use.
    pub fn new(name: impl Into<String>, signer: KmsSigner) -> Arc<Self> {
        Arc::new(Self { name: name.into(), signer, lane: Arc::default() })
    }

    /// The address of its account.
    pub fn address(&self) -> Address {
        self.signer.address()
    }
}

/// A key as one caller has it.
#[derive(Clone)]
pub struct Account {
    pub(crate) key: Arc<Key>,
    pub(crate) signer: Guarded<KmsSigner>,
}

/// A program that asks for signatures.
pub struct Caller {
    name: String,
    token: Option<Fingerprint>,
    certificate: Option<Fingerprint>,
    accounts: Vec<Account>,
}

impl Account {
    /// The key under a caller's rules. Every decision goes to the log, where there is one.
    pub fn new(key: &Arc<Key>, caller: &str, guard: Guard, audit: Option<&AuditLog>) -> Self {
        let signer = key.signer.clone().guarded(guard).with_caller(caller).with_observer(observe);
        let signer = match audit {
            Some(audit) => signer.with_recorder(audit.clone()),
            None => signer,
        };
        Self { key: key.clone(), signer }
    }
}

impl Caller {
    /// A caller without a token or a certificate is whoever shows neither.
    pub fn new(name: impl Into<String>, accounts: Vec<Account>) -> Self {
        Self { name: name.into(), token: None, certificate: None, accounts }
    }

    /// Known by a token of this SHA-256.
    #[must_use]
    pub fn with_token(mut self, token: Option<Fingerprint>) -> Self {
        self.token = token;
        self
    }

    /// Known by a client certificate of this SHA-256.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Option<Fingerprint>) -> Self {
        self.certificate = certificate;
        self
    }

    /// Its name in logs and records.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.token.is_none() && self.certificate.is_none()
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.accounts.iter().map(|account| account.key.address()).collect()
    }

    pub(crate) fn account(&self, address: Address) -> Result<&Account, RpcError> {
        let ours = self.accounts.iter().find(|account| account.key.address() == address);
        ours.ok_or_else(|| RpcError::new(UNAUTHORIZED, format!("{address} is none of this caller's accounts")))
    }

    /// The caller's only account, where a request names none.
    pub(crate) fn only_account(&self) -> Result<&Account, RpcError> {
        match self.accounts.as_slice() {
            [only] => Ok(only),
            _ => Err(RpcError::invalid_params("from is missing, and the caller has not just one account")),
        }
    }
}

/// Every caller. The lists are short; a request is compared with each.
#[derive(Debug)]
pub struct Callers(Vec<Arc<Caller>>);

impl Callers {
    /// # Errors
    ///
    /// If two of them cannot be told apart.
    pub fn new(callers: Vec<Caller>) -> Result<Self, String> {
        for (place, caller) in callers.iter().enumerate() {
            for other in callers.iter().skip(place + 1) {
                let same_token = caller.token.is_some() && caller.token == other.token;
                let same_certificate = caller.certificate.is_some() && caller.certificate == other.certificate;
                if caller.name == other.name
                    || same_token
                    || same_certificate
                    || (caller.is_anonymous() && other.is_anonymous())
                {
                    return Err(format!(
                        "the callers {} and {} cannot be told apart: name, token and certificate must be their own",
                        caller.name, other.name
                    ));
                }
            }
        }
        Ok(Self(callers.into_iter().map(Arc::new).collect()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.0.iter()
    }

    /// Who asks: by the token where there is one, else by the certificate. None if it is nobody we know; a wrong token is not
    /// mended by a certificate.
    pub(crate) fn find(&self, headers: &HeaderMap, certificate: Option<&Fingerprint>) -> Option<&Arc<Caller>> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = Fingerprint::of(&token(value.to_str().ok()?)?);
            return self.by(&token, |caller| caller.token.as_ref());
        }
        match certificate {
            Some(certificate) => self.by(certificate, |caller| caller.certificate.as_ref()),
            None => self.0.iter().find(|caller| caller.is_anonymous()),
        }
    }

    /// Looks at each of them, whichever it is.
    fn by(&self, shown: &Fingerprint, kept: impl Fn(&Caller) -> Option<&Fingerprint>) -> Option<&Arc<Caller>> {
        let mut found = None;
        for caller in &self.0 {
            if kept(caller).is_some_and(|kept| kept.matches(shown)) {
                found = Some(caller);
            }
        }
        found
    }
}

/// The token of `Bearer TOKEN`, or the password of `Basic base64(NAME:TOKEN)`, with any name (RFC 6750, RFC 7617).
fn token(value: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if rest.len() > LONGEST_TOKEN {
        return None;
    }
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.as_bytes().to_vec()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64_STANDARD.decode(rest).ok()?;
        let colon = pair.iter().position(|&byte| byte == b':')?;
        pair.get(colon + 1..)?.to_vec()
    } else {
        return None;
    };
    // Nobody's token is empty, whatever the configuration's hash is that of.
    (!token.is_empty()).then_some(token)
}

/// Whether a header shows a token that browsers do not send by themselves.
pub(crate) fn is_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("name", &self.name).field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("key", &self.key.name)
            .field("address", &self.key.address())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers() -> Callers {
        let token = |text: &str| Some(Fingerprint::of(text.as_bytes()));
        Callers::new(vec![
            Caller::new("a", Vec::new()).with_token(token("one")),
            Caller::new("b", Vec::new()).with_token(token("two")).with_certificate(token("der")),
        ])
        .unwrap()
    }

    fn find(authorization: Option<&str>, certificate: Option<&[u8]>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let certificate = certificate.map(Fingerprint::of);
        callers().find(&headers, certificate.as_ref()).map(|caller| caller.name().to_owned())
    }

    #[test]
    fn a_token_is_shown_as_bearer_or_as_a_password() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for (value, name) in [
            ("Bearer one".to_owned(), Some("a")),
            ("bearer  two".to_owned(), Some("b")),
            (basic("a:one"), Some("a")),
            (basic(":two"), Some("b")),
            (basic("one"), None),
            (basic("one:"), None),
            ("Basic !".to_owned(), None),
            ("Bearer".to_owned(), None),
            ("Bearer ".to_owned(), None),
            ("one".to_owned(), None),
            ("Digest one".to_owned(), None),
            (format!("Bearer {}", "x".repeat(10_000)), None),
        ] {
            assert_eq!(find(Some(&value), None).as_deref(), name, "{value}");
        }
    }

    #[test]
    fn a_certificate_is_a_caller_unless_a_token_says_otherwise() {
        assert_eq!(find(None, Some(b"der")).as_deref(), Some("b"));
        assert_eq!(find(None, Some(b"other")), None);
        assert_eq!(find(Some("Bearer one"), Some(b"der")).as_deref(), Some("a"));
        assert_eq!(find(Some("Bearer wrong"), Some(b"der")), None);
        assert_eq!(find(None, None), None);
    }

    #[test]
    fn callers_that_cannot_be_told_apart_are_refused() {
        let one = || Some(Fingerprint::of(b"one"));
        for (first, second) in [
            (Caller::new("a", Vec::new()), Caller::new("b", Vec::new())),
            (Caller::new("a", Vec::new()).with_token(one()), Caller::new("a", Vec::new())),
            (Caller::new("a", Vec::new()).with_token(one()), Caller::new("b", Vec::new()).with_token(one())),
            (
                Caller::new("a", Vec::new()).with_certificate(one()),
                Caller::new("b", Vec::new()).with_certificate(one()),
            ),
        ] {
            assert!(Callers::new(vec![first, second]).unwrap_err().contains("told apart"));
        }
    }
}
