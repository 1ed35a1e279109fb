//! What a request is, from its bytes.

use kms_signer::{
    ErrorKind,
    alloy_primitives::hex,
    tezos::{Ballot, ChainId, MAX_REQUEST, OperationKind, Request, RequestKind},
};
use proptest::{collection::vec, prelude::*, test_runner::Config};

use super::signatory;

fn kinds(bytes: &[u8]) -> Vec<&'static str> {
    let request = Request::parse(bytes).unwrap();
    assert_eq!(request.kind(), RequestKind::Generic);
    request.operations().iter().map(|operation| operation.kind().name()).collect()
}

fn position(bytes: &[u8]) -> (RequestKind, [u8; 4], u32, u32) {
    let request = Request::parse(bytes).unwrap();
    assert!(request.operations().is_empty());
    let at = request.position().unwrap();
    (request.kind(), *at.chain_id.as_bytes(), at.level, at.round)
}

fn refusal(bytes: &[u8]) -> String {
    let error = Request::parse(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GuardDenied);
    error.to_string()
}

#[test]
fn blocks_and_consensus_operations() {
    let chain = hex!("ed9d217c");
    assert_eq!(position(signatory::PREATTESTATION), (RequestKind::Preattestation, chain, 2, 4));
    assert_eq!(position(signatory::ATTESTATION), (RequestKind::Attestation, chain, 20_877, 0));
    assert_eq!(position(signatory::BLOCK), (RequestKind::Block, chain, 20_878, 0));
    assert_eq!(position(signatory::BLOCK_B1), (RequestKind::Block, hex!("b3d79f99"), 7, 2));
    assert_eq!(position(signatory::ENDORSEMENT), (RequestKind::Attestation, hex!("7a06a770"), 256_877, 0));

    // With DAL content: another tag, and a number at the end.
    let mut with_dal = signatory::ATTESTATION.to_vec();
    with_dal[37] = 23;
    assert!(refusal(&with_dal).contains("a number has no end"));
    with_dal.extend(hex!("ff01"));
    assert_eq!(position(&with_dal), (RequestKind::AttestationWithDal, chain, 20_877, 0));
    // For BLS keys: another tag, and no slot.
    let mut of_bls = signatory::ATTESTATION.to_vec();
    of_bls.splice(37..40, [41]);
    assert_eq!(position(&of_bls), (RequestKind::Attestation, chain, 20_877, 0));
    let mut of_bls = signatory::PREATTESTATION.to_vec();
    of_bls.splice(37..40, [40]);
    assert_eq!(position(&of_bls), (RequestKind::Preattestation, chain, 2, 4));
}

/// A payload may be proposed again at a later round: the round of the fitness is the block's.
#[test]
fn a_blocks_round_is_that_of_its_fitness() {
    let mut block = signatory::BLOCK_B1.to_vec();
    let payload_round = block.len() - 14..block.len() - 10;
    assert_eq!(block[payload_round.clone()], [0, 0, 0, 2]);
    block[payload_round].fill(0);
    assert_eq!(position(&block), (RequestKind::Block, hex!("b3d79f99"), 7, 2));
    // And its level, the shell header's.
    block[8] = 8;
    assert!(refusal(&block).contains("the level of the block's fitness is not the block's"));
    // With a seed nonce's hash.
    let mut block = signatory::BLOCK_B1.to_vec();
    let end = block.len();
    block.splice(end - 2..end - 1, [&[0xff][..], &[7; 32]].concat());
    assert_eq!(position(&block).2, 7);
}

