//! The list of behaviours. Each is run against every KMS; where one departs from AWS, the list says how.

mod keys;

use std::{future::Future, pin::Pin};

use alloy_primitives::{Address, B256, address, b256, keccak256};
use alloy_signer::Signer;
use alloy_sol_types::{SolStruct, eip712_domain, sol};
use futures_util::StreamExt;
use kms_signer::{
    Error, ErrorKind, KmsSigner, PublicKey,
    aws_sdk_kms::{
        primitives::Blob,
        types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec},
    },
    signature,
};

use crate::{
    import::import,
    target::{Kms, Target},
};

/// Account 0 of the development nodes' well-known mnemonic.
pub const ACCOUNT_0: (B256, Address) = (
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
);

pub struct Behaviour {
    pub name: &'static str,
    /// KMSs that do otherwise.
    pub departs: &'static [Departure],
    run: fn(Target) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

pub struct Departure {
    pub kms: Kms,
    /// What it does instead.
    pub how: &'static str,
    /// What the behaviour's panic says then; another panic is a failure.
    panic: &'static str,
}

pub enum Outcome {
    Holds,
    Departs(&'static str),
    Fails(String),
}

impl Behaviour {
    /// Runs it. A departure that no longer happens is a failure, so that the list stays true.
    pub async fn check(&self, target: &Target) -> Outcome {
        let panic = tokio::spawn((self.run)(target.clone())).await.err().map(|error| match error.try_into_panic() {
            Ok(panic) => panic
                .downcast::<String>()
                .map(|text| *text)
                .or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default(),
            Err(error) => error.to_string(),
        });
        let departure = self.departs.iter().find(|departure| departure.kms == target.kms);
        match (panic, departure) {
            (None, None) => Outcome::Holds,
            (Some(panic), Some(departure)) if panic.contains(departure.panic) => Outcome::Departs(departure.how),
            (None, Some(departure)) => Outcome::Fails(format!("it holds; the list says: {}", departure.how)),
            (Some(panic), _) => Outcome::Fails(panic),
        }
    }
}

macro_rules! behaviours {
    ($($name:literal: $run:path $(, $kms:ident departs: $how:literal, and panics: $panic:literal)*;)*) => {
        pub const BEHAVIOURS: &[Behaviour] = &[$(
            Behaviour {
                name: $name,
                departs: &[$(Departure { kms: Kms::$kms, how: $how, panic: $panic }),*],
                run: |target| Box::pin($run(target)),
            },
        )*];
    };
}

behaviours! {
    "a key id leads to the key": by_key_id;
    "a key ARN leads to the key": by_key_arn;
    "an alias name leads to the key": by_alias;
    "an alias ARN leads to the key": by_alias_arn;
    "a multi-Region key id and ARN lead to the key": by_multi_region;
    "a key that does not exist is KeyNotFound": missing_key;
    "an alias that does not exist is KeyNotFound": missing_alias;
    "a P-256 key is KeyUnsuitable": other_curve;
    "a symmetric key is KeyUnsuitable": other_usage;
    "connecting to a disabled key is KeyUnusable": connect_disabled,
        Ministack departs: "GetPublicKey answers for a disabled key", and panics: "`Result::unwrap_err()` on an `Ok`";
    "connecting to a key pending deletion is KeyUnusable": connect_pending_deletion,
        Ministack departs: "GetPublicKey answers for a key pending deletion", and panics: "`Result::unwrap_err()` on an `Ok`";
    "signing with a disabled key is KeyUnusable, and works once enabled": sign_disabled;
    "signing with a key pending deletion is KeyUnusable": sign_pending_deletion;
    "another Region than the ARN's is Config, before any request": other_region;
    "another address than expected is AddressMismatch": other_address;
    "a known public key needs no request at connect": known_key;
    "a retargeted alias changes nothing for a connected signer": retargeted_alias;
    "as_given names a retargeted alias as KeyChanged": retargeted_alias_as_given;
    "preflight passes on a key that can sign": preflight;
    "preflight on a disabled key is KeyUnusable": preflight_disabled;
    "a dry run makes no signature": dry_run,
        Ministack departs: "Sign ignores DryRun and signs", and panics: "`Result::unwrap_err()` on an `Ok`";
    "the same digest gets another signature each time": fresh_nonces;
    "512 signatures: high and low S, both parities, each verified by libsecp256k1": many_signatures;
    "64 digests at once come back in order": stream;
    "an EIP-191 message recovers to the address": message;
    "EIP-712 typed data recovers to the address": typed_data;
    "an imported private key has its known address and signs": imported_key;
    "a key of each kind is created, and signs under its alias at once": keys::create;
    "an alias that is taken makes no key": keys::taken_alias;
    "ensure finds what it made, and refuses another kind": keys::ensure;
    "a listing finds by alias, tag, spec and state": keys::list;
    "many signers are loaded by names, and again from records": keys::load;
    "tags, aliases and states are changed": keys::change;
    "a grant is made, its token is taken, and it is revoked": keys::grant;
    "a replica in another Region has the same key, and imported material is given again": keys::replicate;
}

async fn signs(signer: &KmsSigner) {
    let digest = keccak256("conformance");
    let signature = signer.sign_hash(&digest).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
}

/// The kind of the error that signing ends with.
async fn sign_error(signer: &KmsSigner) -> ErrorKind {
    let error = signer.sign_hash(&B256::ZERO).await.unwrap_err();
    Error::find(&error).unwrap().kind()
}

fn parts(arn: &str) -> Vec<&str> {
    arn.split(':').collect()
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap()
}

async fn by_key_id(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(id_of(&arn)).await.unwrap();
    assert_eq!(signer.key().as_ref(), arn);
    signs(&signer).await;
}

async fn by_key_arn(target: Target) {
    let arn = target.signing_key().await;
    signs(&target.signer(&arn).await.unwrap()).await;
}

async fn by_alias(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(target.alias(&arn).await).await.unwrap();
    assert_eq!(signer.key().as_ref(), arn);
    signs(&signer).await;
}

async fn by_alias_arn(target: Target) {
    let arn = target.signing_key().await;
    let alias = target.alias(&arn).await;
    let [.., region, account, _] = parts(&arn)[..] else { panic!("{arn}") };
    let signer = target.signer(format!("arn:aws:kms:{region}:{account}:{alias}")).await.unwrap();
    assert_eq!(signer.key().as_ref(), arn);
    signs(&signer).await;
}

async fn by_multi_region(target: Target) {
    let arn = target.key(KeySpec::EccSecgP256K1, KeyUsageType::SignVerify, true).await;
    assert!(id_of(&arn).starts_with("mrk-"), "{arn}");
    for key in [id_of(&arn), &arn] {
        signs(&target.signer(key).await.unwrap()).await;
    }
}

async fn missing_key(target: Target) {
    let error = target.signer("12345678-1234-1234-1234-123456789012").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyNotFound, "{error}");
}

async fn missing_alias(target: Target) {
    let error = target.signer("alias/conformance-nobody").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyNotFound, "{error}");
}

