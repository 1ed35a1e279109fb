//! Vectors of others: the npm package `@ethersproject/testcases`, under target/stack.
//!
//! For each: what is signed equals theirs byte for byte, and our signature of it by the same key (through FakeKms and the
//! SDK client) recovers to the address theirs does.

use std::{collections::HashMap, fs::File, path::Path};

use alloy_consensus::{
    SignableTransaction, TxEnvelope, TxLegacy, TypedTransaction,
    transaction::{RlpEcdsaDecodableTx, RlpEcdsaEncodableTx, SignerRecoverable},
};
use alloy_dyn_abi::TypedData;
use alloy_eips::{Decodable2718, Encodable2718};
use alloy_network::TxSigner;
use alloy_primitives::{Address, B256, Bytes, Signature, keccak256};
use flate2::read::GzDecoder;
use kms_signer::{KmsSigner, alloy_signer::Signer, fake::FakeKms};
use serde_json::{Value, json};

fn load(name: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/stack/node_modules/@ethersproject/testcases");
    let path = folder.join("testcases").join(name);
    let file =
        File::open(&path).unwrap_or_else(|error| panic!("{}: {error}; run tests/stack.sh install", path.display()));
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}

fn bytes(value: &Value) -> Bytes {
    value.as_str().unwrap().parse().unwrap()
}

/// Signers over imported keys, one for each.
#[derive(Default)]
struct Signers {
    fake: FakeKms,
    known: HashMap<B256, KmsSigner>,
}

impl Signers {
    async fn by_secret(&mut self, secret: &Value) -> KmsSigner {
        let secret: B256 = secret.as_str().unwrap().parse().unwrap();
        if !self.known.contains_key(&secret) {
            let key = self.fake.import_key(secret).unwrap();
            let signer = KmsSigner::new(self.fake.client(), key, None).await.unwrap();
            self.known.insert(secret, signer);
        }
        self.known[&secret].clone()
    }
}

/// Signs a transaction and checks payload, digest and sender against theirs.
async fn check(
    name: &str,
    signer: &KmsSigner,
    transaction: &mut dyn SignableTransaction<Signature>,
    unsigned: &Bytes,
    sender: Address,
) {
    assert_eq!(signer.address(), sender, "{name}");
    assert_eq!(transaction.encoded_for_signing(), unsigned.to_vec(), "{name}: unsigned payload");
    assert_eq!(transaction.signature_hash(), keccak256(unsigned), "{name}: digest");
    let signature = signer.sign_transaction(transaction).await.unwrap();
    assert_eq!(signature.recover_address_from_prehash(&keccak256(unsigned)).unwrap(), sender, "{name}");
}

/// Legacy transactions, without a chain id and with chain id 5 (EIP-155).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the vectors that tests/stack.sh install fetches"]
async fn legacy_transactions() {
    let mut signers = Signers::default();
    let (mut checked, mut too_large) = (0, 0);
    for case in load("transactions.json.gz") {
        let name = case["name"].as_str().unwrap();
        let signer = signers.by_secret(&case["privateKey"]).await;
        let sender: Address = case["accountAddress"].as_str().unwrap().parse().unwrap();
        for (signed, unsigned, chain_id) in [
            ("signedTransaction", "unsignedTransaction", None),
            ("signedTransactionChainId5", "unsignedTransactionChainId5", Some(5)),
        ] {
            let unsigned = bytes(&case[unsigned]);
            match TxLegacy::rlp_decode_signed(&mut bytes(&case[signed]).as_ref()) {
                Ok(theirs) => {
                    assert_eq!(theirs.recover_signer().unwrap(), sender, "{name}: theirs");
                    let mut transaction = theirs.strip_signature();
                    assert_eq!(transaction.chain_id, chain_id, "{name}");
                    check(name, &signer, &mut transaction, &unsigned, sender).await;
                }
                // A gas limit, gas price or nonce beyond what alloy's transaction holds: sign the payload's digest.
                Err(alloy_rlp::Error::Overflow) => {
                    let digest = keccak256(&unsigned);
                    let signature = signer.sign_hash(&digest).await.unwrap();
                    assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), sender, "{name}");
                    too_large += 1;
                }
                Err(error) => panic!("{name}: {error}"),
            }
            checked += 1;
        }
    }
    println!("{checked} legacy transactions, {too_large} of them with numbers too large for alloy's type");
    assert_eq!(checked, 2 * 1067);
}

/// EIP-2930 and EIP-1559 transactions.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the vectors that tests/stack.sh install fetches"]
async fn typed_transactions() {
    let mut signers = Signers::default();
    let mut by_type: HashMap<u8, usize> = HashMap::new();
    for case in load("typed-transactions.json.gz") {
        let name = case["name"].as_str().unwrap();
        let signer = signers.by_secret(&case["key"]).await;
        let sender: Address = case["address"].as_str().unwrap().parse().unwrap();
        let theirs = bytes(&case["signed"]);
        let signed = TxEnvelope::decode_2718_exact(&theirs).unwrap();
        assert_eq!(signed.recover_signer().unwrap(), sender, "{name}: theirs");
        assert_eq!(signed.encoded_2718(), theirs, "{name}: theirs, encoded again");
        let unsigned = bytes(&case["unsigned"]);
        match TypedTransaction::from(signed) {
            TypedTransaction::Eip2930(mut transaction) => {
                check(name, &signer, &mut transaction, &unsigned, sender).await;
                *by_type.entry(1).or_default() += 1;
            }
            TypedTransaction::Eip1559(mut transaction) => {
                assert!(transaction.rlp_encoded_fields_length() > 0);
                check(name, &signer, &mut transaction, &unsigned, sender).await;
                *by_type.entry(2).or_default() += 1;
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    println!("typed transactions by type: {by_type:?}");
    assert_eq!(by_type.values().sum::<usize>(), 1792);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the vectors that tests/stack.sh install fetches"]
async fn typed_data() {
    let fake = FakeKms::new();
    let signer = KmsSigner::new(fake.client(), fake.create_key().unwrap(), None).await.unwrap();
    let mut checked = 0;
    for case in load("eip712.json.gz") {
        let name = case["name"].as_str().unwrap();
        let data: TypedData = serde_json::from_value(typed_data_of(&case)).unwrap();
        let digest: B256 = case["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(data.eip712_signing_hash().unwrap(), digest, "{name}");
        let signature = signer.sign_dynamic_typed_data(&data).await.unwrap();
        assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address(), "{name}");
        checked += 1;
    }
    println!("{checked} typed data");
    assert_eq!(checked, 1025);
}

/// The package leaves `EIP712Domain` out of the types; it follows from the domain's fields, in EIP-712's order.
fn typed_data_of(case: &Value) -> Value {
    let fields = [
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
        ("salt", "bytes32"),
    ];
    let domain: Vec<Value> = fields
        .iter()
        .filter(|(name, _)| case["domain"].get(name).is_some_and(|value| !value.is_null()))
        .map(|(name, kind)| json!({"name": name, "type": kind}))
        .collect();
    let mut types = case["types"].clone();
    types["EIP712Domain"] = json!(domain);
    json!({"types": types, "primaryType": case["primaryType"], "domain": case["domain"], "message": case["data"]})
}