#[test]
fn signatorys_operations() {
    assert_eq!(kinds(signatory::CALL), ["transaction"]);
    assert_eq!(kinds(signatory::TRANSACTION), ["transaction"]);
    assert_eq!(kinds(signatory::DELEGATION), ["delegation"]);
    assert_eq!(kinds(signatory::ORIGINATION), ["origination"]);
    assert_eq!(kinds(signatory::REVEAL_AND_DELEGATION), ["reveal", "delegation"]);
    assert_eq!(kinds(signatory::INCREASE_PAID_STORAGE), ["increase_paid_storage"]);
    assert_eq!(kinds(signatory::DRAIN_DELEGATE), ["drain_delegate"]);
    assert_eq!(kinds(&[signatory::OLD_UPDATE_CONSENSUS_KEY, &[0]].concat()), ["update_consensus_key"]);
    // As it was before Rio, the current protocol does not read it.
    assert!(refusal(signatory::OLD_UPDATE_CONSENSUS_KEY).contains("it ends too early"));
}

/// gotez's `sign_request_test.go`.
#[test]
fn packed_data() {
    let packed = hex!("050a00000016000032041dca76bac940b478aae673e362bd15847ed8");
    assert_eq!(Request::parse(&packed).unwrap().kind(), RequestKind::Pack);
    assert!(refusal(&[&packed[..], &[0]].concat()).contains("extra bytes"));
}

/// A content with this tag and body, behind a branch.
fn generic(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[3][..], &[9; 32], &[tag], body].concat()
}

/// Source, fee, counter, gas limit and storage limit.
const MANAGER: [u8; 26] = hex!("02 0102030405060708090a0b0c0d0e0f1011121314 00 8101 02 03");

