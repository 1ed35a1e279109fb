//! The connection test: is this a key to encrypt with, and may this caller?

use aws_sdk_kms::{
    operation::decrypt::DecryptOutput,
    types::{KeySpec, KeyState, KeyUsageType},
};

use super::{EncryptionContext, SymmetricKey, ciphertext_of, missing};
use crate::error::{ErrorKind, Operation, Result, one_line};

impl SymmetricKey {
    /// Checks that the key is there, is symmetric and enabled, and that this caller may encrypt and decrypt with it under this
    /// context. Nothing is encrypted: both rights are asked for with `DryRun`, of which KMS answers whether the call would have
    /// succeeded ([Testing your permissions][dry]). It costs three requests.
    ///
    /// Needs `kms:DescribeKey`, `kms:Encrypt` and `kms:Decrypt`, as in
    /// [`IamPolicy::encryptor`](crate::iam::IamPolicy::encryptor). Give the context that will be used, or an empty one, if a policy
    /// asks for none.
    ///
    /// An emulator that knows no dry run encrypts a byte of zero, and is asked to decrypt it.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::KeyNotFound`]: there is no such key.
    /// - [`ErrorKind::KeyUnsuitable`]: it is of another kind than `SYMMETRIC_DEFAULT` for `ENCRYPT_DECRYPT`.
    /// - [`ErrorKind::KeyUnusable`]: its state is not `Enabled`.
    /// - [`ErrorKind::AccessDenied`]: one of the three rights is missing; [`operation`](crate::Error::operation) says which.
    /// - [`ErrorKind::KeyChanged`]: an alias leads to another key than before.
    /// - The others that a request ends with.
    ///
    /// [dry]: https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html
    pub async fn validate(&self, context: &EncryptionContext) -> Result<()> {
        self.describe(context).await?;
        let options = self.options(context, Operation::Encrypt)?;
        let encrypted = self.client.encrypt_dry_run(self.key(), options).await?;
        let ciphertext = match encrypted {
            Some(answer) => {
                self.answered(answer.key_id(), Operation::Encrypt)?;
                Some(ciphertext_of(answer.ciphertext_blob, Operation::Encrypt)?)
            }
            None => None,
        };
        let read = |answer: DecryptOutput| self.answered(answer.key_id(), Operation::Decrypt).map(drop);
        self.client.decrypt_dry_run(self.key(), ciphertext.as_deref(), options, read).await
    }

    async fn describe(&self, context: &EncryptionContext) -> Result<()> {
        let options = self.options(context, Operation::DescribeKey)?;
        let metadata = self.client.describe_symmetric(self.key(), options).await?;
        let answered = self.answered(metadata.arn().or(Some(metadata.key_id())), Operation::DescribeKey)?;
        let absent = |field| missing(Operation::DescribeKey, field);
        let (spec, usage) = (
            metadata.key_spec().ok_or_else(|| absent("KeySpec"))?,
            metadata.key_usage().ok_or_else(|| absent("KeyUsage"))?,
        );
        if (spec, usage) != (&KeySpec::SymmetricDefault, &KeyUsageType::EncryptDecrypt) {
            let is = one_line(&format!("{} for {}", spec.as_str(), usage.as_str()));
            let message = format!("the key is {is}, not SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT");
            return Err(self
                .error(ErrorKind::KeyUnsuitable, Operation::DescribeKey, message)
                .with_remedy("give a symmetric key; SymmetricKey::ensure makes one"));
        }
        let state = metadata.key_state().ok_or_else(|| absent("KeyState"))?;
        if *state != KeyState::Enabled {
            let message = format!("the key is in state {}", one_line(state.as_str()));
            return Err(self
                .error(ErrorKind::KeyUnusable, Operation::DescribeKey, message)
                .with_remedy("enable it (kms:EnableKey), or cancel its deletion first (kms:CancelKeyDeletion)"));
        }
        self.keep(&answered, Operation::DescribeKey)
    }
}
