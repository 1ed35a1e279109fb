//! Which key an example uses.

use clap::Args;
use kms_signer::{KeyRef, KmsClient, KmsSigner, fake::FakeKms};

/// Which key to use.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// A key id, key ARN, alias name or alias ARN. Without it a key in a KMS of this process is used.
    ///
    /// The credentials, the Region and AWS_ENDPOINT_URL are those of the environment.
    #[arg(long, value_name = "KEY", env = "KMS_KEY_ID")]
    pub(crate) key_id: Option<String>,

    /// The token of a grant for this key, with which it works at once. May be given more than once.
    #[arg(long, value_name = "TOKEN", requires = "key_id")]
    grant_token: Vec<String>,
}

impl KeyArgs {
    pub(crate) async fn connect(&self) -> kms_signer::Result<KmsSigner> {
        match &self.key_id {
            Some(key) => {
                // Parsed before it is shown: what is no key reference may be a secret.
                let key: KeyRef = key.parse()?;
                eprintln!("Connecting to {key} in AWS KMS");
                let client = KmsClient::builder().for_key(&key).build().await?;
                let signer = KmsSigner::builder(client, key);
                self.grant_token.iter().fold(signer, |signer, token| signer.grant_token(token)).connect().await
            }
            None => {
                eprintln!("No --key-id and no KMS_KEY_ID: a KMS in this process with a new key is used");
                let fake = FakeKms::new();
                KmsSigner::new(fake.client(), fake.create_key()?, None).await
            }
        }
    }
}
