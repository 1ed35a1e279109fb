//! From DER to a signature with its y-parity, without any client: the peer's way, ours, and libsecp256k1's.

use std::hint::black_box;

use alloy_primitives::{B256, Signature};
use k256::ecdsa::{self, VerifyingKey};
use kms_signer::{PublicKey, signature};
use secp256k1::{
    Message, Secp256k1, VerifyOnly,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use crate::{Outcome, answers::Answers, contender::Who};

/// Twice as often as a key of ours verifies before it has its table.
pub(crate) const WARM_UP: usize = 64;
/// So often it verifies without.
const WITHOUT_TABLE: usize = 32;

/// The key as each reads it, read beforehand: that is not measured.
pub(crate) struct Keys {
    k256: VerifyingKey,
    ours: PublicKey,
    /// Read anew, so that none is used more often than it takes to have a table.
    unused: Vec<PublicKey>,
    c: secp256k1::PublicKey,
    context: Secp256k1<VerifyOnly>,
}

impl Keys {
    /// For so many recoveries. Our key has its table then.
    pub(crate) fn new(answers: &Answers, iterations: usize) -> Outcome<Self> {
        let sec1 = answers.public_key.to_sec1_uncompressed();
        for signed in answers.signed.iter().cycle().take(WARM_UP) {
            signature::recover(&signed.der, &signed.digest, &answers.public_key)?;
        }
        let unused = (0..iterations.div_ceil(WITHOUT_TABLE)).map(|_| PublicKey::from_sec1(&sec1));
        Ok(Self {
            k256: VerifyingKey::from_sec1_bytes(&sec1)?,
            ours: answers.public_key.clone(),
            unused: unused.collect::<Result<_, _>>()?,
            c: secp256k1::PublicKey::from_slice(&sec1)?,
            context: Secp256k1::verification_only(),
        })
    }

    /// libsecp256k1's recovery, tried like [`by_trial`].
    fn by_trial_in_c(&self, der: &[u8], digest: &B256) -> Option<RecoverableSignature> {
        let mut parsed = secp256k1::ecdsa::Signature::from_der(der).ok()?;
        parsed.normalize_s();
        let (compact, message) = (parsed.serialize_compact(), Message::from_digest(digest.0));
        [RecoveryId::Zero, RecoveryId::One]
            .into_iter()
            .filter_map(|parity| RecoverableSignature::from_compact(&compact, parity).ok())
            .find(|tried| self.context.recover_ecdsa(message, tried).is_ok_and(|recovered| recovered == self.c))
    }

    /// Its verification alone, which finds no parity.
    fn verify_in_c(&self, der: &[u8], digest: &B256) -> Result<(), secp256k1::Error> {
        let mut parsed = secp256k1::ecdsa::Signature::from_der(der)?;
        parsed.normalize_s();
        self.context.verify_ecdsa(Message::from_digest(digest.0), &parsed, &self.c)
    }
}

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
pub(crate) fn repeat(who: Who, answers: &Answers, keys: &Keys, iterations: usize) -> Outcome {
    for (turn, signed) in answers.signed.iter().cycle().take(iterations).enumerate() {
        let (der, digest) = (black_box(&signed.der), black_box(&signed.digest));
        match who {
            Who::AlloySignerAws => black_box(by_trial(der, digest, &keys.k256)).map(drop).ok_or("no parity fits")?,
            Who::KmsSigner => black_box(signature::recover(der, digest, &keys.ours)).map(drop)?,
            Who::KmsSignerNoTable => {
                let key = keys.unused.get(turn / WITHOUT_TABLE).ok_or("no unused key is left")?;
                black_box(signature::recover(der, digest, key)).map(drop)?;
            }
            Who::Libsecp256k1 => black_box(keys.by_trial_in_c(der, digest)).map(drop).ok_or("no parity fits")?,
            Who::Libsecp256k1Verify => black_box(keys.verify_in_c(der, digest))?,
            other => return Err(format!("{other:?} recovers nothing").into()),
        }
    }
    Ok(())
}

/// All ways must give the same for everything that is measured.
pub(crate) fn check(answers: &Answers) -> Outcome {
    let keys = Keys::new(answers, answers.signed.len())?;
    for signed in &answers.signed {
        let theirs = by_trial(&signed.der, &signed.digest, &keys.k256);
        let ours = signature::recover(&signed.der, &signed.digest, &keys.ours)?;
        if theirs != Some(ours) {
            return Err(format!("for {} they give {theirs:?}, we {ours:?}", signed.digest).into());
        }
        let in_c = keys.by_trial_in_c(&signed.der, &signed.digest).ok_or("no parity fits in C")?;
        let (parity, compact) = in_c.serialize_compact();
        if (parity == RecoveryId::One) != ours.v() || ours.as_rsy().get(..64) != Some(compact.as_slice()) {
            return Err(format!("for {} libsecp256k1 gives {in_c:?}, we {ours:?}", signed.digest).into());
        }
    }
    Ok(())
}