async fn other_curve(target: Target) {
    let arn = target.key(KeySpec::EccNistP256, KeyUsageType::SignVerify, false).await;
    let error = target.signer(arn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuitable, "{error}");
    assert!(error.to_string().contains("ECC_NIST_P256"), "{error}");
}

async fn other_usage(target: Target) {
    let arn = target.key(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt, false).await;
    let error = target.signer(arn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuitable, "{error}");
}

async fn connect_disabled(target: Target) {
    let arn = target.signing_key().await;
    target.sdk().disable_key().key_id(&arn).send().await.unwrap();
    target.settle().await;
    let error = target.signer(arn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnusable, "{error}");
}

async fn connect_pending_deletion(target: Target) {
    let arn = target.signing_key().await;
    target.sdk().schedule_key_deletion().key_id(&arn).pending_window_in_days(7).send().await.unwrap();
    target.settle().await;
    let error = target.signer(arn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnusable, "{error}");
}

async fn sign_disabled(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(&arn).await.unwrap();
    target.sdk().disable_key().key_id(&arn).send().await.unwrap();
    target.settle().await;
    assert_eq!(sign_error(&signer).await, ErrorKind::KeyUnusable);
    target.sdk().enable_key().key_id(&arn).send().await.unwrap();
    target.settle().await;
    signs(&signer).await;
}

