//! The policy attached to a key.

use super::{
    document::{Document, Statement, prints_document},
    invalid,
    principal::{Account, Principal},
    usage::{ENCRYPTION, SIGNER_GRANT, SigningAlgorithm, signer_statements},
};
use crate::error::Result;

/// A key policy: what each principal may do with the key it is attached to.
///
/// Unless [`without_account_root`](KeyPolicyBuilder::without_account_root) says otherwise, the account keeps `kms:*`,
/// as in [AWS's default key policy][default]: its IAM policies then count for this key, and the key cannot become
/// unmanageable. It is the only wildcard among the actions. `Resource` is `*`, which in a key policy means this key.
///
/// KMS refuses a policy under which the caller who sets it, or who creates a key with it, could not change it again
/// (the [lockout safety check][default]): that caller needs `kms:PutKeyPolicy`, by an administrator's statement here,
/// or by an IAM policy while the account keeps `kms:*`.
///
/// ```
/// use kms_signer::iam::{Account, KeyPolicy};
///
/// let policy = KeyPolicy::builder(Account::new("aws", "111122223333")?)
///     .administrator("arn:aws:iam::111122223333:role/key-admin".parse()?)
///     .signer("arn:aws:iam::111122223333:role/relayer".parse()?)
///     .external_signer("arn:aws:iam::444455556666:role/treasury".parse()?)
///     .build()?;
/// println!("{policy}");
/// # Ok::<_, kms_signer::Error>(())
/// ```
///
/// [default]: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct KeyPolicy(Document);

/// Builds a [`KeyPolicy`].
#[derive(Clone, Debug)]
#[must_use]
pub struct KeyPolicyBuilder {
    account: Account,
    account_root: bool,
    algorithm: SigningAlgorithm,
    administrators: Vec<Principal>,
    signers: Vec<Principal>,
    external_signers: Vec<Principal>,
    encryptors: Vec<Principal>,
    grantors: Vec<Principal>,
}

/// The longest key policy, in bytes (KMS's resource quota "Key policy document size").
const MAX_LEN: usize = 32 * 1024;

/// What AWS's console lets a key administrator do, named one by one, without `kms:CreateGrant`: who may grant anything may
/// as well use the key.
const ADMINISTRATION: [&str; 28] = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetParametersForImport",
    "kms:GetPublicKey",
    "kms:ImportKeyMaterial",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
];

impl KeyPolicy {
    /// A policy for a key of this account.
    pub fn builder(account: impl Into<Account>) -> KeyPolicyBuilder {
        KeyPolicyBuilder {
            account: account.into(),
            account_root: true,
            algorithm: SigningAlgorithm::default(),
            administrators: Vec::new(),
            signers: Vec::new(),
            external_signers: Vec::new(),
            encryptors: Vec::new(),
            grantors: Vec::new(),
        }
    }
}

prints_document!(KeyPolicy);

impl KeyPolicyBuilder {
    /// Lets a principal of the account administer the key, but not use it: describe, enable, disable, tag, alias,
    /// import, replicate, revoke grants, **change this policy**, and schedule and cancel the key's deletion.
    ///
    /// Who may change the policy can let in anyone, themselves included. CloudTrail records it.
    pub fn administrator(mut self, principal: Principal) -> Self {
        self.administrators.push(principal);
        self
    }

    /// Lets a principal of the account sign: `kms:GetPublicKey` and `kms:Sign`, the latter with one
    /// [algorithm](Self::algorithm) only.
    ///
    /// It is all that [`KmsSigner`](crate::KmsSigner) needs, `preflight` included: a `Sign` with `DryRun` is authorised
    /// as any other.
    pub fn signer(mut self, principal: Principal) -> Self {
        self.signers.push(principal);
        self
    }

    /// Lets another account's principal sign, or with that account's root whomever its own IAM policies let.
    ///
    /// The principal also needs an identity policy in its own account, [`IamPolicy::signer`](super::IamPolicy::signer)
    /// with this key's ARN, and must name the key by ARN. See
    /// [Allowing users in other accounts to use a KMS key][external].
    ///
    /// [external]: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
    pub fn external_signer(mut self, principal: Principal) -> Self {
        self.external_signers.push(principal);
        self
    }

