//! Who may do what: key policies, IAM policies, conditions, other accounts.

use bytes::Bytes;
use kms_signer::{
    ErrorKind,
    aws_sdk_kms::{
        Client,
        config::Region,
        error::SdkError,
        operation::sign::{SignError, SignOutput},
        primitives::Blob,
        types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec, Tag},
    },
    fake::FakeKms,
};
use serde_json::{Value, json};

use super::{code, refusal};

pub(super) const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const SIGNER: &str = "arn:aws:iam::111122223333:role/signer";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/signer/pod-7";
const STRANGER: &str = "arn:aws:iam::444455556666:role/partner";
const ROOT: &str = "arn:aws:iam::111122223333:root";

pub(super) async fn sign(sdk: &Client, key: &str) -> Result<SignOutput, SdkError<SignError>> {
    let sign = sdk.sign().key_id(key).message(Blob::new([7; 32])).message_type(MessageType::Digest);
    sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await
}

/// Gives a key this policy alone, even one that lets nobody change it again.
async fn put(fake: &FakeKms, key: &str, statements: Value) {
    let policy = policy(statements);
    let put = fake.client().put_key_policy().key_id(key).policy(policy).bypass_policy_lockout_safety_check(true);
    put.send().await.unwrap();
}

pub(super) fn policy(statements: Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn allow(principal: &str, action: &str) -> Value {
    json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": action, "Resource": "*" })
}

fn statement(effect: &str, action: &str, resource: &str) -> Value {
    json!({ "Effect": effect, "Action": action, "Resource": resource })
}

fn denial(principal: &str, action: &str, resource: &str, why: &str) -> (String, String) {
    let message = format!("User: {principal} is not authorized to perform: {action} on resource: {resource} {why}");
    ("AccessDeniedException".to_owned(), message)
}

#[tokio::test]
async fn by_default_iam_policies_of_the_account_decide() {
    let fake = FakeKms::new();
    let (key, other) = (fake.create_key().unwrap().to_string(), fake.create_key().unwrap().to_string());
    let alice = fake.client_as(ALICE);
    let refused = sign(&alice, &key).await;
    assert_eq!(refused.as_ref().unwrap_err().raw_response().unwrap().status().as_u16(), 400);
    let why = "because no identity-based policy allows the kms:Sign action";
    assert_eq!(refusal(refused), denial(ALICE, "kms:Sign", &key, why));

    fake.attach_policy(ALICE, &policy(statement("Allow", "KMS:sig?", &key))).unwrap();
    sign(&alice, &key).await.unwrap();
    assert_eq!(code(sign(&alice, &other).await), "AccessDeniedException", "another key");
    assert_eq!(code(alice.get_public_key().key_id(&key).send().await), "AccessDeniedException", "another action");
    assert_eq!(code(sign(&fake.client_as(SIGNER), &key).await), "AccessDeniedException", "another principal");
    sign(&fake.client(), &other).await.unwrap();

    fake.attach_policy(ALICE, &policy(json!([statement("Deny", "kms:*", "arn:aws:kms:*:*:key/*")]))).unwrap();
    let why = "with an explicit deny in an identity-based policy";
    assert_eq!(refusal(sign(&alice, &key).await), denial(ALICE, "kms:Sign", &key, why));
    assert_eq!(code(alice.describe_key().key_id("alias/nobody").send().await), "NotFoundException");
}

#[tokio::test]
async fn a_key_policy_allows_denies_and_delegates() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    let (alice, signer, session) = (fake.client_as(ALICE), fake.client_as(SIGNER), fake.client_as(SESSION));
    put(&fake, &key, json!([allow(SIGNER, "kms:Sign")])).await;
    sign(&signer, &key).await.unwrap();
    sign(&session, &key).await.unwrap();
    fake.attach_policy(ALICE, &policy(statement("Allow", "kms:*", "*"))).unwrap();
    let why = "because no resource-based policy allows the kms:Sign action";
    assert_eq!(refusal(sign(&alice, &key).await), denial(ALICE, "kms:Sign", &key, why), "the account is not named");

    for account in [ROOT, FakeKms::ACCOUNT] {
        put(&fake, &key, json!([allow(account, "kms:*")])).await;
        sign(&alice, &key).await.unwrap();
        assert_eq!(code(sign(&signer, &key).await), "AccessDeniedException", "it has no IAM policy");
        sign(&fake.client_as(ROOT), &key).await.unwrap();
    }
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": ["kms:Sign"], "Resource": "*",
        "Condition": { "StringNotEquals": { "aws:PrincipalArn": ALICE } } });
    put(&fake, &key, json!([allow(SIGNER, "kms:*"), allow(ROOT, "kms:*"), deny])).await;
    sign(&alice, &key).await.unwrap();
    let why = "with an explicit deny in a resource-based policy";
    assert_eq!(refusal(sign(&session, &key).await), denial(SESSION, "kms:Sign", &key, why));
    session.get_public_key().key_id(&key).send().await.unwrap();

    let not = json!({ "Effect": "Allow", "Principal": { "AWS": [SIGNER] }, "NotAction": "kms:Sign", "Resource": "*" });
    put(&fake, &key, not).await;
    assert_eq!(code(sign(&signer, &key).await), "AccessDeniedException");
    signer.describe_key().key_id(&key).send().await.unwrap();
}

