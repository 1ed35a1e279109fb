//! Who asks, and whether that principal may.

use std::collections::BTreeMap;

use alloy_primitives::{hex, keccak256};

use super::{
    FakeKms,
    policy::{self, Ask, Policy, Verdict},
    refusal::Refusal,
    transport,
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// Who calls where no principal is known: a user whom IAM allows everything.
pub(super) const ADMINISTRATOR: &str = "arn:aws:iam::111122223333:user/fake";

/// An IAM principal: a user, a role, a session of a role, or the root of an account.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    arn: String,
    account: String,
    /// The role of a session.
    role: Option<String>,
}

/// The principals that may call, by access key id, and the IAM policies attached to them.
#[derive(Default)]
pub(super) struct Access {
    principals: BTreeMap<String, String>,
    /// By the ARN of whom they are attached to.
    policies: BTreeMap<String, Vec<Policy>>,
}

/// A principal that calls, with its IAM policies.
pub(super) struct Caller {
    pub(super) principal: Principal,
    policies: Vec<Policy>,
}

impl FakeKms {
    /// As [`client`](Self::client), but what it asks is judged as asked by an IAM principal: a user, a role, a session
    /// of a role, or the root of an account. See [who may do what](super#who-may-do-what).
    ///
    /// A text that is not the ARN of a principal is that of somebody whom no policy can allow anything.
    #[must_use]
    pub fn client_as(&self, principal: &str) -> aws_sdk_kms::Client {
        let (id, secret) = self.access_key_for(principal);
        transport::client(self.clone(), &id, &secret)
    }

    /// The access key of a principal, id and secret, for a caller who comes over HTTP. It is always the same one.
    ///
    /// Signatures are not checked: the id in the `Authorization` header is what tells who calls.
    pub fn access_key_for(&self, principal: &str) -> (String, String) {
        self.1.with(|members| members.access.key_for(principal))
    }

    /// Attaches an IAM policy (JSON) to a principal, beside those it has. A session of a role has the policies of its
    /// role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not a policy, or has something in it that FakeKms does not know, such as
    /// `NotPrincipal`.
    pub fn attach_policy(&self, principal: &str, json: &str) -> Result<()> {
        let policy =
            Policy::of_identity(json).map_err(|wrong| Error::new(ErrorKind::Config, Operation::Fake, wrong))?;
        self.1.with(|members| members.access.attach(principal, policy));
        Ok(())
    }
}

impl Principal {
    /// Nothing if it is not the ARN of a principal, for instance `arn:aws:iam::111122223333:role/signer`, or that of
    /// many (`…:role/*`).
    pub(super) fn new(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let is_one = !arn.contains(['*', '?']) && policy::is_account(account);
        if prefix != "arn" || !partition.starts_with("aws") || !region.is_empty() || !is_one {
            return None;
        }
        let role = match (service, resource.split_once('/')) {
            ("iam", Some(("user" | "role", name))) if !name.is_empty() => None,
            ("iam", None) if resource == "root" => None,
            ("sts", Some(("assumed-role", session))) => {
                let (role, _) = session.split_once('/')?;
                Some(format!("arn:{partition}:iam::{account}:role/{role}"))
            }
            ("sts", Some(("federated-user", _))) => None,
            _ => return None,
        };
        Some(Self { arn: arn.to_owned(), account: account.to_owned(), role })
    }

    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Whether it belongs to the account that all keys are in.
    pub(super) fn is_local(&self) -> bool {
        self.account == FakeKms::ACCOUNT
    }

    /// Whether this ARN names it, or the role that it is a session of.
    pub(super) fn is(&self, arn: &str) -> bool {
        self.arn == arn || self.role.as_deref() == Some(arn)
    }

    /// What `aws:PrincipalArn` is: for a session its role.
    pub(super) fn identity(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.arn)
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    /// Whether IAM allows it everything.
    fn is_almighty(&self) -> bool {
        self.arn == ADMINISTRATOR || self.arn.ends_with(":root")
    }
}