    /// Lets a principal of the account use a symmetric key: `kms:Encrypt`, `kms:Decrypt` and `kms:DescribeKey`.
    pub fn encryptor(mut self, principal: Principal) -> Self {
        self.encryptors.push(principal);
        self
    }

    /// Lets a principal of the account make grants of `GetPublicKey` and `Sign` (`kms:GrantOperations`), to anyone, and
    /// list and revoke the key's grants.
    ///
    /// In effect it may sign: it can grant that to itself.
    pub fn grantor(mut self, principal: Principal) -> Self {
        self.grantors.push(principal);
        self
    }

    /// The algorithm that signers may use, [`EcdsaSha256`](SigningAlgorithm::EcdsaSha256) if not set.
    pub fn algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Leaves out the account's `kms:*`: only the principals named here can do anything with the key, and IAM policies
    /// alone give no access.
    ///
    /// If the administrators are deleted, only AWS Support can bring the key back under control.
    pub fn without_account_root(mut self) -> Self {
        self.account_root = false;
        self
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a principal is of another partition, or of another account
    /// where one of this account belongs or the other way round; if the policy has
    /// [no account root](Self::without_account_root) and no administrator; or if it is longer than KMS takes (32 KiB).
    pub fn build(self) -> Result<KeyPolicy> {
        self.check_accounts()?;
        if !self.account_root && self.administrators.is_empty() {
            return Err(invalid(
                "without the account's root nobody could manage the key; name an administrator, or leave the root in",
            ));
        }
        let policy = KeyPolicy(Document::new(self.statements()));
        let length = policy.to_json().len();
        if length > MAX_LEN {
            return Err(invalid(format!(
                "the key policy has {length} bytes, KMS takes {MAX_LEN}; name fewer principals, or let IAM policies say who may use the key"
            )));
        }
        Ok(policy)
    }

    fn check_accounts(&self) -> Result<()> {
        let own = [&self.administrators, &self.signers, &self.encryptors, &self.grantors].into_iter().flatten();
        for principal in own {
            if principal.owner() != &self.account {
                return Err(invalid(format!(
                    "{principal} is not of the key's account {} ({}); another account's principal can only be an external signer",
                    self.account.id(),
                    self.account.partition(),
                )));
            }
        }
        for principal in &self.external_signers {
            if principal.partition() != self.account.partition() {
                return Err(invalid(format!(
                    "{principal} is of another partition than the key ({}); no access leads from one to the other",
                    self.account.partition(),
                )));
            }
            if principal.account() == self.account.id() {
                return Err(invalid(format!("{principal} is of the key's own account; add it as a signer")));
            }
        }
        Ok(())
    }

    fn statements(&self) -> Vec<Statement> {
        let root = self.account_root.then(|| self.account.root());
        let mut statements = Vec::new();
        let mut add = |principals: &[Principal], statement: Statement| {
            if !principals.is_empty() {
                statements.push(statement.principals(principals).on(["*"]));
            }
        };
        add(root.as_slice(), Statement::allow("EnableIamPolicies", ["kms:*"]));
        add(&self.administrators, Statement::allow("Administer", ADMINISTRATION));
        for statement in signer_statements(self.algorithm) {
            add(&self.signers, statement);
        }
        for statement in signer_statements(self.algorithm) {
            add(&self.external_signers, statement.sid_suffix("FromOtherAccount"));
        }
        add(&self.encryptors, Statement::allow("EncryptAndDecrypt", ENCRYPTION));
        let grant = Statement::allow("GrantSigning", ["kms:CreateGrant"]);
        add(&self.grantors, grant.when("ForAllValues:StringEquals", "kms:GrantOperations", SIGNER_GRANT));
        add(&self.grantors, Statement::allow("RevokeGrants", ["kms:ListGrants", "kms:RevokeGrant"]));
        statements
    }
}