/// Laid out by hand after octez's "P2P message format" of Tallinn.
#[test]
fn every_operation_of_the_protocol() {
    let key_hash = hex!("020102030405060708090a0b0c0d0e0f1011121314");
    let dynamic = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let some = |bytes: &[u8]| [&[0xff][..], bytes].concat();
    let (d, contract) = (dynamic(&[1, 2, 3]), [&[1][..], &[5; 20], &[0]].concat());
    let p256 = [&[2][..], &[2; 33]].concat();
    let managed: &[(u8, OperationKind, Vec<u8>)] = &[
        (107, OperationKind::Reveal, [&p256[..], &[0]].concat()),
        (107, OperationKind::Reveal, [&[3][..], &[2; 48], &some(&dynamic(&[1; 96]))].concat()),
        (107, OperationKind::Reveal, [&[4][..], &[2; 1312], &[0]].concat()),
        (109, OperationKind::Origination, [&[0][..], &some(&key_hash), &d, &d].concat()),
        (110, OperationKind::Delegation, vec![0]),
        (111, OperationKind::RegisterGlobalConstant, d.clone()),
        (112, OperationKind::SetDepositsLimit, some(&[0x80, 1])),
        (113, OperationKind::IncreasePaidStorage, [&[1][..], &contract].concat()),
        (114, OperationKind::UpdateConsensusKey, [&p256[..], &[0]].concat()),
        (115, OperationKind::UpdateCompanionKey, [&p256[..], &[0]].concat()),
        (158, OperationKind::TransferTicket, [&d[..], &d, &contract, &[1], &[0], &key_hash, &d].concat()),
        (200, OperationKind::SmartRollupOriginate, [&[1][..], &d, &d, &some(&dynamic(&key_hash))].concat()),
        (201, OperationKind::SmartRollupAddMessages, dynamic(&d)),
        (202, OperationKind::SmartRollupCement, vec![5; 20]),
        (203, OperationKind::SmartRollupPublish, vec![5; 20 + 32 + 4 + 32 + 8]),
        (204, OperationKind::SmartRollupRefute, [&[5; 20][..], &key_hash, &[0], &[6; 64]].concat()),
        (204, OperationKind::SmartRollupRefute, [&[5; 20][..], &key_hash, &[1, 7, 0], &d].concat()),
        (204, OperationKind::SmartRollupRefute, [&[5; 20][..], &key_hash, &[1, 7, 1], &d, &[0]].concat()),
        (204, OperationKind::SmartRollupRefute, [&[5; 20][..], &key_hash, &[1, 7, 1], &d, &[0xff, 2]].concat()),
        (
            204,
            OperationKind::SmartRollupRefute,
            [&[5; 20][..], &key_hash, &[1, 7, 1], &d, &[0xff, 0, 0, 0, 0, 9, 8], &d].concat(),
        ),
        (
            204,
            OperationKind::SmartRollupRefute,
            [&[5; 20][..], &key_hash, &[1, 7, 1], &d, &[0xff, 1, 0, 0, 1, 9]].concat(),
        ),
        (205, OperationKind::SmartRollupTimeout, [&[5; 20][..], &key_hash, &key_hash].concat()),
        (206, OperationKind::SmartRollupExecuteOutboxMessage, [&[5; 52][..], &d].concat()),
        (207, OperationKind::SmartRollupRecoverBond, [&[5; 20][..], &key_hash].concat()),
        (230, OperationKind::DalPublishCommitment, vec![5; 1 + 48 + 96]),
        (250, OperationKind::ZkRollupOrigination, [&d[..], &d, &d, &[0; 4]].concat()),
        (251, OperationKind::ZkRollupPublish, [&[5; 20][..], &d].concat()),
        (252, OperationKind::ZkRollupUpdate, [&[5; 20][..], &d, &d, &d, &d].concat()),
        // To an account, to itself by its own entrypoints, and to a contract by an entrypoint of the same name.
        (108, OperationKind::Transaction, [&[1, 0][..], &key_hash, &[0]].concat()),
        (108, OperationKind::Stake, [&[1, 0][..], &key_hash, &[0xff, 6], &d].concat()),
        (108, OperationKind::Unstake, [&[1, 0][..], &key_hash, &[0xff, 7], &d].concat()),
        (108, OperationKind::FinalizeUnstake, [&[1, 0][..], &key_hash, &[0xff, 8], &d].concat()),
        (108, OperationKind::SetDelegateParameters, [&[1, 0][..], &key_hash, &[0xff, 9], &d].concat()),
        (108, OperationKind::Stake, [&[1, 0][..], &key_hash, &[0xff, 255, 5], b"stake", &d].concat()),
        (108, OperationKind::Transaction, [&[1][..], &contract, &[0xff, 6], &d].concat()),
        (108, OperationKind::Transaction, [&[1][..], &contract, &[0xff, 255, 5], b"stake", &d].concat()),
    ];
    let anonymous: &[(u8, OperationKind, Vec<u8>)] = &[
        (1, OperationKind::SeedNonceRevelation, vec![5; 4 + 32]),
        (2, OperationKind::DoubleConsensusOperationEvidence, [&[0, 1][..], &d, &d].concat()),
        (3, OperationKind::DoubleBakingEvidence, [&d[..], &d].concat()),
        (4, OperationKind::ActivateAccount, vec![5; 40]),
        (5, OperationKind::Proposals, [&key_hash[..], &[0; 4], &dynamic(&[7; 64])].concat()),
        (6, OperationKind::Ballot, [&key_hash[..], &[0; 4], &[7; 32], &[1]].concat()),
        (8, OperationKind::VdfRevelation, vec![5; 200]),
        (9, OperationKind::DrainDelegate, key_hash.repeat(3)),
        (17, OperationKind::FailingNoop, d.clone()),
        (24, OperationKind::DalEntrapmentEvidence, [&d[..], &[0; 7], &d, &[5; 48]].concat()),
        (30, OperationKind::PreattestationsAggregate, [&[5; 40][..], &d].concat()),
        (31, OperationKind::AttestationsAggregate, [&[5; 40][..], &d].concat()),
        (255, OperationKind::SignaturePrefix, [&[3][..], &[5; 32]].concat()),
    ];
    let managed = managed.iter().map(|(tag, kind, body)| (*tag, *kind, [&MANAGER[..], body].concat()));
    let anonymous = anonymous.iter().map(|(tag, kind, body)| (*tag, *kind, body.clone()));
    let mut seen = Vec::new();
    for (tag, kind, body) in managed.chain(anonymous) {
        let bytes = generic(tag, &body);
        assert_eq!(kinds(&bytes), [kind.name()], "tag {tag}");
        // Found again behind itself, and not found in part.
        assert_eq!(kinds(&[&bytes[..], &bytes[33..]].concat()), [kind.name(); 2], "tag {tag}");
        for end in 0..bytes.len() {
            refusal(&bytes[..end]);
        }
        seen.push(kind);
    }
    let missing: Vec<_> = OperationKind::ALL.iter().filter(|kind| !seen.contains(kind)).collect();
    assert_eq!(missing, [&OperationKind::ALL[0]; 0]);
    let ballot = Request::parse(&generic(6, &[&key_hash[..], &[0; 4], &[7; 32], &[1]].concat())).unwrap();
    assert_eq!(ballot.operations()[0].vote(), Some(Ballot::Nay));
    assert_eq!(ballot.operations()[0].to_string(), "ballot:nay");
}

