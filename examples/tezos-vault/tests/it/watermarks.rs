//! No two blocks or attestations at one level and round, whatever happens in between.

use kms_signer::{
    fake::Fault,
    keys::NewKey,
    tezos::{self, Mark},
};
use serde_json::json;

use super::*;

fn file(folder: &Folder) -> PathBuf {
    folder.0.join("watermark_v2/NetXxkAx4woPLyu.json")
}

#[tokio::test]
async fn a_double_attestation_is_refused_also_after_a_restart() {
    let (kms, folder) = (Kms::new(NewKey::p256()).await, Folder::new());
    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    vault.signs(&ATTESTATION).await;
    let (level, round) = (20_877, 0);
    let asked = kms.fake.requests().len();
    assert!(vault.refuses(&attestation(level, round, 1), 409).await.contains("another one was signed at level 20877"));
    assert!(vault.refuses(&attestation(level - 1, 7, 1), 409).await.contains("one was signed at level 20877"));
    assert_eq!(kms.fake.requests().len(), asked, "KMS was asked");
    // The same bytes again.
    vault.signs(&ATTESTATION).await;
    vault.end().await;

    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    vault.refuses(&attestation(level, round, 1), 409).await;
    vault.signs(&ATTESTATION).await;
    vault.signs(&attestation(level, round + 1, 1)).await;
    vault.refuses(&ATTESTATION, 409).await;
    vault.end().await;
}

/// A chain, as its id is in base58.
#[test]
fn the_chain_of_the_tests() {
    assert_eq!(tezos::ChainId::from_bytes(hex!("ed9d217c")).to_string(), "NetXxkAx4woPLyu");
}

#[tokio::test]
async fn of_many_at_once_one_is_signed() {
    let (kms, folder) = (Kms::new(NewKey::p256()).await, Folder::new());
    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    let requests: Vec<_> = (0..20).map(|payload| attestation(9, 0, payload)).collect();
    let answers = futures_util::future::join_all(requests.iter().map(|bytes| vault.ask(bytes))).await;
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 19, "{statuses:?}");
    vault.end().await;
}

/// What KMS did not sign may be asked for again, and nothing else in its place.
#[tokio::test]
async fn the_mark_is_made_before_kms_is_asked() {
    let (kms, folder) = (Kms::new(NewKey::p256()).await, Folder::new());
    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    kms.fake.inject(Fault::error("KMSInternalException", 500, "no").on("Sign"));
    let said = vault.refuses(&ATTESTATION, 503).await;
    assert!(said.contains("try again") && !said.contains("KMSInternal"), "{said}");
    // It is in the file, not only in memory.
    let kept = std::fs::read_to_string(file(&folder)).unwrap();
    assert!(kept.contains("20877") && kept.contains("\"vh"), "{kept}");
    vault.refuses(&attestation(20_877, 0, 1), 409).await;
    vault.signs(&ATTESTATION).await;
    vault.end().await;
}

/// A request names its chain: whoever may ask must not make files without end.
#[tokio::test]
async fn only_so_many_chains_have_watermarks() {
    let (kms, folder) = (Kms::new(NewKey::p256()).await, Folder::new());
    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    let of_chain = |chain: u8| {
        let mut bytes = ATTESTATION.to_vec();
        bytes[4] = chain;
        bytes
    };
    for chain in 0..16 {
        vault.signs(&of_chain(chain)).await;
    }
    let said = vault.refuses(&of_chain(16), 409).await;
    assert!(said.contains("allowed_chains"), "{said}");
    vault.end().await;
}

#[tokio::test]
async fn nothing_is_signed_without_a_disk() {
    let (kms, folder) = (Kms::new(NewKey::p256()).await, Folder::new());
    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    // A folder where the file would be written: even root cannot write it.
    let beside = file(&folder).with_extension("json.new");
    std::fs::create_dir(&beside).unwrap();
    let asked = kms.fake.requests().len();
    assert!(vault.refuses(&ATTESTATION, 500).await.contains("cannot be written"));
    assert_eq!(kms.fake.requests().len(), asked, "KMS was asked");
    vault.signs(TRANSACTION).await;
    std::fs::remove_dir(&beside).unwrap();
    vault.signs(&ATTESTATION).await;
    vault.end().await;
}

#[tokio::test]
async fn signatorys_files_are_kept_up() {
    let (kms, folder) = (Kms::new(NewKey::p256()).await, Folder::new());
    std::fs::create_dir_all(folder.0.join("watermark_v2")).unwrap();
    let hash = Mark { level: 0, round: 0, digest: Some(tezos::digest(&attestation(50, 2, 1))) }.digest_to_base58();
    let content = json!({
        kms.hash().to_string(): {"attestation": {"level": 50, "round": 2, "hash": hash}},
        "tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf": {"block": {"level": 7, "round": 0, "hash": hash}},
    });
    std::fs::write(file(&folder), content.to_string()).unwrap();
    let vault = kms.serve(kms.config("", RULES), Marks::open(&folder.0).unwrap()).await;
    vault.refuses(&attestation(50, 2, 9), 409).await;
    vault.signs(&attestation(50, 2, 1)).await;
    vault.signs(&attestation(51, 0, 1)).await;
    vault.end().await;

    let kept: Value = serde_json::from_str(&std::fs::read_to_string(file(&folder)).unwrap()).unwrap();
    let mark = &kept[kms.hash().to_string()]["attestation"];
    assert_eq!((&mark["level"], &mark["round"]), (&json!(51), &json!(0)));
    let expected = Mark { level: 0, round: 0, digest: Some(tezos::digest(&attestation(51, 0, 1))) }.digest_to_base58();
    assert_eq!(mark["hash"], json!(expected));
    assert_eq!(kept["tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf"]["block"]["level"], 7);
}

#[test]
fn what_cannot_be_trusted_stops_the_start() {
    let folder = Folder::new();
    let held = Marks::open(&folder.0).unwrap();
    assert!(Marks::open(&folder.0).unwrap_err().contains("another program keeps these watermarks"));
    drop(held);
    for (content, why) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("{\"tz3\": {}}", "no public key hash"),
        (
            "{\"tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf\": {\"vote\": {\"level\": 1, \"round\": 0}}}",
            "no kind of watermark",
        ),
        (
            "{\"tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf\": {\"block\": {\"level\": 1, \"round\": 0, \"hash\": \"vh\"}}}",
            "no hash of a request",
        ),
        ("{\"tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf\": {\"block\": {}}}", "missing field `level`"),
        ("{\"tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf\": {\"block\": {\"level\": 5}}}", "missing field `round`"),
        ("{\"tz1WGcYos3hL7GXYXjKrMnSFdkT7FyXnFBvf\": {\"block\": {\"level\": -1}}}", "invalid value"),
    ] {
        std::fs::write(file(&folder), content).unwrap();
        let error = Marks::open(&folder.0).unwrap_err();
        assert!(error.contains(why) && error.contains("NetXxkAx4woPLyu.json"), "{error}");
    }
    let folder = Folder::new();
    std::fs::create_dir(folder.0.join("watermark")).unwrap();
    assert!(Marks::open(&folder.0).unwrap_err().contains("an older Signatory"));
}