async fn sign_pending_deletion(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(&arn).await.unwrap();
    target.sdk().schedule_key_deletion().key_id(&arn).pending_window_in_days(7).send().await.unwrap();
    target.settle().await;
    assert_eq!(sign_error(&signer).await, ErrorKind::KeyUnusable);
}

async fn other_region(target: Target) {
    let arn = target.signing_key().await;
    let here = parts(&arn)[3];
    let error = target.signer(arn.replace(here, "eu-south-2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

async fn other_address(target: Target) {
    let arn = target.signing_key().await;
    let address = target.signer(&arn).await.unwrap().address();
    let connect = |address| KmsSigner::builder(target.sdk(), &arn).expected_address(address).connect();
    assert_eq!(connect(address).await.unwrap().address(), address);
    assert_eq!(connect(Address::ZERO).await.unwrap_err().kind(), ErrorKind::AddressMismatch);
}

async fn known_key(target: Target) {
    let arn = target.signing_key().await;
    let public_key = target.signer(&arn).await.unwrap().public_key().clone();
    // A request would fail on a key that does not exist.
    let nowhere = KmsSigner::builder(target.sdk(), "alias/conformance-nobody").public_key(public_key.clone());
    assert_eq!(nowhere.connect().await.unwrap().address(), public_key.address());
    let alias = target.alias(&arn).await;
    let signer = KmsSigner::builder(target.sdk(), alias).public_key(public_key).connect().await.unwrap();
    signs(&signer).await;
    assert_eq!(signer.key().as_ref(), arn);
}

async fn retargeted_alias(target: Target) {
    let (first, second) = (target.signing_key().await, target.signing_key().await);
    let alias = target.alias(&first).await;
    let signer = target.signer(&alias).await.unwrap();
    target.sdk().update_alias().alias_name(&alias).target_key_id(&second).send().await.unwrap();
    target.settle().await;
    signs(&signer).await;
    assert_ne!(target.signer(&alias).await.unwrap().address(), signer.address());
}

async fn retargeted_alias_as_given(target: Target) {
    let (first, second) = (target.signing_key().await, target.signing_key().await);
    let alias = target.alias(&first).await;
    let signer = KmsSigner::builder(target.sdk(), &alias).as_given().connect().await.unwrap();
    signs(&signer).await;
    target.sdk().update_alias().alias_name(&alias).target_key_id(&second).send().await.unwrap();
    target.settle().await;
    assert_eq!(sign_error(&signer).await, ErrorKind::KeyChanged);
}

async fn preflight(target: Target) {
    let arn = target.signing_key().await;
    target.signer(arn).await.unwrap().preflight().await.unwrap();
}

async fn preflight_disabled(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(&arn).await.unwrap();
    target.sdk().disable_key().key_id(&arn).send().await.unwrap();
    target.settle().await;
    let error = signer.preflight().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnusable, "{error}");
}

async fn dry_run(target: Target) {
    let arn = target.signing_key().await;
    let error = sign_raw(&target, &arn, &B256::ZERO, true).await.unwrap_err();
    assert!(error.contains("DryRunOperation"), "{error}");
}

async fn fresh_nonces(target: Target) {
    let arn = target.signing_key().await;
    let first = sign_raw(&target, &arn, &B256::ZERO, false).await.unwrap();
    let second = sign_raw(&target, &arn, &B256::ZERO, false).await.unwrap();
    assert_ne!(first, second);
}

async fn many_signatures(target: Target) {
    let arn = target.signing_key().await;
    let answer = target.sdk().get_public_key().key_id(&arn).send().await.unwrap();
    let key = PublicKey::from_spki_der(answer.public_key().unwrap().as_ref()).unwrap();
    let theirs = secp256k1::PublicKey::from_slice(&key.to_sec1()).unwrap();
    let verifier = secp256k1::Secp256k1::verification_only();

    let (mut high, mut odd) = (0, 0);
    let digests: Vec<B256> = (0..512u32).map(|index| keccak256(index.to_be_bytes())).collect();
    let mut answers = futures_util::stream::iter(digests)
        .map(|digest| {
            let (target, arn) = (target.clone(), arn.clone());
            async move { (digest, sign_raw_bytes(&target, &arn, &digest).await) }
        })
        .buffered(16);
    while let Some((digest, der)) = answers.next().await {
        let ours = signature::recover(&der, &digest, &key).unwrap();
        assert_eq!(ours.recover_address_from_prehash(&digest).unwrap(), key.address());

        let given = secp256k1::ecdsa::Signature::from_der(&der).unwrap();
        let mut low = given;
        low.normalize_s();
        high += usize::from(low != given);
        odd += usize::from(ours.v());
        assert_eq!(low.serialize_compact(), signature::to_compact(&ours));
        let message = secp256k1::Message::from_digest(digest.0);
        verifier.verify_ecdsa(message, &low, &theirs).unwrap();
    }
    // Each is a fair coin: outside these bounds once in 10⁹ runs.
    assert!((180..=332).contains(&high), "{high} of 512 high");
    assert!((180..=332).contains(&odd), "{odd} of 512 odd");
}

async fn stream(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(arn).await.unwrap();
    let digests: Vec<B256> = (0..64u32).map(|index| keccak256(index.to_be_bytes())).collect();
    let signatures: Vec<_> = signer.sign_hashes(digests.clone()).collect().await;
    assert_eq!(signatures.len(), digests.len());
    for (digest, signature) in digests.iter().zip(signatures) {
        assert_eq!(signature.unwrap().recover_address_from_prehash(digest).unwrap(), signer.address());
    }
}

async fn message(target: Target) {
    let arn = target.signing_key().await;
    let signer = target.signer(arn).await.unwrap();
    let signature = signer.sign_message(b"conformance").await.unwrap();
    assert_eq!(signature.recover_address_from_msg("conformance").unwrap(), signer.address());
}

async fn typed_data(target: Target) {
    sol! {
        struct Order {
            address maker;
            uint256 amount;
        }
    }
    let arn = target.signing_key().await;
    let signer = target.signer(arn).await.unwrap();
    let domain = eip712_domain! { name: "conformance", chain_id: 31337, };
    let order = Order { maker: signer.address(), amount: alloy_primitives::U256::from(7) };
    let signature = signer.sign_typed_data(&order, &domain).await.unwrap();
    let digest = order.eip712_signing_hash(&domain);
    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
}

async fn imported_key(target: Target) {
    let (secret, address) = ACCOUNT_0;
    let arn = import(&target, &secret).await;
    let signer = target.signer(arn).await.unwrap();
    assert_eq!(signer.address(), address);
    signs(&signer).await;
}

/// `Sign` with the bare SDK: the DER, or the error's code and text.
async fn sign_raw(target: &Target, key: &str, digest: &B256, dry_run: bool) -> Result<Vec<u8>, String> {
    let request = target
        .sdk()
        .sign()
        .key_id(key)
        .message(Blob::new(digest.as_slice()))
        .message_type(MessageType::Digest)
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
        .dry_run(dry_run);
    match request.send().await {
        Ok(answer) => Ok(answer.signature().unwrap().as_ref().to_vec()),
        Err(error) => Err(format!("{:?}", error.into_service_error())),
    }
}

async fn sign_raw_bytes(target: &Target, key: &str, digest: &B256) -> Vec<u8> {
    sign_raw(target, key, digest, false).await.unwrap()
}
