//! An AWS account of the emulator that checks signatures and policies: its keys, users and roles.

use std::sync::atomic::{AtomicU32, Ordering};

use conformance::endpoint;
use kms_signer::{
    AssumeRole, Error, ErrorKind, KeyArn, KmsClient, KmsClientBuilder, KmsSigner,
    aws_sdk_kms::types::{KeySpec, KeyUsageType},
};

use crate::EXTERNAL_ID;

/// The account, and what its owner's requests go through. No policy holds the owner, whose access key is the account's number.
#[derive(Clone)]
pub(crate) struct Account {
    id: &'static str,
    pub(crate) url: String,
    http: reqwest::Client,
}

/// Credentials of a user or a session.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) access: AccessKey,
}

pub(crate) struct Role {
    pub(crate) arn: String,
}

impl Account {
    pub(crate) fn ours() -> Self {
        Self::new("123456789012")
    }

    /// Another account, for instance of a customer.
    pub(crate) fn theirs() -> Self {
        Self::new("210987654321")
    }

    fn new(id: &'static str) -> Self {
        Self { id, url: endpoint("KMS_AUTH_ENDPOINT"), http: reqwest::Client::new() }
    }

    pub(crate) fn root(&self) -> String {
        format!("arn:aws:iam::{}:root", self.id)
    }

    pub(crate) async fn owner(&self) -> KmsClient {
        let owner = AccessKey { id: self.id.to_owned(), secret: "unchecked".to_owned(), token: None };
        client(&self.url, &owner).build().await.unwrap()
    }

    /// A new signing key, with this key policy or the default one, which lets the account's IAM policies count.
    pub(crate) async fn key(&self, policy: Option<String>) -> KeyArn {
        let owner = self.owner().await;
        let create = owner.sdk().create_key().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::SignVerify);
        let created = create.set_policy(policy).send().await.unwrap();
        created.key_metadata().unwrap().arn().unwrap().parse().unwrap()
    }

    /// A new symmetric key.
    pub(crate) async fn symmetric_key(&self) -> KeyArn {
        let created = self.owner().await.sdk().create_key().send().await.unwrap();
        created.key_metadata().unwrap().arn().unwrap().parse().unwrap()
    }

    /// A new user with this identity policy, if any.
    pub(crate) async fn user(&self, policy: Option<String>) -> User {
        let name = unique("user");
        let created = self.iam("CreateUser", &[("UserName", &name)]).await;
        let access = access_key(&self.iam("CreateAccessKey", &[("UserName", &name)]).await);
        let user = User { arn: between(&created, "Arn"), name, access };
        if let Some(policy) = policy {
            self.allow(&user, &policy).await;
        }
        user
    }

    /// Replaces the user's identity policy.
    pub(crate) async fn allow(&self, user: &User, policy: &str) {
        let fields = [("UserName", user.name.as_str()), ("PolicyName", "only"), ("PolicyDocument", policy)];
        self.iam("PutUserPolicy", &fields).await;
    }

    pub(crate) async fn deactivate(&self, user: &User) {
        let fields = [("UserName", user.name.as_str()), ("AccessKeyId", &user.access.id), ("Status", "Inactive")];
        self.iam("UpdateAccessKey", &fields).await;
    }

    /// A new role with this trust policy and this identity policy.
    pub(crate) async fn role(&self, trust: String, policy: String) -> Role {
        let name = unique("role");
        let created = self.iam("CreateRole", &[("RoleName", &name), ("AssumeRolePolicyDocument", &trust)]).await;
        self.iam("PutRolePolicy", &[("RoleName", &name), ("PolicyName", "only"), ("PolicyDocument", &policy)]).await;
        Role { arn: between(&created, "Arn") }
    }

    /// What STS answers when the owner takes this role on. The emulator gives sessions of a second, too; AWS's last 900 s at least.
    pub(crate) async fn session(&self, role: &str, seconds: u32) -> String {
        let seconds = seconds.to_string();
        let fields = [
            ("RoleArn", role),
            ("RoleSessionName", "owner"),
            ("ExternalId", EXTERNAL_ID),
            ("DurationSeconds", &seconds),
        ];
        self.query("sts", "2011-06-15", "AssumeRole", &fields).await
    }

    async fn iam(&self, action: &str, fields: &[(&str, &str)]) -> String {
        self.query("iam", "2010-05-08", action, fields).await
    }

    /// A request of AWS's Query protocol by the owner, whose signature is not checked.
    async fn query(&self, service: &str, version: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let scope = format!("{}/20260101/us-east-1/{service}/aws4_request", self.id);
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in fields {
            body += &format!("&{name}={}", encode(value));
        }
        let request = self
            .http
            .post(&self.url)
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{action}: {text}");
        text
    }
}

impl Role {
    /// The role as a client takes it on, at this STS.
    pub(crate) fn at(&self, url: &str) -> AssumeRole {
        AssumeRole::new(&self.arn).endpoint_url(url)
    }
}

/// A builder for a client with these credentials.
pub(crate) fn client(url: &str, access: &AccessKey) -> KmsClientBuilder {
    let access = access.clone();
    KmsClient::builder().region("us-east-1").endpoint_url(url).static_credentials(
        access.id,
        access.secret,
        access.token,
    )
}

pub(crate) async fn connect(builder: KmsClientBuilder, key: &KeyArn) -> kms_signer::Result<KmsSigner> {
    KmsSigner::new(builder.build().await?, key, None).await
}

/// The credentials in an answer of IAM or STS.
pub(crate) fn access_key(answer: &str) -> AccessKey {
    let token = answer.contains("<SessionToken>").then(|| between(answer, "SessionToken"));
    AccessKey { id: between(answer, "AccessKeyId"), secret: between(answer, "SecretAccessKey"), token }
}

/// The first element of this name.
pub(crate) fn between(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
}

/// An identity policy that allows these actions on this resource.
pub(crate) fn policy(actions: &[&str], resource: &str) -> String {
    let statement = serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

pub(crate) fn ours<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a Error {
    Error::find(error).unwrap()
}

#[track_caller]
pub(crate) fn assert_denied(error: &(dyn std::error::Error + 'static)) {
    let error = ours(error);
    assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
}

fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}
