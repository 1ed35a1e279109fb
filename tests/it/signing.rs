//! Messages, typed data, many digests; aliases; what is asked of KMS for each.

use std::time::Duration;

use alloy_primitives::{B256, U256, address, b256, eip191_hash_message, keccak256};
use alloy_signer::Signer;
use alloy_sol_types::{SolStruct, eip712_domain, sol};
use futures_util::StreamExt;
use kms_signer::{
    ErrorKind, KmsSigner,
    aws_sdk_kms::types::{KeySpec, KeyUsageType},
    fake::{FakeKms, Fault},
    signature::{V, to_eth_bytes},
};

use crate::{assert_kind, fake_and_signer};

/// Account 0 of the development nodes' well-known mnemonic.
const SECRET: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

sol! {
    struct Mail {
        address to;
        string contents;
    }
}

#[tokio::test]
async fn a_known_secret_has_its_known_address() {
    let fake = FakeKms::new();
    let key = fake.import_key(SECRET).unwrap();
    let signer = KmsSigner::new(fake.client(), key, None).await.unwrap();
    assert_eq!(signer.address(), address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
    assert_eq!(signer.public_key().address(), signer.address());
}

#[tokio::test]
async fn messages_are_prefixed_as_eip_191_says() {
    let (_fake, signer) = fake_and_signer().await;
    for message in [&b""[..], b"hello", &[0xff; 32], &[0x19; 5000]] {
        let signature = signer.sign_message(message).await.unwrap();
        assert_eq!(signature.recover_address_from_prehash(&eip191_hash_message(message)).unwrap(), signer.address());
        assert_eq!(signature.recover_address_from_msg(message).unwrap(), signer.address());
    }
}

#[tokio::test]
async fn typed_data_is_hashed_as_eip_712_says() {
    let (_fake, signer) = fake_and_signer().await;
    let domain = eip712_domain! { name: "test", version: "1", chain_id: 31337, };
    let mail = Mail { to: signer.address(), contents: "hello".to_owned() };
    let digest = mail.eip712_signing_hash(&domain);

    let signature = signer.sign_typed_data(&mail, &domain).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());

    let dynamic: alloy_dyn_abi::TypedData = serde_json::from_value(serde_json::json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
            ],
            "Mail": [{"name": "to", "type": "address"}, {"name": "contents", "type": "string"}],
        },
        "primaryType": "Mail",
        "domain": {"name": "test", "version": "1", "chainId": 31337},
        "message": {"to": mail.to, "contents": mail.contents},
    }))
    .unwrap();
    let signature = signer.sign_dynamic_typed_data(&dynamic).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
}

#[tokio::test]
async fn a_hash_is_signed_as_it_is() {
    let (fake, signer) = fake_and_signer().await;
    for digest in [B256::ZERO, B256::repeat_byte(0xff), keccak256("x")] {
        let signature = signer.sign_hash(&digest).await.unwrap();
        assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
    }
    let body = fake.requests().last().unwrap().body().to_owned();
    assert!(body.contains(r#""MessageType":"DIGEST""#), "{body}");
    assert!(body.contains(r#""SigningAlgorithm":"ECDSA_SHA_256""#), "{body}");
}

#[tokio::test]
async fn high_s_and_short_integers_come_out_as_ethereum_wants_them() {
    let (fake, signer) = fake_and_signer().await;
    for fault in [Fault::high_s(), Fault::low_s(), Fault::short_r(), Fault::short_s()] {
        fake.inject(fault);
        let digest = keccak256("x");
        let signature = signer.sign_hash(&digest).await.unwrap();
        assert_eq!(signature.normalize_s(), None, "s is low already");
        assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
        assert!(signature.s() < U256::MAX >> 1);
        let bytes = to_eth_bytes(&signature, V::Legacy);
        assert_eq!(bytes, signature.as_bytes());
    }
}

#[tokio::test]
async fn both_parities_occur_and_are_right() {
    let (_fake, signer) = fake_and_signer().await;
    let mut odd = 0;
    for index in 0..64u64 {
        let digest = keccak256(index.to_be_bytes());
        let signature = signer.sign_hash(&digest).await.unwrap();
        assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
        odd += usize::from(signature.v());
    }
    assert!((1..64).contains(&odd), "{odd} of 64 odd");
}

#[tokio::test]
async fn many_digests_come_back_in_order_with_the_failure_of_one_among_them() {
    let (fake, signer) = fake_and_signer().await;
    let digests: Vec<B256> = (0..100u64).map(|index| keccak256(index.to_be_bytes())).collect();
    fake.inject(Fault::error("DisabledException", 400, "disabled").on("Sign"));
    let results: Vec<_> = signer.sign_hashes(digests.clone()).collect().await;
    assert_eq!(results.len(), digests.len());
    let mut failed = 0;
    for (digest, result) in digests.iter().zip(results) {
        match result {
            Ok(signature) => {
                assert_eq!(signature.recover_address_from_prehash(digest).unwrap(), signer.address());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::KeyUnusable);
                failed += 1;
            }
        }
    }
    assert_eq!(failed, 1);
}

#[tokio::test]
async fn of_many_digests_a_bounded_number_is_under_way() {
    let (fake, signer) = fake_and_signer().await;
    fake.inject(Fault::stall().on("Sign").forever());
    let mut signatures = Box::pin(signer.sign_hashes(std::iter::repeat_n(B256::ZERO, 100)));
    assert!(tokio::time::timeout(Duration::from_millis(300), signatures.next()).await.is_err());
    assert_eq!(fake.requests().iter().filter(|request| request.operation() == "Sign").count(), 64);

    let (fake, client) = (fake.clone(), signer.client().clone().with_max_in_flight(5));
    let signer = KmsSigner::new(client, signer.key(), None).await.unwrap();
    let before = fake.requests().len();
    let mut signatures = Box::pin(signer.sign_hashes(std::iter::repeat_n(B256::ZERO, 100)));
    assert!(tokio::time::timeout(Duration::from_millis(300), signatures.next()).await.is_err());
    assert_eq!(fake.requests().len() - before, 5);
}

#[tokio::test]
async fn a_replica_of_a_multi_region_key_may_answer() {
    let fake = FakeKms::new();
    let created = fake
        .client()
        .create_key()
        .key_spec(KeySpec::EccSecgP256K1)
        .key_usage(KeyUsageType::SignVerify)
        .multi_region(true)
        .send()
        .await
        .unwrap();
    let arn = created.key_metadata().unwrap().arn().unwrap().to_owned();
    let signer = KmsSigner::new(fake.client(), &arn, None).await.unwrap();
    fake.inject(Fault::key_id(&arn.replace("us-east-1", "eu-west-1")));
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(signer.key().as_ref(), arn, "requests go on to the key that was given");

    fake.inject(Fault::key_id(&arn.replace("111122223333", "999999999999")));
    assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::KeyChanged);
}

#[tokio::test]
async fn an_alias_arn_leads_to_no_key_of_another_account() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    fake.alias("alias/relayer", &key).unwrap();
    let alias = format!("arn:aws:kms:us-east-1:{}:alias/relayer", key.account());
    fake.inject(Fault::key_id(&key.as_ref().replace(key.account(), "999999999999")));
    assert_kind(&KmsSigner::new(fake.client(), alias, None).await.unwrap_err(), ErrorKind::KeyChanged);
}

#[tokio::test]
async fn after_connect_the_arn_is_sent_and_a_retargeted_alias_changes_nothing() {
    let fake = FakeKms::new();
    let (first, second) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    fake.alias("alias/relayer", &first).unwrap();
    let signer = KmsSigner::new(fake.client(), "alias/relayer", None).await.unwrap();
    assert_eq!(signer.key().to_string(), first.to_string());

    fake.alias("alias/relayer", &second).unwrap();
    let signature = signer.sign_message(b"x").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("x").unwrap(), signer.address());
    assert_eq!(fake.requests().last().unwrap().key_id(), Some(first.as_ref()));
}

