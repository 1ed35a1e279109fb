//! Signatory's `allowed_operations` and `allowed_kinds`, with the cases of its `signatory_test.go`.

use kms_signer::{
    ErrorKind,
    tezos::{Policy, Request},
};

use super::signatory;

fn policy(operations: &[&str], kinds: &[&str]) -> Policy {
    let policy = operations.iter().fold(Policy::none(), |policy, name| policy.allow_operation(name).unwrap());
    kinds.iter().fold(policy, |policy, name| policy.allow_kind(name).unwrap())
}

#[test]
fn signatorys_cases() {
    let all = [
        "endorsement",
        "seed_nonce_revelation",
        "activate_account",
        "ballot",
        "reveal",
        "transaction",
        "origination",
        "delegation",
    ];
    let without = |name: &str| all.into_iter().filter(|kind| *kind != name).collect::<Vec<_>>();
    for (bytes, operations, kinds, refused) in [
        (signatory::BLOCK, &["generic", "block", "endorsement"][..], &all[..], None),
        (signatory::BLOCK, &["generic", "endorsement"], &all, Some("request kind block")),
        (signatory::ATTESTATION, &["generic", "block", "endorsement"], &all, None),
        (signatory::PREATTESTATION, &["preendorsement"], &[], None),
        (signatory::CALL, &["generic", "block", "endorsement"], &all, None),
        (signatory::TRANSACTION, &["block", "endorsement"], &all, Some("request kind generic")),
        (signatory::TRANSACTION, &["generic"], &without("transaction"), Some("operation transaction")),
        (signatory::DELEGATION, &["generic"], &all, None),
        (signatory::DELEGATION, &["generic"], &without("delegation"), Some("operation delegation")),
        (signatory::ORIGINATION, &["generic"], &without("origination"), Some("operation origination")),
        // Every content counts.
        (signatory::REVEAL_AND_DELEGATION, &["generic"], &all, None),
        (signatory::REVEAL_AND_DELEGATION, &["generic"], &without("reveal"), Some("operation reveal")),
        (signatory::REVEAL_AND_DELEGATION, &["generic"], &without("delegation"), Some("operation delegation")),
        (signatory::INCREASE_PAID_STORAGE, &["generic"], &["increase_paid_storage"], None),
        (signatory::INCREASE_PAID_STORAGE, &["generic"], &all, Some("operation increase_paid_storage")),
    ] {
        let outcome = policy(operations, kinds).check(&Request::parse(bytes).unwrap());
        match refused {
            None => outcome.unwrap(),
            Some(what) => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::GuardDenied);
                assert!(error.to_string().contains(&format!("the {what} is not allowed")), "{error}");
            }
        }
    }
}

#[test]
fn a_ballot_may_be_allowed_by_its_vote() {
    let ballot = |vote: u8| {
        let bytes = [&[3][..], &[9; 32], &[6, 2], &[1; 20], &[0; 4], &[7; 32], &[vote]].concat();
        Request::parse(&bytes).unwrap()
    };
    policy(&["generic"], &["ballot"]).check(&ballot(0)).unwrap();
    let pass = policy(&["generic"], &["ballot:pass", "ballot:nay"]);
    pass.check(&ballot(2)).unwrap();
    pass.check(&ballot(1)).unwrap();
    assert!(pass.check(&ballot(0)).unwrap_err().to_string().contains("operation ballot:yay"));
}

#[test]
fn without_a_policy_a_key_bakes_and_does_nothing_else() {
    let bakes = Policy::default();
    for bytes in [signatory::BLOCK, signatory::PREATTESTATION, signatory::ATTESTATION] {
        bakes.check(&Request::parse(bytes).unwrap()).unwrap();
        assert!(Policy::none().check(&Request::parse(bytes).unwrap()).is_err());
    }
    assert!(bakes.check(&Request::parse(signatory::TRANSACTION).unwrap()).is_err());
    assert_eq!(bakes.operations().collect::<Vec<_>>(), ["block", "preattestation", "attestation"]);
    // Generic without a kind allows nothing.
    assert!(policy(&["generic"], &[]).check(&Request::parse(signatory::TRANSACTION).unwrap()).is_err());
}

#[test]
fn chains_may_be_named() {
    let of = |chain: &str| Policy::default().allow_chain(chain.parse().unwrap());
    let block = Request::parse(signatory::BLOCK_B1).unwrap();
    of("NetXo5iVw1vBoxM").check(&block).unwrap();
    let error = of("NetXdQprcVkpaWU").check(&block).unwrap_err();
    assert!(error.to_string().contains("the chain NetXo5iVw1vBoxM is not allowed"), "{error}");
}

#[test]
fn names_are_checked() {
    for name in ["", "Block", "transaction", "blocks"] {
        assert_eq!(Policy::none().allow_operation(name).unwrap_err().kind(), ErrorKind::Config, "{name}");
    }
    for name in ["", "block", "ballot:maybe", "transaction:x"] {
        assert_eq!(Policy::none().allow_kind(name).unwrap_err().kind(), ErrorKind::Config, "{name}");
    }
    // The documented example names it, though no generic operation has it.
    assert_eq!(policy(&[], &["endorsement", "double_endorsement_evidence"]).kinds().count(), 2);
}
