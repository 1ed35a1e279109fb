//! High watermarks, with the cases of Signatory's `watermark_test.go`.

use kms_signer::{
    ErrorKind,
    alloy_primitives::{B256, hex},
    tezos::{self, Advance, HighWatermarks, Mark, MarkKind, PublicKeyHash, Request},
};

use super::signatory;

const ONE: &str = "tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59At";
const OTHER: &str = "tz3hFR7NZtjT2QtzgMQnWb4xMuD6yt2YzXUt";

fn attestation(level: u32, round: u32, payload: u8) -> Vec<u8> {
    let mut bytes = signatory::ATTESTATION.to_vec();
    bytes[40..44].copy_from_slice(&level.to_be_bytes());
    bytes[44..48].copy_from_slice(&round.to_be_bytes());
    bytes[48..].fill(payload);
    bytes
}

fn advance(marks: &mut HighWatermarks, key: &str, bytes: &[u8]) -> kms_signer::Result<Advance> {
    let key: PublicKeyHash = key.parse().unwrap();
    marks.advance(&key, &Request::parse(bytes).unwrap(), tezos::digest(bytes))
}

#[test]
fn only_higher_ones_and_the_same_again() {
    let mut marks = HighWatermarks::default();
    let raised = |marks: &mut HighWatermarks, bytes: &[u8]| {
        assert_eq!(advance(marks, ONE, bytes).unwrap(), Advance::Raised);
    };
    raised(&mut marks, &attestation(124, 0, 1));
    for (refused, why) in [
        (attestation(124, 0, 2), "another one was signed at level 124 and round 0"),
        (attestation(123, 0, 1), "one was signed at level 124"),
        (attestation(123, 9, 1), "one was signed at level 124"),
    ] {
        let error = advance(&mut marks, ONE, &refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GuardDenied);
        assert!(error.to_string().contains(why), "{error}");
    }
    assert_eq!(advance(&mut marks, ONE, &attestation(124, 0, 1)).unwrap(), Advance::Repeated);
    // Another key, another kind, another chain.
    assert_eq!(advance(&mut marks, OTHER, &attestation(124, 0, 2)).unwrap(), Advance::Raised);
    raised(&mut marks, signatory::PREATTESTATION);
    let mut elsewhere = attestation(3, 0, 1);
    elsewhere[1] = 0;
    raised(&mut marks, &elsewhere);
    // A higher round, then a higher level with a lower round; then the first is no more the last.
    raised(&mut marks, &attestation(124, 1, 2));
    raised(&mut marks, &attestation(125, 0, 2));
    assert!(advance(&mut marks, ONE, &attestation(124, 1, 2)).is_err());
    assert_eq!(advance(&mut marks, ONE, signatory::TRANSACTION).unwrap(), Advance::None);
}

#[test]
fn an_attestation_with_dal_is_an_attestation() {
    let with_dal = |payload| {
        let mut bytes = [&attestation(7, 0, payload)[..], &[1]].concat();
        bytes[37] = 23;
        bytes
    };
    let mut marks = HighWatermarks::default();
    assert_eq!(advance(&mut marks, ONE, &with_dal(1)).unwrap(), Advance::Raised);
    assert!(advance(&mut marks, ONE, &attestation(7, 0, 2)).is_err());
    assert!(advance(&mut marks, ONE, &attestation(7, 0, 1)).is_err());
}

/// Signatory's `integration_test/tests/server/watermark_test.go`.
#[test]
fn signatorys_blocks_and_the_hash_its_files_have() {
    let mut marks = HighWatermarks::default();
    let (key, chain): (PublicKeyHash, _) = (ONE.parse().unwrap(), "NetXo5iVw1vBoxM".parse().unwrap());
    assert_eq!(advance(&mut marks, ONE, signatory::BLOCK_B1).unwrap(), Advance::Raised);
    assert!(advance(&mut marks, ONE, signatory::BLOCK_B2).is_err());
    let mark = *marks.get(chain, &key, MarkKind::Block).unwrap();
    assert_eq!((mark.level, mark.round), (7, 2));
    assert_eq!(mark.digest_to_base58().unwrap(), signatory::HASH_B1);
    assert_eq!(Mark::digest_from_base58(signatory::HASH_B1).unwrap(), tezos::digest(signatory::BLOCK_B1));
    assert_eq!(Mark::digest_from_base58("vh2").unwrap_err().kind(), ErrorKind::Config);

    // From a file: level, round, hash; of two the higher.
    for (level, round, is_signed) in [(6, 3, true), (8, 1, false), (7, 3, false), (7, 2, false), (7, 1, true)] {
        let mut marks = HighWatermarks::default();
        marks.restore(chain, key, MarkKind::Block, Mark { level, round, digest: Some(B256::ZERO) });
        marks.restore(chain, key, MarkKind::Block, Mark { level: 1, round: 9, digest: None });
        let outcome = advance(&mut marks, ONE, signatory::BLOCK_B1);
        assert_eq!(outcome.is_ok(), is_signed, "{level} {round}");
        assert_eq!(marks.of_chain(chain).count(), 1);
    }
}

#[test]
fn two_of_one_round_leave_nothing_to_repeat() {
    let mut marks = HighWatermarks::default();
    let (key, chain): (PublicKeyHash, _) =
        (ONE.parse().unwrap(), kms_signer::tezos::ChainId::from_bytes(hex!("ed9d217c")));
    for payload in [1, 2] {
        let digest = Some(tezos::digest(&attestation(5, 0, payload)));
        marks.restore(chain, key, MarkKind::Attestation, Mark { level: 5, round: 0, digest });
    }
    assert!(advance(&mut marks, ONE, &attestation(5, 0, 1)).is_err());
    assert!(advance(&mut marks, ONE, &attestation(5, 0, 2)).is_err());
    assert_eq!(advance(&mut marks, ONE, &attestation(6, 0, 2)).unwrap(), Advance::Raised);
}