#[tokio::test]
async fn as_given_keeps_the_alias_and_names_its_change() {
    let fake = FakeKms::new();
    let (first, second) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    fake.alias("alias/relayer", &first).unwrap();
    let signer = KmsSigner::builder(fake.client(), "alias/relayer").as_given().connect().await.unwrap();
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(fake.requests().last().unwrap().key_id(), Some("alias/relayer"));
    assert_eq!(signer.key().to_string(), "alias/relayer");

    fake.alias("alias/relayer", &second).unwrap();
    let error = signer.sign_message(b"x").await.unwrap_err();
    assert_kind(&error, ErrorKind::KeyChanged);
    let text = error.to_string();
    assert!(text.contains(first.as_ref()) && text.contains(second.as_ref()), "{text}");
    assert_kind(&signer.preflight().await.unwrap_err(), ErrorKind::KeyChanged);
}

#[tokio::test]
async fn a_known_key_asks_nothing_at_connect_and_keeps_the_first_verified_answer() {
    let fake = FakeKms::new();
    let (first, second) = (fake.create_key().unwrap(), fake.create_key().unwrap());
    fake.alias("alias/relayer", &first).unwrap();
    let public_key = KmsSigner::new(fake.client(), &first, None).await.unwrap().public_key().clone();
    let asked = fake.requests().len();

    let signer = KmsSigner::builder(fake.client(), "alias/relayer").public_key(public_key).connect().await.unwrap();
    assert_eq!(fake.requests().len(), asked);
    assert_eq!(signer.key().to_string(), "alias/relayer");

    fake.alias("alias/relayer", &second).unwrap();
    assert_kind(&signer.sign_message(b"x").await.unwrap_err(), ErrorKind::SignatureMismatch);
    assert_eq!(signer.key().to_string(), "alias/relayer", "an answer that does not verify is not kept");

    fake.alias("alias/relayer", &first).unwrap();
    signer.sign_message(b"x").await.unwrap();
    assert_eq!(signer.key().to_string(), first.to_string());
}

#[tokio::test]
async fn grant_tokens_go_with_both_requests() {
    let fake = FakeKms::new();
    let key = fake.create_key().unwrap();
    let signer = KmsSigner::builder(fake.client(), key).grant_token("one").grant_token("two").connect().await.unwrap();
    signer.sign_message(b"x").await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests.iter().map(|request| request.operation()).collect::<Vec<_>>(), ["GetPublicKey", "Sign"]);
    for request in requests {
        assert_eq!(request.grant_tokens(), ["one", "two"]);
    }
}

#[tokio::test]
async fn preflight_makes_no_signature() {
    let (fake, signer) = fake_and_signer().await;
    signer.preflight().await.unwrap();
    let last = fake.requests().last().unwrap().clone();
    assert_eq!((last.operation(), last.dry_run()), ("Sign", true));

    fake.inject(Fault::error("AccessDeniedException", 400, "no").on("Sign"));
    let error = signer.preflight().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert!(error.to_string().contains("kms:Sign"), "{error}");
    assert!(!error.may_have_signed());
}
