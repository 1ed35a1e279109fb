//! How an operation reads its `KeyId`.

use crate::{
    fake::{FakeKms, access::ADMINISTRATOR, refusal::Refusal},
    key_ref::KeyRef,
};

#[derive(Clone, Copy)]
pub(in crate::fake) struct Lookup<'a> {
    operation: &'a str,
    /// The ARN of who asks.
    caller: &'a str,
    takes_aliases: bool,
    has_invalid_arn: bool,
    /// Also what is not known everywhere yet.
    pub(super) sees_all: bool,
}

/// What a `KeyId` names.
pub(super) enum Target {
    Key(String),
    Alias(String),
}

impl<'a> Lookup<'a> {
    pub(in crate::fake) fn of(operation: &'a str) -> Self {
        Self {
            operation,
            caller: ADMINISTRATOR,
            takes_aliases: matches!(operation, "DescribeKey" | "GetPublicKey" | "Sign") || is_cipher(operation),
            // The other operations' models lack `InvalidArnException`.
            has_invalid_arn: !matches!(operation, "Sign" | "CreateAlias" | "UpdateAlias") && !is_cipher(operation),
            sees_all: false,
        }
    }

    /// Asked by this principal.
    pub(in crate::fake) fn by(self, caller: &'a str) -> Self {
        Self { caller, ..self }
    }

    /// Not a request, but a call of FakeKms's own.
    pub(in crate::fake) fn within(self) -> Self {
        Self { sees_all: true, ..self }
    }

    pub(super) fn target(self, text: &str, region: &str) -> Result<Target, Refusal> {
        let reference: KeyRef = text.parse().map_err(|_| self.invalid(text))?;
        match &reference {
            KeyRef::Arn(arn) => self.check_place(text, [arn.partition(), arn.region(), arn.account()], region)?,
            KeyRef::AliasArn(arn) => self.check_place(text, [arn.partition(), arn.region(), arn.account()], region)?,
            _ => {}
        }
        match reference {
            KeyRef::Alias(alias) if self.takes_aliases => Ok(Target::Alias(alias.to_string())),
            KeyRef::AliasArn(arn) if self.takes_aliases => Ok(Target::Alias(arn.alias().to_string())),
            reference => match reference.key_id() {
                Some(id) => Ok(Target::Key(id.to_string())),
                None => Err(self.invalid(text)),
            },
        }
    }

    fn check_place(self, text: &str, [partition, region, account]: [&str; 3], here: &str) -> Result<(), Refusal> {
        if partition != "aws" {
            return Err(self.invalid(text));
        }
        if region != here {
            return Err(Refusal::not_found(format!("Invalid arn {region}")));
        }
        if account != FakeKms::ACCOUNT {
            return Err(Refusal::not_shared(self.caller, &format!("kms:{}", self.operation), text));
        }
        Ok(())
    }

    fn invalid(self, text: &str) -> Refusal {
        if self.has_invalid_arn && text.starts_with("arn:") {
            Refusal::new("InvalidArnException", format!("Invalid arn {text}"))
        } else {
            Refusal::not_found(format!("Invalid keyId '{text}'"))
        }
    }
}

/// Whether an operation uses a symmetric key, so that it has an encryption context.
pub(in crate::fake) fn is_cipher(operation: &str) -> bool {
    matches!(operation, "Decrypt" | "Encrypt" | "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext")
}
