//! Whatever the rules and whatever the transaction: what is outside the rules is never signed.

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use alloy_network::TxSigner;
use alloy_primitives::{Address, B256, ChainId, Signature, U256};
use alloy_signer::Signer;
use alloy_signer_local::PrivateKeySigner;
use async_trait::async_trait;
use futures_executor::block_on;
use kms_signer::{
    Error, ErrorKind,
    guard::{Allow, Call, Guard, Guarded, Rules, TransactionRule},
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::asks::Tx;

/// Counts what reaches it.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    signer: PrivateKeySigner,
    pub(super) asked: Arc<AtomicUsize>,
}

impl Counting {
    pub(super) fn new() -> Self {
        Self { signer: PrivateKeySigner::random(), asked: Arc::default() }
    }
}

/// Lets others run once, whatever runs them.
#[derive(Default)]
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl Signer for Counting {
    async fn sign_hash(&self, hash: &B256) -> alloy_signer::Result<Signature> {
        self.asked.fetch_add(1, Relaxed);
        self.signer.sign_hash(hash).await
    }

    fn address(&self) -> Address {
        self.signer.address()
    }

    fn chain_id(&self) -> Option<ChainId> {
        self.signer.chain_id()
    }

    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.signer.set_chain_id(chain_id);
    }
}

#[async_trait]
impl TxSigner<Signature> for Counting {
    fn address(&self) -> Address {
        self.signer.address()
    }

    async fn sign_transaction(
        &self,
        transaction: &mut dyn alloy_consensus::SignableTransaction<Signature>,
    ) -> alloy_signer::Result<Signature> {
        self.asked.fetch_add(1, Relaxed);
        Once::default().await;
        self.signer.sign_transaction(transaction).await
    }
}

/// From few values, so that rules and transactions meet.
fn address() -> impl Strategy<Value = Address> {
    (1u8..4).prop_map(Address::repeat_byte)
}

fn selector() -> impl Strategy<Value = [u8; 4]> {
    select(vec![[0xa9, 0x05, 0x9c, 0xbb], [0; 4], [0xff; 4]])
}

fn allow<T: Clone + core::fmt::Debug + 'static>(item: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Allow<T>> {
    prop_oneof![1 => Just(Allow::Any), 4 => vec(item, 1..3).prop_map(Allow::Only)].boxed()
}

fn rule() -> impl Strategy<Value = TransactionRule> {
    let call = prop_oneof![Just(Call::None), selector().prop_map(|selector| Call::Function(selector.into()))];
    let types = vec(select(vec![0u8, 1, 2, 3, 4]), 1..4);
    let scope = (allow(1u64..4), allow(address()), any::<bool>(), allow(call), types);
    let amounts = (0u64..4, 0u128..4, 1u64..4, any::<bool>(), 0u64..3, 0u128..4, 0u64..3);
    (scope, amounts).prop_map(|((chain_ids, to, create, calls, types), amounts)| {
        let mut rule = TransactionRule::new("random");
        (rule.chain_ids, rule.to, rule.create, rule.calls) = (chain_ids, to, create, calls);
        rule.types = types.into_iter().map(|ty| ty.try_into().unwrap()).collect();
        (rule.max_value, rule.max_fee_per_gas, rule.max_gas_limit) = (U256::from(amounts.0), amounts.1, amounts.2);
        rule.access_list = amounts.3;
        if rule.types.iter().any(|ty| *ty as u8 == 3) {
            (rule.max_blobs, rule.max_fee_per_blob_gas) = (amounts.4, amounts.5.max(1));
        }
        if rule.types.iter().any(|ty| *ty as u8 == 4) {
            rule.max_authorizations = amounts.6;
        }
        rule
    })
}