#[test]
fn what_is_refused_says_why() {
    for (bytes, why) in [
        (&[][..], "it is empty"),
        (&[4, 1], "begins with 0x04, which is no watermark"),
        (&[3], "it ends too early"),
        (&generic(99, &[0; 100]), "no operation with the tag 99"),
        (&generic(21, &[0; 42]), "no operation with the tag 21"),
        (&[&[3][..], &[9; 32]].concat(), "it ends too early"),
        (&[signatory::TRANSACTION, &[0]].concat(), "no operation with the tag 0"),
        (&[signatory::BLOCK, &[0]].concat(), "extra bytes at its end"),
        (&[signatory::ATTESTATION, &[0]].concat(), "extra bytes at its end"),
        (&vec![3; MAX_REQUEST + 1], "more than 65536"),
        // A number that is not in its shortest form; a flag that is neither.
        (&generic(110, &[&MANAGER[..21], &hex!("8000 00 00 00 00")].concat()), "shortest form"),
        (&generic(110, &[&MANAGER[..], &[1]].concat()), "neither 0 nor 255"),
        (&generic(110, &[&MANAGER[..21], &[0x80; 100]].concat()), "a number has no end"),
    ] {
        let text = refusal(bytes);
        assert!(text.contains(why), "{text}");
    }
    let mut negative = signatory::ATTESTATION.to_vec();
    negative[40] = 0x80;
    assert!(refusal(&negative).contains("negative"));
    let many = generic(110, &[&MANAGER[..], &[0]].concat());
    assert!(refusal(&[&many[..33], &many[33..].repeat(2340)].concat()).contains("more than"));
    let noops = [&[3][..], &[9; 32], &[17, 0, 0, 0, 0].repeat(5000)].concat();
    assert!(refusal(&noops).contains("too many contents"));
    assert_eq!(ChainId::from_bytes([1; 4]).as_bytes(), &[1; 4]);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(2048) })]

    #[test]
    fn no_bytes_make_it_panic(first in prop_oneof![Just(3_u8), Just(5), Just(0x11), Just(0x12), Just(0x13), any::<u8>()], rest in vec(any::<u8>(), 0..400)) {
        let bytes = [&[first][..], &rest].concat();
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(request.position().is_some(), !matches!(request.kind(), RequestKind::Generic | RequestKind::Pack));
        }
    }

    /// Whatever byte of a request is changed: it is refused, or what was read is there.
    #[test]
    fn nor_do_changed_ones(which in 0_usize..9, at in any::<prop::sample::Index>(), byte: u8) {
        let requests = [
            signatory::BLOCK, signatory::PREATTESTATION, signatory::ATTESTATION, signatory::CALL, signatory::DELEGATION,
            signatory::ORIGINATION, signatory::REVEAL_AND_DELEGATION, signatory::INCREASE_PAID_STORAGE, signatory::DRAIN_DELEGATE,
        ];
        let mut bytes = requests[which].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(request) = Request::parse(&bytes)
            && bytes[0] != 0x03
            && let Some(position) = request.position()
        {
            // What is judged is what is in the bytes.
            prop_assert_eq!(position.chain_id.as_bytes().as_slice(), &bytes[1..5]);
        }
        bytes.truncate(at);
        // Part of a request is none, but for what may be left out at the end of an older one.
        let _ = Request::parse(&bytes);
    }
}
