//! The policy of who creates and manages keys from code.

use super::{
    document::{Document, Statement},
    identity::{IamPolicy, list_statement},
    invalid,
    principal::{Account, Principal},
    usage::SIGNER_GRANT,
};
use crate::error::Result;

/// Builds the [`IamPolicy`] of a key manager: it creates keys with a required tag and manages those with that tag. It
/// never deletes and never signs.
///
/// | it may | on |
/// |---|---|
/// | create keys | where the request has the tag with this value |
/// | describe, enable, disable, read the public key, set, list and take off other tags | keys with the tag |
/// | create keys for import, and [import](Self::imports) for good | keys with the tag, if that is allowed |
/// | create aliases, and point them elsewhere | [aliases with a prefix](Self::alias_prefix), to keys with the tag |
/// | grant `GetPublicKey` and `Sign`, revoke grants | keys with the tag, to [grantees](Self::grantee) that are named |
/// | replicate | multi-Region keys with the tag, to [Regions](Self::replica_region) that are named |
/// | list keys and aliases | the account |
///
/// Denied whatever else is allowed: to sign, to schedule a deletion, to delete an alias or imported key material, to
/// set a key policy (see [`key_policies`](Self::key_policies)) or go round KMS's lockout safety check, to take the tag
/// off a key or change it, and to tag a key that has the tag with another value. Without [`imports`](Self::imports) every key is made by
/// KMS (`kms:KeyOrigin`): who chose a key's secret signs with it outside of KMS.
///
/// The policy has some 4,000 characters with everything allowed: attach it as a managed policy, or inline to a role.
///
/// # What it cannot keep out
///
/// - KMS cannot tell tagging at creation from tagging later. A manager can therefore put the tag on a key that has no
///   such tag, and so take it over for what is listed above, where that key's policy lets the account's IAM policies
///   count. If there are keys in the account for which that matters, limit the [key specs](Self::key_spec), or keep
///   managed keys in an account of their own.
/// - Tags take up to five minutes to count for permissions. A call right after `CreateKey` may be refused for that
///   long.
/// - A replica has tags and a key policy of its own. Pass the required tag with `ReplicateKey`, too. AWS documents the
///   condition on the safety check for `CreateKey` and `PutKeyPolicy` only: count on it that who may replicate a key
///   can give the replica any policy.
/// - Who may point aliases elsewhere changes what is allowed by [`signer_by_alias`](IamPolicy::signer_by_alias).
///
/// ```
/// use kms_signer::iam::{Account, IamPolicy};
///
/// let account = Account::new("aws", "111122223333")?;
/// let policy = IamPolicy::key_manager(account, "managed-by", "wallet-service")
///     .alias_prefix("alias/wallets/")
///     .key_spec("ECC_SECG_P256K1")
///     .grantee("arn:aws:iam::111122223333:role/relayer".parse()?)
///     .build()?;
/// println!("{policy}");
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct KeyManagerBuilder {
    account: Account,
    tag_key: String,
    tag_value: String,
    alias_prefixes: Vec<String>,
    key_specs: Vec<String>,
    grantees: Vec<Principal>,
    replica_regions: Vec<String>,
    imports: bool,
    key_policies: bool,
}

/// What is allowed on every key with the tag, and is undone as easily.
const MANAGE: [&str; 5] =
    ["kms:DescribeKey", "kms:DisableKey", "kms:EnableKey", "kms:GetPublicKey", "kms:ListResourceTags"];

impl KeyManagerBuilder {
    pub(super) fn new(account: Account, tag_key: String, tag_value: String) -> Self {
        Self {
            account,
            tag_key,
            tag_value,
            alias_prefixes: Vec::new(),
            key_specs: Vec::new(),
            grantees: Vec::new(),
            replica_regions: Vec::new(),
            imports: false,
            key_policies: false,
        }
    }