fn transaction() -> impl Strategy<Value = Tx> {
    let types = select(vec!["legacy", "eip2930", "eip1559", "eip4844", "eip7702"]);
    let input = prop_oneof![Just(vec![]), selector().prop_map(Vec::from), vec(any::<u8>(), 0..6)];
    let scope = (
        types,
        proptest::option::weighted(0.9, 1u64..5),
        prop_oneof![4 => address().prop_map(|to| to.to_string()), 1 => Just("create".to_owned())],
        input,
    );
    let amounts = (0u64..5, 0u64..5, 0u64..5, 0usize..2, 0usize..4, 0u64..5, 0usize..4);
    (scope, amounts).prop_map(|((ty, chain_id, to, input), amounts)| {
        let has_no_create = matches!(ty, "eip4844" | "eip7702");
        Tx {
            r#type: ty.to_owned(),
            chain_id: if ty == "legacy" { chain_id } else { chain_id.or(Some(1)) },
            nonce: 0,
            to: if has_no_create && to == "create" { Address::repeat_byte(1).to_string() } else { to },
            value: amounts.0.to_string(),
            input: input.into(),
            max_fee_per_gas: amounts.1.to_string(),
            gas_limit: amounts.2,
            access_list: if ty == "legacy" { 0 } else { amounts.3 },
            blobs: if ty == "eip4844" { amounts.4 } else { 0 },
            max_fee_per_blob_gas: amounts.5.to_string(),
            authorizations: if ty == "eip7702" { amounts.6 } else { 0 },
        }
    })
}

/// The rule once more, from the documentation's words.
fn is_within(rule: &TransactionRule, tx: &Tx) -> bool {
    let listed = |is_any: bool, is_listed: bool| is_any || is_listed;
    let Some(chain_id) = tx.chain_id else { return false };
    let chain = match &rule.chain_ids {
        Allow::Any => true,
        Allow::Only(list) => list.contains(&chain_id),
    };
    let recipient = match (tx.to.as_str(), &rule.to) {
        ("create", _) => rule.create,
        (_, Allow::Any) => true,
        (to, Allow::Only(list)) => list.iter().any(|listed| listed.to_string() == to),
    };
    let call = tx.to == "create"
        || match &rule.calls {
            Allow::Any => true,
            Allow::Only(list) => match tx.input.len() {
                0 => list.contains(&Call::None),
                1..=3 => false,
                _ => list.iter().any(|call| matches!(call, Call::Function(f) if tx.input.starts_with(f.as_slice()))),
            },
        };
    let ty = ["legacy", "eip2930", "eip1559", "eip4844", "eip7702"].iter().position(|ty| **ty == tx.r#type).unwrap();
    let number = |text: &str| text.parse::<u128>().unwrap();
    chain
        && recipient
        && call
        && rule.types.iter().any(|allowed| *allowed as usize == ty)
        && listed(rule.access_list, tx.access_list == 0)
        && tx.blobs as u64 <= rule.max_blobs
        && tx.authorizations as u64 <= rule.max_authorizations
        && U256::from(number(&tx.value)) <= rule.max_value
        && tx.gas_limit <= rule.max_gas_limit
        && number(&tx.max_fee_per_gas) <= rule.max_fee_per_gas
        && (tx.blobs == 0 || number(&tx.max_fee_per_blob_gas) <= rule.max_fee_per_blob_gas)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn a_transaction_outside_the_rules_is_never_signed(
        rules in vec(rule(), 1..4),
        transactions in vec(transaction(), 1..4),
    ) {
        let mut given = Rules::default();
        for (n, mut rule) in rules.iter().cloned().enumerate() {
            rule.name = format!("rule {n}");
            given.transactions.push(rule);
        }
        let signer = Counting::new();
        let guarded = Guarded::new(signer.clone(), Guard::new(given).unwrap());
        for tx in transactions {
            let before = signer.asked.load(Relaxed);
            let result = block_on(guarded.sign_transaction(&mut *tx.build()));
            let asked = signer.asked.load(Relaxed) - before;
            if rules.iter().any(|rule| is_within(rule, &tx)) {
                prop_assert!(result.is_ok() && asked == 1, "within the rules: {tx:?} {result:?}");
            } else {
                prop_assert_eq!(asked, 0, "outside the rules: {:?}", tx);
                let error = result.unwrap_err();
                let ours = Error::find(&error).unwrap();
                prop_assert_eq!(ours.kind(), ErrorKind::GuardDenied);
                prop_assert!(ours.rule().is_some_and(|rule| rule.starts_with("rule ")), "{}", ours);
            }
        }
    }
}
