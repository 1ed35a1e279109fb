//! `list`.

use kms_signer::{fake::Fault, keys::NewKey};
use tezos_vault::show;

use super::*;

#[tokio::test]
async fn keys_are_shown_with_their_rules() {
    let kms = Kms::new(NewKey::p256()).await;
    let keys = Keys::new(kms.fake.client());
    let other = keys.create(NewKey::signing()).await.unwrap();
    let disabled = keys.create(NewKey::p256()).await.unwrap();
    keys.disable(disabled.arn()).await.unwrap();
    for new in [NewKey::ed25519(), NewKey::symmetric()] {
        keys.create(new).await.unwrap();
    }
    let text = show(&kms.config("", RULES), &discover(&kms.vaults()).await.unwrap());
    let shown: Vec<_> = text.trim_end().split("\n\n").collect();
    assert_eq!(shown.len(), 3, "{text}");
    let of = |what: &str| *shown.iter().find(|key| key.contains(what)).unwrap_or_else(|| panic!("{what}: {text}"));
    let active = of(&kms.hash().to_string());
    for line in [
        "Vault:              AWSKMS (aws)",
        "State:              Enabled",
        "Active:             true",
        "Allowed Operations: [block preattestation attestation generic]",
        "Allowed Kinds:      [reveal transaction]",
    ] {
        assert!(active.lines().any(|found| found == line), "{line}\n{active}");
    }
    let secp256k1 = of(other.arn().as_ref());
    assert!(
        secp256k1.starts_with("Public Key Hash:    tz2") && secp256k1.contains("Active:             false"),
        "{secp256k1}"
    );
    assert!(of(disabled.arn().as_ref()).contains("State:              Disabled"), "{text}");
}

#[tokio::test]
async fn what_may_not_be_read_is_skipped() {
    let kms = Kms::new(NewKey::p256()).await;
    Keys::new(kms.fake.client()).create(NewKey::p256()).await.unwrap();
    kms.fake.inject(Fault::error("AccessDeniedException", 400, "no").on("DescribeKey"));
    assert_eq!(discover(&kms.vaults()).await.unwrap().len(), 1);
    kms.fake.inject(Fault::error("AccessDeniedException", 400, "no").on("ListKeys"));
    assert!(discover(&kms.vaults()).await.unwrap_err().contains("the vault aws"));
}