    /// Allows aliases that begin with this, for instance `alias/wallets/`. May be called several times; without it, no
    /// alias is allowed.
    ///
    /// `kms:CreateAlias` and `kms:UpdateAlias` are needed on the alias and on the key, both the old and the new one.
    pub fn alias_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.alias_prefixes.push(prefix.into());
        self
    }

    /// Allows keys of this spec, as the KMS API writes it, for instance `ECC_SECG_P256K1`, and no others
    /// (`kms:KeySpec`). May be called several times; without it, keys of every spec are allowed.
    pub fn key_spec(mut self, key_spec: impl Into<String>) -> Self {
        self.key_specs.push(key_spec.into());
        self
    }

    /// Allows grants of `GetPublicKey` and `Sign` to this principal (`kms:GranteePrincipal`, compared as text). May be
    /// called several times; without it, no grant is allowed: who may grant signing to anyone may as well sign.
    pub fn grantee(mut self, principal: Principal) -> Self {
        self.grantees.push(principal);
        self
    }

    /// Allows replication into this Region (`kms:ReplicaRegion`), and to create the [service-linked role][role] that
    /// multi-Region keys need once in an account. May be called several times; without it, replication is not allowed.
    ///
    /// [role]: https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-auth-slr.html
    pub fn replica_region(mut self, region: impl Into<String>) -> Self {
        self.replica_regions.push(region.into());
        self
    }

    /// Allows keys of imported material. Whoever imports a key knows its secret, or got it from somebody who does: **the manager can
    /// then put a key it can sign with outside of KMS in the place of another**, where it may point aliases elsewhere.
    ///
    /// Material that expires is deletion by another name: only `KEY_MATERIAL_DOES_NOT_EXPIRE` is allowed.
    pub fn imports(mut self) -> Self {
        self.imports = true;
        self
    }

    /// Allows `kms:PutKeyPolicy` on keys with the tag, which is needed to create a key with a policy of one's own: KMS
    /// checks that the caller could change it again.
    ///
    /// Without this, KMS should refuse every other key policy than its default one, by the same check; AWS does not say how the check
    /// reads a denial in an IAM policy. Access is then given by IAM policies and grants. With it,
    /// **the manager can let in anyone**, also to delete the key; it still cannot sign or delete itself.
    ///
    /// If KMS refuses such a policy (`MalformedPolicyDocumentException`), because the new key's tag does not count yet,
    /// name the manager in it as an [administrator](super::KeyPolicyBuilder::administrator): what is denied here stays
    /// denied.
    pub fn key_policies(mut self) -> Self {
        self.key_policies = true;
        self
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the tag, an alias prefix, a key spec or a Region is none, or
    /// a grantee is of another partition.
    pub fn build(self) -> Result<IamPolicy> {
        self.check()?;
        let allowed = [self.create(), self.manage(), self.aliases(), self.grants(), self.replicas()];
        let statements = allowed.into_iter().flatten().chain([list_statement()]).chain(self.denied());
        Ok(IamPolicy(Document::new(statements)))
    }

    fn create(&self) -> Vec<Statement> {
        let tagged = format!("aws:RequestTag/{}", self.tag_key);
        let mut create = Statement::allow("CreateWithTag", ["kms:CreateKey"]).on(["*"]);
        if !self.imports {
            create = create.when("StringEquals", "kms:KeyOrigin", ["AWS_KMS"]);
        }
        let tag = Statement::allow("TagWhenCreating", ["kms:TagResource"]).on([self.account.every_key()]);
        vec![
            self.of_specs(create.when("StringEquals", &tagged, [&self.tag_value])),
            tag.when("StringEquals", &tagged, [&self.tag_value]),
        ]
    }

    fn manage(&self) -> Vec<Statement> {
        let mut statements = vec![
            self.on_managed("Manage", &MANAGE),
            self.on_managed("TagMore", &["kms:TagResource", "kms:UntagResource"]),
        ];
        if self.imports {
            let import = self.on_managed("ImportForGood", &["kms:ImportKeyMaterial"]);
            statements.push(self.on_managed("PrepareImport", &["kms:GetParametersForImport"]));
            statements.push(import.when("StringEquals", "kms:ExpirationModel", ["KEY_MATERIAL_DOES_NOT_EXPIRE"]));
        }
        if self.key_policies {
            statements.push(self.on_managed("SetKeyPolicies", &["kms:GetKeyPolicy", "kms:PutKeyPolicy"]));
        }
        statements
    }

    fn aliases(&self) -> Vec<Statement> {
        if self.alias_prefixes.is_empty() {
            return Vec::new();
        }
        let aliases = self
            .alias_prefixes
            .iter()
            .map(|prefix| format!("arn:{}:kms:*:{}:{prefix}*", self.account.partition(), self.account.id()));
        let actions = ["kms:CreateAlias", "kms:UpdateAlias"];
        vec![Statement::allow("NameAliases", actions).on(aliases), self.on_managed("PointAliases", &actions)]
    }

    fn grants(&self) -> Vec<Statement> {
        if self.grantees.is_empty() {
            return Vec::new();
        }
        let grant = self
            .on_managed("GrantSigning", &["kms:CreateGrant"])
            .when("ForAllValues:StringEquals", "kms:GrantOperations", SIGNER_GRANT)
            .when("StringEquals", "kms:GranteePrincipal", &self.grantees);
        vec![grant, self.on_managed("RevokeGrants", &["kms:ListGrants", "kms:RevokeGrant"])]
    }

    fn replicas(&self) -> Vec<Statement> {
        if self.replica_regions.is_empty() {
            return Vec::new();
        }
        let role = format!(
            "arn:{}:iam::{}:role/aws-service-role/mrk.kms.amazonaws.com/AWSServiceRoleForKeyManagementServiceMultiRegionKeys",
            self.account.partition(),
            self.account.id(),
        );
        let replicate = self.on_managed("Replicate", &["kms:ReplicateKey"]);
        let synchronize = Statement::allow("SynchronizeReplicas", ["iam:CreateServiceLinkedRole"]).on([role]);
        vec![
            replicate.when("StringEquals", "kms:ReplicaRegion", &self.replica_regions),
            synchronize.when("StringEquals", "iam:AWSServiceName", ["mrk.kms.amazonaws.com"]),
        ]
    }

    fn denied(&self) -> [Statement; 5] {
        let [requested, present] = ["RequestTag", "ResourceTag"].map(|kind| format!("aws:{kind}/{}", self.tag_key));
        let key = [&self.tag_key];
        let value = [&self.tag_value];
        let never = ["kms:DeleteAlias", "kms:DeleteImportedKeyMaterial", "kms:ScheduleKeyDeletion", "kms:Sign"];
        let policies = (!self.key_policies).then_some("kms:PutKeyPolicy");
        [
            Statement::deny("NeverDeleteOrSign", never.into_iter().chain(policies)).on(["*"]),
            Statement::deny("KeepSafetyCheck", ["kms:CreateKey", "kms:PutKeyPolicy"]).on(["*"]).when(
                "Bool",
                "kms:BypassPolicyLockoutSafetyCheck",
                [true],
            ),
            Statement::deny("KeepTag", ["kms:UntagResource"]).on(["*"]).when(
                "ForAnyValue:StringEqualsIgnoreCase",
                "aws:TagKeys",
                key,
            ),
            Statement::deny("KeepTagValue", ["kms:TagResource"])
                .on(["*"])
                .when("ForAnyValue:StringEqualsIgnoreCase", "aws:TagKeys", key)
                .when("StringNotEquals", requested, value),
            Statement::deny("KeepOffOthers", ["kms:TagResource"]).on(["*"]).when("Null", &present, [false]).when(
                "StringNotEquals",
                present,
                value,
            ),
        ]
    }

    /// A statement on the account's keys with the tag, and of the allowed specs.
    fn on_managed(&self, sid: &str, actions: &[&str]) -> Statement {
        let statement = Statement::allow(sid, actions.iter().copied()).on([self.account.every_key()]);
        let tag = format!("aws:ResourceTag/{}", self.tag_key);
        self.of_specs(statement.when("StringEquals", tag, [&self.tag_value]))
    }

    fn of_specs(&self, statement: Statement) -> Statement {
        if self.key_specs.is_empty() {
            return statement;
        }
        statement.when("StringEquals", "kms:KeySpec", &self.key_specs)
    }

    fn check(&self) -> Result<()> {
        let is_tag = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b" _.:/=+-@".contains(&b));
        let is_reserved = self.tag_key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        if !is_tag(&self.tag_key) || !(1..=128).contains(&self.tag_key.len()) || is_reserved {
            return Err(invalid(
                "a tag key is 1 to 128 letters, digits, spaces or any of _.:/=+-@ and does not begin with aws:",
            ));
        }
        if !is_tag(&self.tag_value) || !(1..=256).contains(&self.tag_value.len()) {
            return Err(invalid("the required tag's value is 1 to 256 letters, digits, spaces or any of _.:/=+-@"));
        }
        for prefix in &self.alias_prefixes {
            let name = prefix.strip_prefix("alias/").unwrap_or_default();
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b));
            if name.is_empty() || !is_name || prefix.len() > 256 || name.starts_with("aws/") {
                return Err(invalid(
                    "an alias prefix is alias/ and the letters, digits, /, _ and - that aliases begin with, and not AWS's own alias/aws/",
                ));
            }
        }
        let is_spec = |text: &String| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        if !self.key_specs.iter().all(is_spec) {
            return Err(invalid("a key spec is written as the KMS API writes it, for instance ECC_SECG_P256K1"));
        }
        let is_region = |text: &String| {
            text.starts_with(|c: char| c.is_ascii_lowercase())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !self.replica_regions.iter().all(is_region) {
            return Err(invalid("a Region is written as AWS writes it, for instance eu-central-1"));
        }
        match self.grantees.iter().find(|grantee| grantee.partition() != self.account.partition()) {
            Some(grantee) => Err(invalid(format!(
                "{grantee} is of another partition than the keys ({}); no access leads from one to the other",
                self.account.partition(),
            ))),
            None => Ok(()),
        }
    }
}
