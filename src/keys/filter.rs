//! Which keys are meant.

use aws_sdk_kms::types::{KeySpec, KeyState};

use super::KeyInfo;

/// Which keys of an account and Region are meant: those that fit all that is said. AWS's own (`aws/…`) never are.
///
/// ```
/// use kms_signer::keys::{Filter, KeySpec, State};
///
/// let wallets = Filter::new().alias_prefix("alias/wallets/").tag("team", "payments");
/// let usable = Filter::new().spec(KeySpec::EccSecgP256K1).state(State::Enabled);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a filter does nothing by itself"]
pub struct Filter {
    pub(super) alias_prefix: Option<String>,
    tags: Vec<(String, String)>,
    specs: Vec<KeySpec>,
    states: Vec<KeyState>,
}

impl Filter {
    /// Every key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys with an alias that begins like this, `alias/` included.
    pub fn alias_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.alias_prefix = Some(prefix.into());
        self
    }

    /// Keys with this tag. May be called more than once; then all must be there. Needs `kms:ListResourceTags`.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Keys of this spec. May be called more than once; then one of them.
    pub fn spec(mut self, spec: KeySpec) -> Self {
        self.specs.push(spec);
        self
    }

    /// Keys in this state. May be called more than once; then one of them.
    pub fn state(mut self, state: KeyState) -> Self {
        self.states.push(state);
        self
    }

    pub(super) fn wants_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    pub(super) fn fits_alias(&self, alias: &str) -> bool {
        self.alias_prefix.as_deref().is_none_or(|prefix| alias.starts_with(prefix))
    }

    /// By what `DescribeKey` says.
    pub(super) fn fits(&self, info: &KeyInfo) -> bool {
        !info.is_aws_managed()
            && (self.specs.is_empty() || self.specs.contains(info.spec()))
            && (self.states.is_empty() || self.states.contains(info.state()))
    }

    /// By its tags, if they are known.
    pub(super) fn fits_tags(&self, info: &KeyInfo) -> bool {
        self.tags.iter().all(|(key, value)| info.tags().is_some_and(|tags| tags.get(key) == Some(value)))
    }
}
