//! A machine whose clock is twenty minutes off, early or late.

use std::time::{Duration, SystemTime};

use kms_signer::{ErrorKind, KmsSigner, Outcome};

use super::{
    Loads,
    servers::{Instead, Kms, Sts},
    signs, user_of,
};

const OFF: i64 = 20 * 60;

/// AWS's clock is this much after the machine's.
async fn role_at(offset: i64, seconds: u64) -> (Kms, Sts, Loads, KmsSigner) {
    let (kms, sts, loads) = (Kms::new(), Sts::new().with_clock(offset), Loads::default());
    kms.fake.set_clock(offset);
    let key = kms.fake.create_key().unwrap();
    let role = sts.role().duration(Duration::from_secs(seconds));
    let client = user_of(&kms, &key).assume_role(role).observer(loads.clone()).build().await.unwrap();
    let signer = KmsSigner::new(client, key, None).await.unwrap();
    (kms, sts, loads, signer)
}

#[tokio::test]
async fn early_or_late_it_signs_with_its_own_keys_and_with_a_roles() {
    for offset in [OFF, -OFF] {
        let (kms, sts, _, signer) = role_at(offset, 3600).await;
        signs(&signer).await;
        signs(&signer).await;
        assert_eq!(sts.asked().len(), 2, "one with the machine's clock, one with the corrected one");
        assert_eq!(kms.seen().len(), 4, "the same, and then each signature at once");
        assert_eq!(kms.access_keys(), ["ASIA0"]);

        let key = kms.fake.create_key().unwrap();
        let own = KmsSigner::new(user_of(&kms, &key).build().await.unwrap(), key, None).await.unwrap();
        signs(&own).await;
    }
}

#[tokio::test]
async fn a_late_machine_does_not_use_a_session_after_its_end() {
    let (_, _, loads, signer) = role_at(OFF, 900).await;
    signs(&signer).await;
    let end = loads.ends()[0].unwrap();
    assert!(end <= SystemTime::now() + Duration::from_secs(900), "by AWS's clock it would be twenty minutes later");
    assert!(end > SystemTime::now() + Duration::from_secs(880));
}

#[tokio::test]
async fn an_early_machine_does_not_take_the_role_on_for_each_signature() {
    let (kms, sts, loads, signer) = role_at(-OFF, 900).await;
    for _ in 0..5 {
        signs(&signer).await;
    }
    assert_eq!((sts.asked().len(), kms.access_keys()), (2, vec!["ASIA0".to_owned()]));
    assert_eq!(loads.outcomes(), [Outcome::Success]);
}

#[tokio::test]
async fn a_clock_that_cannot_be_corrected_is_named() {
    let (kms, sts) = (Kms::new(), Sts::new());
    sts.answer(Some(Instead::Refusal(403, "SignatureDoesNotMatch", "Signature expired: whatever it is signed with")));
    let key = kms.fake.create_key().unwrap();
    let client = user_of(&kms, &key).assume_role(sts.role()).build().await.unwrap();
    let error = KmsSigner::new(client, key, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("set this machine's clock (NTP)"), "{error}");
    assert!(!error.is_retryable() && kms.seen().is_empty());
}