#[tokio::test]
async fn conditions_look_at_the_request_and_the_key() {
    let fake = FakeKms::new();
    let arn = fake.create_key().unwrap();
    let key = arn.as_ref();
    let tag = Tag::builder().tag_key("team").tag_value("treasury").build().unwrap();
    fake.client().tag_resource().key_id(key).tags(tag).send().await.unwrap();
    fake.alias("alias/relayer", &arn).unwrap();
    let signer = fake.client_as(SIGNER);
    for (condition, with_alias, with_arn) in [
        (json!({ "StringEquals": { "kms:RequestAlias": "alias/relayer" } }), true, false),
        (json!({ "StringLike": { "kms:RequestAlias": "alias/other*" } }), false, false),
        (json!({ "Null": { "kms:RequestAlias": "true" } }), false, true),
        (json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": ["alias/relayer"] } }), true, true),
        (json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/other" } }), false, false),
        (
            json!({ "StringEquals": { "kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST" } }),
            true,
            true,
        ),
        (
            json!({ "StringEquals": { "kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "RAW" } }),
            false,
            false,
        ),
        (json!({ "StringEquals": { "kms:KeySpec": "ECC_SECG_P256K1", "kms:KeyUsage": "SIGN_VERIFY" } }), true, true),
        (json!({ "StringEquals": { "kms:KeyOrigin": "EXTERNAL" } }), false, false),
        (json!({ "Bool": { "kms:MultiRegion": "false" } }), true, true),
        (json!({ "StringEquals": { "kms:CallerAccount": FakeKms::ACCOUNT } }), true, true),
        (json!({ "StringEquals": { "aws:ResourceTag/team": "treasury" } }), true, true),
        (json!({ "StringEquals": { "aws:ResourceTag/team": "trading" } }), false, false),
        (json!({ "StringEquals": { "kms:EncryptionContext:wallet": "1" } }), false, false),
        (json!({ "StringEquals": { "kms:ViaService": "s3.us-east-1.amazonaws.com" } }), false, false),
        (json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }), false, false),
        (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/sign*" } }), true, true),
        (json!({ "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam:*:role/signer" } }), false, false),
        (json!({ "ArnNotLike": { "aws:PrincipalArn": "arn:*:role/signer" } }), true, true),
    ] {
        let mut statement = allow(SIGNER, "kms:Sign");
        statement["Condition"] = condition.clone();
        put(&fake, key, json!([statement])).await;
        let outcome = (sign(&signer, "alias/relayer").await.is_ok(), sign(&signer, key).await.is_ok());
        assert_eq!(outcome, (with_alias, with_arn), "{condition}");
    }
    // What is not understood denies.
    let mut deny = allow("*", "kms:Sign");
    deny["Effect"] = json!("Deny");
    deny["Condition"] = json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } });
    put(&fake, key, json!([allow(SIGNER, "kms:*"), deny])).await;
    assert_eq!(code(sign(&signer, key).await), "AccessDeniedException");
}

