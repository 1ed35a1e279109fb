//! From DER to a signature with its y-parity, without any client: the peer's way and ours.

use std::hint::black_box;

use alloy_primitives::{B256, Signature};
use k256::ecdsa::{self, VerifyingKey};
use kms_signer::signature;

use crate::{Outcome, answers::Answers, contender::Who};

/// What alloy-signer-aws 2.5.0 does between KMS's answer and its result (its `decode_signature` and
/// `sig_from_digest_bytes_trial_recovery`, which are private), over the same functions of k256 and alloy-primitives:
/// try both parities until one recovers to the key.
///
/// That it costs the same as theirs shows in memory: `sign_hash` less `sign_digest`.
pub(crate) fn by_trial(der: &[u8], digest: &B256, key: &VerifyingKey) -> Option<Signature> {
    let parsed = ecdsa::Signature::from_der(der).ok()?;
    let low_s = parsed.normalize_s().unwrap_or(parsed);
    [false, true]
        .map(|parity| Signature::from_signature_and_parity(low_s, parity))
        .into_iter()
        .find(|candidate| candidate.recover_from_prehash(digest).is_ok_and(|recovered| recovered == *key))
}

/// Recovers `iterations` signatures, going round the known ones.
pub(crate) fn repeat(who: Who, answers: &Answers, iterations: usize) -> Outcome {
    let key = VerifyingKey::from_sec1_bytes(&answers.public_key.to_sec1())?;
    for signed in answers.signed.iter().cycle().take(iterations) {
        let (der, digest) = (black_box(&signed.der), black_box(&signed.digest));
        match who {
            Who::AlloySignerAws => black_box(by_trial(der, digest, &key)).map(drop).ok_or("no parity fits")?,
            Who::KmsSigner => black_box(signature::recover(der, digest, &answers.public_key)).map(drop)?,
            other => return Err(format!("{other:?} recovers nothing").into()),
        }
    }
    Ok(())
}

/// Both ways must give the same for everything that is measured.
pub(crate) fn check(answers: &Answers) -> Outcome {
    let key = VerifyingKey::from_sec1_bytes(&answers.public_key.to_sec1())?;
    for signed in &answers.signed {
        let theirs = by_trial(&signed.der, &signed.digest, &key);
        let ours = signature::recover(&signed.der, &signed.digest, &answers.public_key)?;
        if theirs != Some(ours) {
            return Err(format!("for {} they give {theirs:?}, we {ours:?}", signed.digest).into());
        }
    }
    Ok(())
}
