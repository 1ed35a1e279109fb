//! Who a policy is about: an AWS account, or a principal within one.

use core::{fmt, str::FromStr};

use super::invalid;
use crate::{
    error::{Error, Result},
    key_ref::KeyArn,
};

/// An AWS account: its partition and its 12 digits.
///
/// ```
/// use kms_signer::iam::Account;
///
/// let account = Account::new("aws-us-gov", "111122223333")?;
/// assert_eq!(account.root().to_string(), "arn:aws-us-gov:iam::111122223333:root");
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    partition: String,
    id: String,
}

/// An IAM principal: a role, a user, a session of a role or of a federated user, or a whole account.
///
/// | principal | ARN |
/// |---|---|
/// | role | `arn:aws:iam::111122223333:role/path/relayer` |
/// | user | `arn:aws:iam::111122223333:user/alice` |
/// | account | `arn:aws:iam::111122223333:root` |
/// | session of a role | `arn:aws:sts::111122223333:assumed-role/relayer/session` |
/// | session of a federated user | `arn:aws:sts::111122223333:federated-user/alice` |
///
/// Any partition is accepted (`aws`, `aws-cn`, `aws-us-gov`, later ones). The `root` ARN stands for the account: it
/// lets every principal of the account in whom that account's IAM policies allow the action. Wildcards, groups (no
/// principals for AWS), services and account numbers without an ARN are refused. The forms are those of IAM's
/// [`Principal` element][principal].
///
/// AWS refuses a policy with a principal that does not exist. When one is deleted, its ARN in a policy becomes its
/// unique id and matches nobody, not even a new principal of the same name.
///
/// ```
/// use kms_signer::iam::Principal;
///
/// let role: Principal = "arn:aws-cn:iam::111122223333:role/services/relayer".parse()?;
/// assert_eq!((role.partition(), role.account()), ("aws-cn", "111122223333"));
/// assert!("*".parse::<Principal>().is_err());
/// # Ok::<_, kms_signer::Error>(())
/// ```
///
/// [principal]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal {
    text: String,
    account: Account,
}

/// The longest label of a host name (RFC 1035): a partition's name is far shorter.
const PARTITION_MAX_LEN: usize = 63;
/// The longest path of a user or role, its first and last `/` included.
const PATH_MAX_LEN: usize = 512;
/// The longest name of a user, of a role, and of a role's session.
const NAME_MAX_LEN: usize = 64;
/// The longest name of a federated user.
const FEDERATED_MAX_LEN: usize = 32;

impl Account {
    /// An account by its partition and its 12 digits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the partition does not begin with `aws` or is not lower-case
    /// letters, digits and `-`, or if the account is not 12 digits.
    pub fn new(partition: &str, id: &str) -> Result<Self> {
        let is_name = partition.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !partition.starts_with("aws") || !is_name || partition.len() > PARTITION_MAX_LEN {
            return Err(invalid("the partition is none of AWS's (aws, aws-cn, aws-us-gov, …)"));
        }
        if !is_account_id(id) {
            return Err(invalid("an AWS account is 12 digits"));
        }
        Ok(Self { partition: partition.to_owned(), id: id.to_owned() })
    }

    /// The partition, for instance `aws` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The account, 12 digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The principal that stands for the whole account.
    #[must_use]
    pub fn root(&self) -> Principal {
        Principal { text: format!("arn:{}:iam::{}:root", self.partition, self.id), account: self.clone() }
    }

    /// The pattern that matches every key of the account, in every Region.
    pub(super) fn every_key(&self) -> String {
        format!("arn:{}:kms:*:{}:key/*", self.partition, self.id)
    }
}

impl Principal {
    /// The partition, for instance `aws` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.account.partition
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        &self.account.id
    }

    /// Whether it stands for the whole account.
    pub fn is_account_root(&self) -> bool {
        self.text.ends_with(":root")
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn owner(&self) -> &Account {
        &self.account
    }
}

impl FromStr for Principal {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the text is not the ARN of such a principal. The error says
    /// what it looks like instead.
    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
        if arn != "arn" || text.contains(['*', '?']) {
            return Err(invalid(describe(text)));
        }
        let account = Account::new(partition, account)?;
        if !region.is_empty() {
            return Err(invalid("the ARN of a principal names no Region; write two colons after iam or sts"));
        }
        check_resource(service, resource)?;
        Ok(Self { text: text.to_owned(), account })
    }
}

fn check_resource(service: &str, resource: &str) -> Result<()> {
    let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
    match (service, kind) {
        ("iam", "root") if resource == "root" => Ok(()),
        ("iam", "role" | "user") => {
            let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
            // With the first and last slash of "/path/".
            if path.len() + 2 > PATH_MAX_LEN || !path.bytes().all(|b| b.is_ascii_graphic() && b != b'$') {
                return Err(invalid("the path of a user or role is at most 512 characters of printable ASCII"));
            }
            check_name(name, 1, NAME_MAX_LEN)
        }
        ("sts", "assumed-role") => match rest.split_once('/') {
            Some((role, session)) => {
                check_name(role, 1, NAME_MAX_LEN)?;
                check_name(session, 2, NAME_MAX_LEN)
            }
            None => Err(invalid(
                "a session of a role is …:assumed-role/<role>/<session>; name the role, arn:…:iam::…:role/…, for every session of it",
            )),
        },
        ("sts", "federated-user") => check_name(rest, 2, FEDERATED_MAX_LEN),
        ("iam", "group") => Err(invalid("a group is no principal; name its users, or let them assume a role")),
        ("iam", "instance-profile") => Err(invalid("an instance profile is no principal; name the role in it")),
        _ => Err(invalid(
            "the ARN is of no principal; it should be arn:<partition>:iam::<account>: and role/…, user/… or root, or arn:<partition>:sts::<account>:assumed-role/<role>/<session>",
        )),
    }
}

/// IAM's characters for the names of users, roles and sessions: `[\w+=,.@-]`.
fn check_name(name: &str, min: usize, max: usize) -> Result<()> {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
    if !is_name || !(min..=max).contains(&name.len()) {
        return Err(invalid(format!(
            "the ARN ends in no name, which is {min} to {max} letters, digits or any of _+=,.@-"
        )));
    }
    Ok(())
}

/// What a text that is no principal looks like, without a character of it: people paste secrets into wrong fields.
fn describe(text: &str) -> &'static str {
    if text.contains(['*', '?']) {
        "a wildcard would let in principals nobody has named; name each role or user, or an account by arn:<partition>:iam::<account>:root"
    } else if is_account_id(text) {
        "an account is named by its ARN, arn:<partition>:iam::<account>:root"
    } else if text.contains(".amazonaws.com") {
        "an AWS service is no principal here; name the role that the service runs with"
    } else if ["AROA", "AIDA", "AKIA", "ASIA"].iter().any(|prefix| text.starts_with(prefix)) {
        "this looks like a unique id or an access key id; name the role or user by its ARN"
    } else if text.trim() != text {
        "the text has white space around it"
    } else {
        "a principal is named by its ARN, for instance arn:aws:iam::<account>:role/<name>"
    }
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

impl AsRef<str> for Principal {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The account that a key belongs to.
impl From<&KeyArn> for Account {
    fn from(key: &KeyArn) -> Self {
        Self { partition: key.partition().to_owned(), id: key.account().to_owned() }
    }
}

/// The account that a principal belongs to.
impl From<&Principal> for Account {
    fn from(principal: &Principal) -> Self {
        principal.account.clone()
    }
}