impl Access {
    /// The access key of a principal: id and secret, always the same.
    pub(super) fn key_for(&mut self, arn: &str) -> (String, String) {
        let digits = hex::encode(keccak256(arn));
        let (id, secret) = (digits.get(..16).unwrap_or_default(), digits.get(24..64).unwrap_or_default());
        let id = format!("AKIA{}", id.to_ascii_uppercase());
        self.principals.insert(id.clone(), arn.to_owned());
        (id, secret.to_owned())
    }

    pub(super) fn attach(&mut self, arn: &str, policy: Policy) {
        self.policies.entry(arn.to_owned()).or_default().push(policy);
    }

    /// Who has this access key. Nothing for those of administrators.
    pub(super) fn caller(&self, access_key_id: &str) -> Option<Caller> {
        let arn = self.principals.get(access_key_id)?;
        // A principal that is none is in no account, so that nothing can allow it anything.
        let nobody = || Principal { arn: arn.clone(), account: String::new(), role: None };
        let principal = Principal::new(arn).unwrap_or_else(nobody);
        let of = |arn: &str| self.policies.get(arn).cloned().unwrap_or_default();
        let mut policies = of(arn);
        policies.extend(principal.role.as_deref().map(of).unwrap_or_default());
        Some(Caller { principal, policies })
    }

    pub(super) fn take_over(&mut self, other: Self) {
        self.principals.extend(other.principals);
        for (arn, policies) in other.policies {
            self.policies.entry(arn).or_default().extend(policies);
        }
    }
}

impl Caller {
    pub(super) fn administrator() -> Self {
        let account = FakeKms::ACCOUNT.to_owned();
        Self { principal: Principal { arn: ADMINISTRATOR.to_owned(), account, role: None }, policies: Vec::new() }
    }

    /// Whether it may do something to a key: by the key's policy, its own, and grants.
    pub(super) fn check_key(&self, ask: Ask<'_>, key_policy: &Policy, is_granted: bool) -> Result<(), Refusal> {
        let (by_key, by_identity) = (key_policy.verdict(ask), self.identity_verdict(ask));
        if by_key.is_denied {
            return Err(denied(ask, "with an explicit deny in a resource-based policy"));
        }
        if by_identity.is_denied {
            return Err(denied(ask, "with an explicit deny in an identity-based policy"));
        }
        let is_local = self.principal.is_local();
        let is_shared = by_key.is_allowed || by_key.is_delegated || is_granted;
        if is_local && (by_key.is_allowed || is_granted) || is_shared && by_identity.is_allowed {
            return Ok(());
        }
        let kind = match (is_shared, is_local) {
            (true, _) => "identity",
            (false, true) => "resource",
            (false, false) => {
                return Err(Refusal::not_shared(ask.principal.arn(), ask.action, ask.resource));
            }
        };
        Err(denied(ask, &format!("because no {kind}-based policy allows the {} action", ask.action)))
    }

    /// Whether its own policies let it do something to no key: those of the account's root need none.
    pub(super) fn check_identity(&self, ask: Ask<'_>) -> Result<(), Refusal> {
        let verdict = self.identity_verdict(ask);
        if verdict.is_denied {
            return Err(denied(ask, "with an explicit deny in an identity-based policy"));
        }
        if !verdict.is_allowed {
            let why = format!("because no identity-based policy allows the {} action", ask.action);
            return Err(denied(ask, &why));
        }
        Ok(())
    }

    fn identity_verdict(&self, ask: Ask<'_>) -> Verdict {
        let verdicts = self.policies.iter().map(|policy| policy.verdict(ask));
        verdicts.fold(Verdict { is_allowed: self.principal.is_almighty(), ..Verdict::default() }, |all, one| Verdict {
            is_denied: all.is_denied || one.is_denied,
            is_allowed: all.is_allowed || one.is_allowed,
            ..all
        })
    }
}

fn denied(ask: Ask<'_>, why: &str) -> Refusal {
    Refusal::access_denied(ask.principal.arn(), ask.action, ask.resource, why)
}
