//! The policies attached to roles and users.

use alloy_primitives::Address;

use super::{
    document::{Document, Statement, prints_document},
    invalid,
    key_manager::KeyManagerBuilder,
    principal::Account,
    usage::{ENCRYPTION, SigningAlgorithm, signer_statements},
};
use crate::{
    error::Result,
    key_ref::{AliasArn, KeyArn},
};

/// An identity policy: what the role or user that it is attached to may do.
///
/// The key's own policy must let the account's IAM policies count, as [`KeyPolicy`](super::KeyPolicy) and AWS's default
/// key policy do; a key in another account must name the principal or its account, see
/// [`external_signer`](super::KeyPolicyBuilder::external_signer).
///
/// AWS's limits, white space not counted: a managed policy has at most 6,144 characters; the inline policies of a user
/// 2,048 together, of a group 5,120, of a role 10,240 ([IAM quotas][quotas]).
///
/// [quotas]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct IamPolicy(pub(super) Document);

impl IamPolicy {
    /// For a [`KmsSigner`](crate::KmsSigner) with these keys: `kms:GetPublicKey` and `kms:Sign`, the latter with
    /// `ECDSA_SHA_256` and a `DIGEST` only.
    ///
    /// It covers `preflight`. A signer that is given an alias needs no more: KMS checks the key that the alias leads
    /// to. Of a multi-Region key, name the ARN in each Region that is used for failover, or call
    /// [`in_every_region`](Self::in_every_region).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if no key is named.
    pub fn signer(keys: impl IntoIterator<Item = KeyArn>) -> Result<Self> {
        Self::signer_with(SigningAlgorithm::default(), keys)
    }

    /// As [`signer`](Self::signer), with another algorithm.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if no key is named.
    pub fn signer_with(algorithm: SigningAlgorithm, keys: impl IntoIterator<Item = KeyArn>) -> Result<Self> {
        let keys = texts(keys)?;
        Ok(Self::of(signer_statements(algorithm).map(|statement| statement.on(&keys))))
    }

    /// For a signer with whatever key has this alias, in its account and Region (`kms:ResourceAliases`).
    ///
    /// When the alias is pointed at another key, the permission goes with it, after up to five minutes. So **whoever
    /// may create or update aliases decides what is signed with**; see [ABAC for KMS][abac]. It does not matter whether
    /// the key is named by the alias or by ARN.
    ///
    /// ```
    /// use kms_signer::{KeyRef, iam::IamPolicy};
    ///
    /// if let KeyRef::AliasArn(alias) = "arn:aws:kms:us-east-1:111122223333:alias/relayer".parse()? {
    ///     println!("{}", IamPolicy::signer_by_alias(&alias));
    /// }
    /// # Ok::<_, kms_signer::Error>(())
    /// ```
    ///
    /// [abac]: https://docs.aws.amazon.com/kms/latest/developerguide/abac.html
    pub fn signer_by_alias(alias: &AliasArn) -> Self {
        let keys = format!("arn:{}:kms:{}:{}:key/*", alias.partition(), alias.region(), alias.account());
        Self::of(signer_statements(SigningAlgorithm::default()).map(|statement| {
            statement.on([&keys]).when("ForAnyValue:StringEquals", "kms:ResourceAliases", [alias.alias()])
        }))
    }

    /// For who encrypts and decrypts with these symmetric keys: `kms:Encrypt`, `kms:Decrypt` and `kms:DescribeKey`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if no key is named.
    pub fn encryptor(keys: impl IntoIterator<Item = KeyArn>) -> Result<Self> {
        Ok(Self::of([Statement::allow("EncryptAndDecrypt", ENCRYPTION).on(texts(keys)?)]))
    }

    /// For who seals and opens envelopes (`kms_signer::seal`), and encrypts and decrypts besides: what
    /// [`encryptor`](Self::encryptor) has, and `kms:GenerateDataKey`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if no key is named.
    pub fn sealer(keys: impl IntoIterator<Item = KeyArn>) -> Result<Self> {
        let actions = ENCRYPTION.into_iter().chain(["kms:GenerateDataKey"]);
        Ok(Self::of([Statement::allow("SealAndOpen", actions).on(texts(keys)?)]))
    }

    /// For a service that opens sealed signing keys of these addresses, and nothing else: `kms:Decrypt`, if the encryption context
    /// names one of them (`kms:EncryptionContext:address`). It can make no new ones.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if no key or no address is named.
    pub fn opener(
        keys: impl IntoIterator<Item = KeyArn>,
        addresses: impl IntoIterator<Item = Address>,
    ) -> Result<Self> {
        let addresses: Vec<_> = addresses.into_iter().map(|address| address.to_checksum(None)).collect();
        if addresses.is_empty() {
            return Err(invalid("the policy names no address; give at least one"));
        }
        let open = Statement::allow("Open", ["kms:Decrypt"]).on(texts(keys)?);
        Ok(Self::of([open.when("StringEquals", "kms:EncryptionContext:address", addresses)]))
    }

    /// For who looks at an account's keys: list keys and aliases, and describe, read the public key and list the tags
    /// of each.
    ///
    /// `kms:ListKeys` and `kms:ListAliases` can only be allowed for `*`.
    pub fn lister(account: &Account) -> Self {
        let read = ["kms:DescribeKey", "kms:GetPublicKey", "kms:ListResourceTags"];
        Self::of([list_statement(), Statement::allow("ReadKeys", read).on([account.every_key()])])
    }

    /// For who creates and manages keys from code, but never deletes them and never signs. Each key must have this tag;
    /// see [`KeyManagerBuilder`].
    pub fn key_manager(
        account: impl Into<Account>,
        tag_key: impl Into<String>,
        tag_value: impl Into<String>,
    ) -> KeyManagerBuilder {
        KeyManagerBuilder::new(account.into(), tag_key.into(), tag_value.into())
    }

    /// Extends what is said of a multi-Region key (`mrk-…`) to its replicas in every Region. Other keys stay as they
    /// are.
    pub fn in_every_region(mut self) -> Self {
        self.0.map_resources(|resource| match resource.parse::<KeyArn>() {
            Ok(key) if key.is_multi_region() => {
                format!("arn:{}:kms:*:{}:key/{}", key.partition(), key.account(), key.key_id())
            }
            _ => resource,
        });
        self
    }

    /// One policy with the statements of both. A `Sid` that both have gets a number.
    ///
    /// What one denies stays denied, whatever the other allows.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0.into_statements());
        self
    }

    fn of(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self(Document::new(statements))
    }
}

prints_document!(IamPolicy);

pub(super) fn list_statement() -> Statement {
    Statement::allow("List", ["kms:ListKeys", "kms:ListAliases"]).on(["*"])
}

fn texts(keys: impl IntoIterator<Item = KeyArn>) -> Result<Vec<String>> {
    let keys: Vec<_> = keys.into_iter().map(|key| key.to_string()).collect();
    if keys.is_empty() { Err(invalid("the policy names no key; give at least one key ARN")) } else { Ok(keys) }
}
