//! Rules for EIP-712 typed data.

use alloy_primitives::{Address, U256};
use alloy_sol_types::Eip712Domain;
use serde::Deserialize;

use super::{Allow, Named, Rule, address};

/// EIP-712 typed data that is allowed, by its domain and its primary type. The domain's salt and the message itself are not looked at.
///
/// Every key must be given. `any` allows a domain that lacks the field, too; a list does not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TypedDataRule {
    /// What errors and records call it.
    pub name: String,
    /// Names of the domain.
    pub domain_names: Allow<String>,
    /// Versions of the domain, as text.
    pub domain_versions: Allow<String>,
    /// Chain ids of the domain.
    pub chain_ids: Allow<u64>,
    /// Contracts that verify the signature.
    #[serde(deserialize_with = "address::addresses")]
    pub verifying_contracts: Allow<Address>,
    /// Names of the struct that is signed.
    pub primary_types: Allow<String>,
}

impl TypedDataRule {
    /// A rule that allows nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            domain_names: Allow::default(),
            domain_versions: Allow::default(),
            chain_ids: Allow::default(),
            verifying_contracts: Allow::default(),
            primary_types: Allow::default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum Check {
    VerifyingContract,
    ChainId,
    PrimaryType,
    DomainName,
    DomainVersion,
}

impl Named for TypedDataRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        let lists = [
            ("domain_names", self.domain_names.is_nothing()),
            ("domain_versions", self.domain_versions.is_nothing()),
            ("chain_ids", self.chain_ids.is_nothing()),
            ("verifying_contracts", self.verifying_contracts.is_nothing()),
            ("primary_types", self.primary_types.is_nothing()),
        ];
        match lists.iter().find(|(_, is_nothing)| *is_nothing) {
            Some((key, _)) => Err(format!(r#"allows no {key}: list some, or say "any""#)),
            None => Ok(()),
        }
    }
}

impl Rule for TypedDataRule {
    type Asked<'a> = (&'a Eip712Domain, &'a str);
    type Check = Check;
    const CHECKS: &'static [Check] =
        &[Check::VerifyingContract, Check::ChainId, Check::PrimaryType, Check::DomainName, Check::DomainVersion];

    fn passes(&self, check: Check, (domain, primary_type): (&Eip712Domain, &str)) -> bool {
        match check {
            Check::VerifyingContract => self.verifying_contracts.has_some(domain.verifying_contract.as_ref()),
            Check::ChainId => match (&self.chain_ids, domain.chain_id) {
                (Allow::Any, _) => true,
                (Allow::Only(ids), Some(id)) => ids.iter().any(|&listed| U256::from(listed) == id),
                (Allow::Only(_), None) => false,
            },
            Check::PrimaryType => self.primary_types.has(primary_type),
            Check::DomainName => self.domain_names.has_some(domain.name.as_deref()),
            Check::DomainVersion => self.domain_versions.has_some(domain.version.as_deref()),
        }
    }

    fn explain(&self, check: Check, (domain, primary_type): (&Eip712Domain, &str)) -> String {
        let text = |text: &Option<_>| text.as_deref().map(|text: &str| format!("{:?}", short(text)));
        let (what, value, key, allowed) = match check {
            Check::VerifyingContract => (
                "verifying contract",
                domain.verifying_contract.map(|it| it.to_string()),
                "verifying_contracts",
                self.verifying_contracts.to_string(),
            ),
            Check::ChainId => {
                ("chain id", domain.chain_id.map(|it| it.to_string()), "chain_ids", self.chain_ids.to_string())
            }
            Check::PrimaryType => (
                "primary type",
                Some(format!("{:?}", short(primary_type))),
                "primary_types",
                self.primary_types.to_string(),
            ),
            Check::DomainName => ("domain name", text(&domain.name), "domain_names", self.domain_names.to_string()),
            Check::DomainVersion => {
                ("domain version", text(&domain.version), "domain_versions", self.domain_versions.to_string())
            }
        };
        match value {
            Some(value) => format!("{what} {value} is not among {key}, {allowed}"),
            None => format!("the domain has no {}, and {key} lists some", what.trim_start_matches("domain ")),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