#[tokio::test]
async fn another_account_needs_both_policies_and_an_arn() {
    let fake = FakeKms::new();
    let arn = fake.create_key().unwrap();
    let (key, id) = (arn.as_ref(), arn.key_id().as_str());
    let stranger = fake.client_as(STRANGER);
    let hidden = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";
    fake.attach_policy(STRANGER, &policy(statement("Allow", "kms:*", "*"))).unwrap();
    assert_eq!(refusal(sign(&stranger, key).await), denial(STRANGER, "kms:Sign", key, hidden));
    let nowhere = key.replace(id, "1234abcd-12ab-34cd-56ef-1234567890ab");
    assert_eq!(refusal(sign(&stranger, &nowhere).await), denial(STRANGER, "kms:Sign", &nowhere, hidden));

    for principal in [STRANGER, "444455556666"] {
        put(&fake, key, json!([allow(principal, "kms:*")])).await;
        sign(&stranger, key).await.unwrap();
        assert_eq!(code(sign(&stranger, id).await), "NotFoundException", "it is looked for in their own account");
        assert_eq!(code(stranger.disable_key().key_id(key).send().await), "AccessDeniedException");
        let other = "arn:aws:iam::444455556666:role/other";
        let why =
            if principal == STRANGER { hidden } else { "because no identity-based policy allows the kms:Sign action" };
        assert_eq!(refusal(sign(&fake.client_as(other), key).await), denial(other, "kms:Sign", key, why));
    }
    assert!(stranger.list_keys().send().await.unwrap().keys().is_empty());
}

