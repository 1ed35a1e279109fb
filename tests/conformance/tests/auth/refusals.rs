//! What is refused, by STS or by KMS, and what the error says of it.

use std::time::Duration;

use alloy_primitives::B256;
use alloy_signer::Signer;
use kms_signer::{
    Error,
    ErrorKind::{self, AccessDenied, Credentials},
    KmsClientBuilder, Operation,
    iam::{IamPolicy, TrustPolicy},
};

use crate::{
    EXTERNAL_ID,
    account::{AccessKey, Account, Role, access_key, client, connect, ours, policy},
};

/// A kind, AWS's code, and what the text says to do.
#[derive(Clone, Copy)]
struct Expected(ErrorKind, &'static str, &'static str);

const THE_ROLE: Expected =
    Expected(AccessDenied, "AccessDenied", "check the role's ARN, its trust policy and the external id");
const READING: Expected = Expected(AccessDenied, "AccessDeniedException", "allow kms:GetPublicKey on this key");
const SIGNING: Expected = Expected(AccessDenied, "AccessDeniedException", "allow kms:Sign on this key");
// STS and KMS have other codes for the same.
const SECRET_AT_STS: Expected = Expected(Credentials, "SignatureDoesNotMatch", "check the secret access key");
const SECRET_AT_KMS: Expected = Expected(Credentials, "InvalidSignatureException", "check the secret access key");
const UNKNOWN_TO_STS: Expected = Expected(Credentials, "InvalidClientTokenId", "check the access key id");
const UNKNOWN_TO_KMS: Expected = Expected(Credentials, "UnrecognizedClientException", "check the access key id");
const EXPIRED_AT_STS: Expected = Expected(Credentials, "ExpiredToken", "renew the session; its token has expired");
const EXPIRED_AT_KMS: Expected =
    Expected(Credentials, "ExpiredTokenException", "renew the session; its token has expired");

impl Expected {
    /// Checks the error, and gives its row of the table.
    fn of(self, what: &str, error: &Error) -> String {
        let Self(kind, code, remedy) = self;
        let text = error.to_string();
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{what}: {text}");
        assert!(text.contains(remedy) && !error.is_retryable() && !error.may_have_signed(), "{what}: {text}");
        format!("{what:<41} {:<13} {code:<28} {text}", format!("{kind:?}"))
    }
}

