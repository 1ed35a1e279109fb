//! The least-privilege policies, by name.

use clap::Subcommand;
use kms_signer::{
    KeyArn,
    iam::{Account, IamPolicy, KeyPolicy, Principal, TrustPolicy},
};

use crate::{cli::Outcome, command::pair};

#[derive(Subcommand)]
pub(crate) enum Document {
    /// Key policy: a principal of this account may sign, its IAM policies decide the rest.
    KeySigner {
        #[command(flatten)]
        account: AccountArgs,
        /// The ARN of a role or user. May be given more than once.
        #[arg(long, required = true)]
        principal: Vec<Principal>,
    },
    /// Key policy: a principal of another account may sign.
    ExternalSigner {
        #[command(flatten)]
        account: AccountArgs,
        /// The ARN of a role or user of the other account. May be given more than once.
        #[arg(long, required = true)]
        principal: Vec<Principal>,
    },
    /// Key policy: a principal may manage the key, and not use it.
    Administrator {
        #[command(flatten)]
        account: AccountArgs,
        /// The ARN of a role or user. May be given more than once.
        #[arg(long, required = true)]
        principal: Vec<Principal>,
    },
    /// IAM policy: GetPublicKey and Sign, and nothing else.
    Signer {
        /// A key ARN. May be given more than once.
        #[arg(long, required = true)]
        key: Vec<KeyArn>,
    },
    /// IAM policy: Encrypt, Decrypt and DescribeKey.
    Encryptor {
        /// A key ARN. May be given more than once.
        #[arg(long, required = true)]
        key: Vec<KeyArn>,
    },
    /// IAM policy: make and look after keys with one tag, neither sign with them nor delete them.
    Manager {
        #[command(flatten)]
        account: AccountArgs,
        /// The tag that each of its keys has.
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        tag: (String, String),
        /// How its aliases begin. Without it, it makes none.
        #[arg(long, value_name = "ALIAS")]
        alias_prefix: Option<String>,
        /// A Region for replicas. May be given more than once.
        #[arg(long, value_name = "REGION")]
        replica_region: Vec<String>,
        /// Who may be granted to sign: the ARN of a role or user. May be given more than once. Without it, nobody.
        #[arg(long, value_name = "PRINCIPAL")]
        grantee: Vec<Principal>,
        /// Only keys of this spec, for instance ECC_SECG_P256K1. May be given more than once.
        #[arg(long, value_name = "SPEC")]
        key_spec: Vec<String>,
        /// Let it import keys. Whoever imports a key can sign with it elsewhere.
        #[arg(long)]
        imports: bool,
        /// Let it set key policies. It can then let in anyone.
        #[arg(long)]
        key_policies: bool,
    },
    /// IAM policy: list keys, aliases and tags, and read public keys.
    Lister {
        #[command(flatten)]
        account: AccountArgs,
    },
    /// Trust policy of a role: who may take it on, with which external id.
    Trust {
        /// Who: the ARN of an account's root, a role or a user.
        #[arg(long)]
        principal: Principal,
        /// The external id that is asked for.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
    },
}

#[derive(clap::Args)]
pub(crate) struct AccountArgs {
    /// The account, 12 digits.
    #[arg(long)]
    account: String,
    /// The partition: aws, aws-cn, aws-us-gov.
    #[arg(long, default_value = "aws")]
    partition: String,
}

impl AccountArgs {
    fn account(&self) -> kms_signer::Result<Account> {
        Account::new(&self.partition, &self.account)
    }
}

impl Document {
    /// As JSON.
    pub(crate) fn text(&self) -> Outcome<String> {
        Ok(match self {
            Self::KeySigner { account, principal } => {
                let policy = KeyPolicy::builder(account.account()?);
                principal.iter().cloned().fold(policy, |policy, who| policy.signer(who)).build()?.to_string()
            }
            Self::ExternalSigner { account, principal } => {
                let policy = KeyPolicy::builder(account.account()?);
                principal.iter().cloned().fold(policy, |policy, who| policy.external_signer(who)).build()?.to_string()
            }
            Self::Administrator { account, principal } => {
                let policy = KeyPolicy::builder(account.account()?);
                principal.iter().cloned().fold(policy, |policy, who| policy.administrator(who)).build()?.to_string()
            }
            Self::Signer { key } => IamPolicy::signer(key.iter().cloned())?.to_string(),
            Self::Encryptor { key } => IamPolicy::encryptor(key.iter().cloned())?.to_string(),
            Self::Manager {
                account,
                tag: (key, value),
                alias_prefix,
                replica_region,
                grantee,
                key_spec,
                imports,
                key_policies,
            } => {
                let mut policy = IamPolicy::key_manager(account.account()?, key, value);
                if let Some(prefix) = alias_prefix {
                    policy = policy.alias_prefix(prefix);
                }
                for region in replica_region {
                    policy = policy.replica_region(region);
                }
                policy = grantee.iter().cloned().fold(policy, |policy, who| policy.grantee(who));
                policy = key_spec.iter().fold(policy, |policy, spec| policy.key_spec(spec));
                if *imports {
                    policy = policy.imports();
                }
                if *key_policies {
                    policy = policy.key_policies();
                }
                policy.build()?.to_string()
            }
            Self::Lister { account } => IamPolicy::lister(&account.account()?).to_string(),
            Self::Trust { principal, external_id } => {
                let mut policy = TrustPolicy::new(principal.clone());
                if let Some(id) = external_id {
                    policy = policy.external_id(id)?;
                }
                policy.to_string()
            }
        })
    }
}