#[tokio::test]
async fn what_is_about_no_key_needs_an_iam_policy() {
    let fake = FakeKms::new();
    let alice = fake.client_as(ALICE);
    let create = || alice.create_key().key_spec(KeySpec::EccSecgP256K1).key_usage(KeyUsageType::SignVerify);
    let tag = Tag::builder().tag_key("team").tag_value("treasury").build().unwrap();
    let why = "because no identity-based policy allows the kms:CreateKey action";
    assert_eq!(refusal(create().send().await), denial(ALICE, "kms:CreateKey", "*", why));
    assert_eq!(code(alice.list_keys().send().await), "AccessDeniedException");
    assert_eq!(code(alice.list_aliases().send().await), "AccessDeniedException");

    let mut only_secp256k1 = statement("Allow", "kms:CreateKey", "*");
    only_secp256k1["Condition"] = json!({ "StringEquals": { "kms:KeySpec": "ECC_SECG_P256K1" } });
    fake.attach_policy(ALICE, &policy(json!([only_secp256k1, statement("Allow", "kms:List*", "*")]))).unwrap();
    assert_eq!(code(create().key_spec(KeySpec::EccNistP256).send().await), "AccessDeniedException");
    assert_eq!(code(create().tags(tag.clone()).send().await), "AccessDeniedException", "no kms:TagResource");
    assert!(alice.list_keys().send().await.unwrap().keys().is_empty(), "nothing was made");
    let key = create().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    alice.list_aliases().key_id(&key).send().await.unwrap();

    let mut team = statement("Allow", "kms:TagResource", "arn:aws:kms:*:111122223333:key/*");
    team["Condition"] = json!({ "StringEquals": { "aws:RequestTag/team": "treasury" },
        "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] } });
    fake.attach_policy(ALICE, &policy(team)).unwrap();
    create().tags(tag.clone()).send().await.unwrap();
    let other = Tag::builder().tag_key("env").tag_value("test").build().unwrap();
    assert_eq!(code(create().tags(tag).tags(other).send().await), "AccessDeniedException");
}

#[tokio::test]
async fn an_alias_needs_leave_for_itself_and_for_its_keys() {
    let fake = FakeKms::new();
    let (first, second) = (fake.create_key().unwrap().to_string(), fake.create_key().unwrap().to_string());
    let alice = fake.client_as(ALICE);
    let create = |key: &str| alice.create_alias().alias_name("alias/relayer").target_key_id(key).send();
    let update = |key: &str| alice.update_alias().alias_name("alias/relayer").target_key_id(key).send();
    let alias = "arn:aws:kms:us-east-1:111122223333:alias/relayer";
    fake.attach_policy(ALICE, &policy(statement("Allow", "kms:*Alias", &first))).unwrap();
    assert!(refusal(create(&first).await).1.contains(&format!("kms:CreateAlias on resource: {alias}")));
    fake.attach_policy(ALICE, &policy(statement("Allow", "kms:*Alias", alias))).unwrap();
    assert!(refusal(create(&second).await).1.contains(&format!("on resource: {second}")));
    create(&first).await.unwrap();
    assert_eq!(code(update(&second).await), "AccessDeniedException");
    put(&fake, &second, json!([allow(ALICE, "kms:UpdateAlias")])).await;
    update(&second).await.unwrap();
    let delete = alice.delete_alias().alias_name("alias/relayer");
    assert_eq!(code(delete.clone().send().await), "AccessDeniedException", "its key now is the second");
    put(&fake, &second, json!([allow(ALICE, "kms:DeleteAlias")])).await;
    delete.send().await.unwrap();
}

#[tokio::test]
async fn nobody_locks_themselves_out_by_accident() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    fake.attach_policy(ALICE, &policy(statement("Allow", "kms:*", "*"))).unwrap();
    let alice = fake.client_as(ALICE);
    let others = policy(json!([allow(SIGNER, "kms:*")]));
    let put = alice.put_key_policy().key_id(&key).policy(&others);
    assert_eq!(code(put.clone().send().await), "MalformedPolicyDocumentException");
    assert_eq!(code(alice.create_key().policy(&others).send().await), "MalformedPolicyDocumentException");
    alice.describe_key().key_id(&key).send().await.unwrap();
    put.bypass_policy_lockout_safety_check(true).send().await.unwrap();
    assert_eq!(code(alice.describe_key().key_id(&key).send().await), "AccessDeniedException");
}

/// Also not the administrator, whom nothing else refuses.
#[tokio::test]
async fn the_administrator_is_not_locked_out_by_accident_either() {
    let (fake, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    fake.join(&west).unwrap();
    let sdk = fake.client();
    let key = fake.create_multi_region_key().unwrap().to_string();
    let mut deny = allow("*", "kms:PutKeyPolicy");
    deny["Effect"] = json!("Deny");
    let malformed = "MalformedPolicyDocumentException";
    for (statements, is_safe) in [
        (json!([]), false),
        (json!([allow(SIGNER, "kms:*")]), false),
        (json!([allow(STRANGER, "kms:*")]), false),
        (json!([allow(ROOT, "kms:Sign")]), false),
        (json!([allow(ROOT, "kms:*"), deny]), false),
        (json!([allow(ROOT, "kms:*")]), true),
        (json!([allow(FakeKms::ACCOUNT, "kms:Put*")]), true),
        (json!([allow("*", "kms:*")]), true),
    ] {
        let policy = policy(statements);
        let put = sdk.put_key_policy().key_id(&key).policy(&policy).send().await;
        let create = sdk.create_key().policy(&policy).send().await;
        assert_eq!((put.is_ok(), create.is_ok()), (is_safe, is_safe), "{policy}");
        if !is_safe {
            assert_eq!([code(put), code(create)], [malformed, malformed], "{policy}");
        }
    }
    let replicate = sdk.replicate_key().key_id(&key).replica_region("us-west-2").policy(policy(json!([])));
    assert_eq!(code(replicate.clone().send().await), malformed);
    replicate.bypass_policy_lockout_safety_check(true).send().await.unwrap();
}

#[tokio::test]
async fn a_replica_needs_leave_for_the_primary_and_for_a_new_key() {
    let (east, west) = (FakeKms::new(), FakeKms::in_region("us-west-2"));
    // Known before the two are joined, and after.
    let alice = east.client_as(ALICE);
    west.attach_policy(ALICE, &policy(statement("Allow", "kms:DescribeKey", "*"))).unwrap();
    east.join(&west).unwrap();
    let key = east.create_multi_region_key().unwrap();
    let replicate = alice.replicate_key().key_id(key.as_ref()).replica_region("us-west-2");
    assert_eq!(code(replicate.clone().send().await), "AccessDeniedException");
    let mut to_west = statement("Allow", "kms:ReplicateKey", key.as_ref());
    to_west["Condition"] = json!({ "StringEquals": { "kms:ReplicaRegion": "us-west-2" } });
    east.attach_policy(ALICE, &policy(to_west)).unwrap();
    assert!(refusal(replicate.clone().send().await).1.contains("kms:CreateKey"));
    west.attach_policy(ALICE, &policy(statement("Allow", "kms:CreateKey", "*"))).unwrap();
    replicate.send().await.unwrap();

    let there = Client::from_conf(alice.config().to_builder().region(Region::new("us-west-2")).build());
    there.describe_key().key_id(key.key_id().as_str()).send().await.unwrap();
    assert_eq!(code(sign(&there, key.key_id().as_str()).await), "AccessDeniedException", "the same principal there");
}

#[tokio::test]
async fn a_principal_comes_over_http_by_its_access_key() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let (id, secret) = fake.access_key_for(ALICE);
    assert_eq!((id.len(), secret.len()), (20, 40));
    assert_eq!(fake.access_key_for(ALICE), (id.clone(), secret));
    assert_ne!(fake.access_key_for(SIGNER).0, id);
    let describe = async |id: &str| {
        let scope = format!("AWS4-HMAC-SHA256 Credential={id}/20260101/us-east-1/kms/aws4_request, SignedHeaders=host");
        let request = http::Request::post("/")
            .header("x-amz-target", "TrentService.DescribeKey")
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", scope)
            .body(Bytes::from(json!({ "KeyId": key.as_ref() }).to_string()));
        fake.handle(request.unwrap()).await.status().as_u16()
    };
    assert_eq!((describe(&id).await, describe("AKIDSOMEBODYELSE").await), (400, 200));
    fake.attach_policy(ALICE, &policy(statement("Allow", "kms:DescribeKey", "*"))).unwrap();
    assert_eq!(describe(&id).await, 200);
}

#[tokio::test]
async fn policies_that_cannot_be_judged_are_refused() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap().to_string();
    for statement in [
        json!(7),
        json!({ "Effect": "Permit", "Action": "kms:*", "Resource": "*" }),
        json!({ "Effect": "Allow", "Resource": "*" }),
        json!({ "Effect": "Allow", "Action": 7, "Resource": "*" }),
        json!({ "Effect": "Allow", "Action": "kms:*" }),
        json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*", "NotPrincipal": "*" }),
        json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": { "Bool": 7 } }),
    ] {
        let error = fake.attach_policy(ALICE, &policy(statement.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{statement}");
        let put = fake.client().put_key_policy().key_id(&key).policy(policy(statement.clone()));
        assert_eq!(code(put.send().await), "MalformedPolicyDocumentException", "{statement}");
    }
    for principal in ["alice", "arn:aws:iam::111122223333:user/*", "arn:aws:iam::1:root", "arn:aws:s3:::bucket"] {
        let put = fake.client().put_key_policy().key_id(&key).policy(policy(allow(principal, "kms:*")));
        assert_eq!(code(put.send().await), "MalformedPolicyDocumentException", "{principal}");
    }
    fake.attach_policy("somebody", &policy(statement("Allow", "kms:*", "*"))).unwrap();
    assert_eq!(code(sign(&fake.client_as("somebody"), &key).await), "AccessDeniedException");
}