#[tokio::test]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn each_says_what_it_is_and_what_to_do() {
    let account = Account::ours();
    let key = account.key(None).await;
    let signing = IamPolicy::signer([key.clone()]).unwrap().to_json();
    let trusting = |principal: &str| {
        let trust = TrustPolicy::new(principal.parse().unwrap()).external_id(EXTERNAL_ID).unwrap();
        account.role(trust.to_json(), signing.clone())
    };
    let (user, inactive) = (account.user(None).await, account.user(Some(signing.clone())).await);
    account.deactivate(&inactive).await;
    let stranger = account.user(Some(policy(&["sts:AssumeRole"], "*"))).await;
    let reader = account.user(Some(policy(&["kms:GetPublicKey"], key.as_ref()))).await;
    let role = trusting(&user.arn).await;
    account.allow(&user, &policy(&["sts:AssumeRole"], &format!("{}*", role.arn))).await;
    // Of this one the owner of the account gets sessions of any length.
    let owners = trusting(&account.root()).await;
    let session = access_key(&account.session(&owners.arn, 900).await);

    let by = |access: &AccessKey| client(&account.url, access);
    let assuming = |access: &AccessKey, role: &Role, external_id: &str| {
        by(access).assume_role(role.at(&account.url).external_id(external_id))
    };
    let right = |access: &AccessKey| assuming(access, &role, EXTERNAL_ID);
    let typo = Role { arn: format!("{}x", role.arn) };
    let wrong_secret = AccessKey { secret: "wrong".to_owned(), ..user.access.clone() };
    let unknown = AccessKey { id: "AKIANOBODYKNOWSTHIS0".to_owned(), ..user.access.clone() };
    let no_token = AccessKey { token: None, ..session.clone() };
    let other_token = AccessKey { token: Some("another".to_owned()), ..session.clone() };

    // That everything is right otherwise.
    connect(right(&user.access), &key).await.unwrap();
    connect(by(&session), &key).await.unwrap();

    let mut table = vec![format!("\n{:<41} {:<13} {:<28} text", "refused", "kind", "code")];
    let rows: Vec<(&str, KmsClientBuilder, Expected)> = vec![
        ("role: another external id", assuming(&user.access, &role, "customer:18"), THE_ROLE),
        ("role: no external id", by(&user.access).assume_role(role.at(&account.url)), THE_ROLE),
        ("role: a typo in its name", assuming(&user.access, &typo, EXTERNAL_ID), THE_ROLE),
        ("role: it does not trust the user", right(&stranger.access), THE_ROLE),
        ("role: the user may not assume it", right(&reader.access), THE_ROLE),
        ("role: the user's secret is wrong", right(&wrong_secret), SECRET_AT_STS),
        ("role: nobody's access key", right(&unknown), UNKNOWN_TO_STS),
        ("user: the secret is wrong", by(&wrong_secret), SECRET_AT_KMS),
        ("user: nobody's access key", by(&unknown), UNKNOWN_TO_KMS),
        ("user: a deactivated access key", by(&inactive.access), UNKNOWN_TO_KMS),
        ("user: may not read the public key", by(&stranger.access), READING),
        ("session: without its token", by(&no_token), UNKNOWN_TO_KMS),
        ("session: with another token", by(&other_token), UNKNOWN_TO_KMS),
    ];
    for (what, builder, expected) in rows {
        let error = connect(builder, &key).await.unwrap_err();
        table.push(expected.of(what, &error));
        assert_eq!(error.operation(), Operation::GetPublicKey, "{what}");
        let shown = format!("{error} {error:?}");
        for secret in [&user.access.secret, &session.secret, session.token.as_ref().unwrap()] {
            assert!(!shown.contains(secret.as_str()), "{what} shows a secret: {shown}");
        }
    }

    // Who may read the public key and not sign connects, and learns it from preflight or the first signature.
    let signer = connect(by(&reader.access), &key).await.unwrap();
    let signed = signer.sign_hash(&B256::ZERO).await.unwrap_err();
    table.push(SIGNING.of("user: may not sign, at preflight", &signer.preflight().await.unwrap_err()));
    table.push(SIGNING.of("user: may not sign, at the signature", ours(&signed)));

    let error = with_an_ended_session(&account, &owners, EXPIRED_AT_KMS, async |ended| connect(by(ended), &key).await);
    EXPIRED_AT_KMS.of("session: it has ended", &error.await);
    let error = with_an_ended_session(&account, &owners, EXPIRED_AT_KMS, async |ended| connect(by(ended), &key).await);
    table.push(EXPIRED_AT_KMS.of("session: it has ended", &error.await));
    let error =
        with_an_ended_session(&account, &owners, EXPIRED_AT_STS, async |ended| connect(right(ended), &key).await);
    table.push(EXPIRED_AT_STS.of("role: taken on with a session that ended", &error.await));
    println!("{}", table.join("\n"));
}

/// The emulator knows a session that has ended until another begins, which one of another test may do; so there are tries.
async fn with_an_ended_session<T: std::fmt::Debug>(
    account: &Account,
    role: &Role,
    expected: Expected,
    connect: impl AsyncFn(&AccessKey) -> kms_signer::Result<T>,
) -> Error {
    let mut tries = 0;
    loop {
        let ended = access_key(&account.session(&role.arn, 1).await);
        tokio::time::sleep(Duration::from_millis(1050)).await;
        let error = connect(&ended).await.unwrap_err();
        tries += 1;
        if error.code() == Some(expected.1) || tries == 5 {
            return error;
        }
    }
}
