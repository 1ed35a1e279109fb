//! What the function's environment says.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use kms_signer::{KmsClient, KmsSigner, KmsSignerBuilder, PublicKey, TracingObserver};

/// For a request with its retries. The function's own timeout must be longer, so that it is the function which says what went
/// wrong.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Settings {
    key: String,
    public_key: Option<PublicKey>,
}

impl Settings {
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
        let key = variable("KMS_KEY_ID").ok_or("KMS_KEY_ID is not set: which key signs?")?;
        let public_key = match variable("KMS_PUBLIC_KEY") {
            Some(text) => Some(public_key(&text).map_err(|reason| format!("KMS_PUBLIC_KEY: {reason}"))?),
            None => None,
        };
        Ok(Self { key, public_key })
    }

    /// The client for all invocations.
    pub(crate) async fn client(&self) -> kms_signer::Result<KmsClient> {
        let builder = KmsClient::builder().for_key(&self.key).operation_timeout(OPERATION_TIMEOUT);
        builder.observer(TracingObserver).build().await
    }

    pub(crate) fn signer(&self, client: KmsClient) -> KmsSignerBuilder {
        let builder = KmsSigner::builder(client, &self.key);
        match &self.public_key {
            Some(public_key) => builder.public_key(public_key.clone()),
            None => builder,
        }
    }
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return PublicKey::from_spki_pem(text).map_err(|error| error.to_string());
    }
    let der = BASE64_STANDARD.decode(text).map_err(|_| "this is neither PEM nor base64")?;
    PublicKey::from_spki_der(&der).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: Option<&str>, public_key: Option<&str>) -> Result<Settings, String> {
        Settings::read(|name| match name {
            "KMS_KEY_ID" => key.map(str::to_owned),
            _ => public_key.map(str::to_owned),
        })
    }

    #[test]
    fn a_public_key_is_taken_as_the_console_and_as_the_command_line_give_it() {
        let key = key_of_one();
        let base64 = BASE64_STANDARD.encode(key.to_spki_der());
        for text in [key.to_spki_pem(), base64.clone(), format!("{base64}\n")] {
            assert_eq!(read(Some("alias/x"), Some(&text)).unwrap().public_key.unwrap(), key);
        }
        for (text, reason) in
            [("no key", "neither PEM nor base64"), ("AAAA", "KMS_PUBLIC_KEY: "), ("-----BEGIN", "KMS_PUBLIC_KEY: ")]
        {
            assert!(read(Some("alias/x"), Some(text)).err().unwrap().contains(reason), "{text}");
        }
        assert!(read(Some("alias/x"), Some(" ")).unwrap().public_key.is_none());
    }

    #[test]
    fn a_key_must_be_named() {
        for key in [None, Some(""), Some(" ")] {
            assert!(read(key, None).err().unwrap().contains("KMS_KEY_ID"));
        }
    }

    /// The public key of the private key 1.
    fn key_of_one() -> PublicKey {
        let sec1 = alloy_primitives::hex!("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        PublicKey::from_sec1(&sec1).unwrap()
    }
}
