//! The contents of operations: how each is laid out, so that the next one is found.
//!
//! The layouts are those of octez's "P2P message format" for the protocol Tallinn (024), as gotez's `proto_023_PtSeouLo` and `proto_024_PtTALLiN` and
//! Taquito's `local-forging` have them, too; keys and addresses of kind 4 (ML-DSA-44, `tz5…`) are Ushuaia's (025).

use super::{
    operation::{Ballot, Operation, OperationKind},
    reader::{Malformed, Reader},
};

/// A part of a layout.
enum Field {
    Bytes(usize),
    /// As many bytes as the 4 before them say: also a list, or what is read later.
    Dynamic,
    /// As the 2 before them say.
    Dynamic16,
    /// An `N` or a `Z`.
    Number,
    /// 0, or 255 and these.
    Optional(&'static [Self]),
    /// A tag, and what it says.
    OneOf(&'static [(u8, &'static [Self])]),
}

use Field::{Bytes, Dynamic, Dynamic16, Number, OneOf, Optional};

const KEY_HASH: Field =
    OneOf(&[(0, &[Bytes(20)]), (1, &[Bytes(20)]), (2, &[Bytes(20)]), (3, &[Bytes(20)]), (4, &[Bytes(20)])]);
const PUBLIC_KEY: Field =
    OneOf(&[(0, &[Bytes(32)]), (1, &[Bytes(33)]), (2, &[Bytes(33)]), (3, &[Bytes(48)]), (4, &[Bytes(1312)])]);
/// An account's hash, or a contract's with a byte of padding.
const CONTRACT: Field = OneOf(&[(0, &[KEY_HASH]), (1, &[Bytes(21)])]);
const ORIGINATED: Field = OneOf(&[(1, &[Bytes(21)])]);
const PROOF: Field = Optional(&[Dynamic]);
const LEVEL: Field = Bytes(4);
/// Of a rollup, 20 bytes; of a commitment or a state, 32.
const ROLLUP: Field = Bytes(20);
const HASH: Field = Bytes(32);

/// Fee, counter, gas limit and storage limit, behind the source.
const MANAGER: [Field; 4] = [Number, Number, Number, Number];

const REFUTATION: Field = OneOf(&[
    // A game starts: the players' commitments.
    (0, &[HASH, HASH]),
    // A move: a tick, and a dissection or a proof.
    (1, &[Number, OneOf(&[(0, &[Dynamic]), (1, &[Dynamic, Optional(&[INPUT_PROOF])])])]),
]);
const INPUT_PROOF: Field = OneOf(&[
    (0, &[LEVEL, Number, Dynamic]),
    (1, &[OneOf(&[(0, &[Dynamic16]), (1, &[]), (2, &[LEVEL, Bytes(3), Dynamic]), (3, &[])])]),
    (2, &[]),
]);

/// What is not a manager's: tag, kind, layout.
const ANONYMOUS: &[(u8, OperationKind, &[Field])] = &[
    (1, OperationKind::SeedNonceRevelation, &[LEVEL, Bytes(32)]),
    (2, OperationKind::DoubleConsensusOperationEvidence, &[Bytes(2), Dynamic, Dynamic]),
    (3, OperationKind::DoubleBakingEvidence, &[Dynamic, Dynamic]),
    (4, OperationKind::ActivateAccount, &[Bytes(20), Bytes(20)]),
    (5, OperationKind::Proposals, &[KEY_HASH, Bytes(4), Dynamic]),
    (8, OperationKind::VdfRevelation, &[Bytes(200)]),
    (9, OperationKind::DrainDelegate, &[KEY_HASH, KEY_HASH, KEY_HASH]),
    (17, OperationKind::FailingNoop, &[Dynamic]),
    (24, OperationKind::DalEntrapmentEvidence, &[Dynamic, Bytes(2), Bytes(1), Bytes(4), Dynamic, Bytes(48)]),
    (30, OperationKind::PreattestationsAggregate, &[LEVEL, Bytes(4), HASH, Dynamic]),
    (31, OperationKind::AttestationsAggregate, &[LEVEL, Bytes(4), HASH, Dynamic]),
    (255, OperationKind::SignaturePrefix, &[OneOf(&[(3, &[Bytes(32)])])]),
];

/// What is a manager's: behind source, fee, counter, gas limit and storage limit.
const MANAGED: &[(u8, OperationKind, &[Field])] = &[
    (107, OperationKind::Reveal, &[PUBLIC_KEY, PROOF]),
    (109, OperationKind::Origination, &[Number, Optional(&[KEY_HASH]), Dynamic, Dynamic]),
    (110, OperationKind::Delegation, &[Optional(&[KEY_HASH])]),
    (111, OperationKind::RegisterGlobalConstant, &[Dynamic]),
    (112, OperationKind::SetDepositsLimit, &[Optional(&[Number])]),
    (113, OperationKind::IncreasePaidStorage, &[Number, ORIGINATED]),
    (114, OperationKind::UpdateConsensusKey, &[PUBLIC_KEY, PROOF]),
    (115, OperationKind::UpdateCompanionKey, &[PUBLIC_KEY, PROOF]),
    (158, OperationKind::TransferTicket, &[Dynamic, Dynamic, CONTRACT, Number, CONTRACT, Dynamic]),
    (200, OperationKind::SmartRollupOriginate, &[Bytes(1), Dynamic, Dynamic, Optional(&[Dynamic])]),
    (201, OperationKind::SmartRollupAddMessages, &[Dynamic]),
    (202, OperationKind::SmartRollupCement, &[ROLLUP]),
    (203, OperationKind::SmartRollupPublish, &[ROLLUP, HASH, LEVEL, HASH, Bytes(8)]),
    (204, OperationKind::SmartRollupRefute, &[ROLLUP, KEY_HASH, REFUTATION]),
    (205, OperationKind::SmartRollupTimeout, &[ROLLUP, KEY_HASH, KEY_HASH]),
    (206, OperationKind::SmartRollupExecuteOutboxMessage, &[ROLLUP, HASH, Dynamic]),
    (207, OperationKind::SmartRollupRecoverBond, &[ROLLUP, KEY_HASH]),
    (230, OperationKind::DalPublishCommitment, &[Bytes(1), Bytes(48), Bytes(96)]),
    (250, OperationKind::ZkRollupOrigination, &[Dynamic, Dynamic, Dynamic, Bytes(4)]),
    (251, OperationKind::ZkRollupPublish, &[ROLLUP, Dynamic]),
    (252, OperationKind::ZkRollupUpdate, &[ROLLUP, Dynamic, Dynamic, Dynamic, Dynamic]),
];

const BALLOT: u8 = 6;
const TRANSACTION: u8 = 108;

/// In bytes.
const LONGEST_ENTRYPOINT: usize = 31;

/// Why contents are not read: they are malformed, or have a tag that is nobody's.
pub(super) enum Unread {
    Malformed(Malformed),
    Tag(u8),
}

impl From<Malformed> for Unread {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

/// One content, from its tag on.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Operation, Unread> {
    let tag = reader.byte()?;
    match tag {
        BALLOT => return Ok(ballot(reader)?),
        TRANSACTION => return Ok(transaction(reader)?),
        _ => {}
    }
    if let Some((_, kind, layout)) = ANONYMOUS.iter().find(|(known, ..)| *known == tag) {
        skip_all(reader, layout)?;
        return Ok(Operation::new(*kind));
    }
    let (_, kind, layout) = MANAGED.iter().find(|(known, ..)| *known == tag).ok_or(Unread::Tag(tag))?;
    manager(reader)?;
    skip_all(reader, layout)?;
    Ok(Operation::new(*kind))
}

fn skip_all(reader: &mut Reader<'_>, layout: &[Field]) -> Result<(), Malformed> {
    layout.iter().try_for_each(|field| skip(reader, field))
}

fn skip(reader: &mut Reader<'_>, field: &Field) -> Result<(), Malformed> {
    match field {
        Bytes(count) => reader.bytes(*count).map(drop),
        Dynamic => reader.dynamic().map(drop),
        Dynamic16 => {
            let length = u16::from_be_bytes(reader.array()?);
            reader.bytes(length.into()).map(drop)
        }
        Number => reader.number(),
        Optional(layout) => {
            if reader.flag()? {
                skip_all(reader, layout)?;
            }
            Ok(())
        }
        OneOf(cases) => {
            let tag = reader.byte()?;
            let (_, layout) =
                cases.iter().find(|(known, _)| *known == tag).ok_or("a part of an operation has an unknown tag")?;
            skip_all(reader, layout)
        }
    }
}

/// The source, 21 bytes, before what every manager's operation has.
fn manager<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let mut source = *reader;
    skip(reader, &KEY_HASH)?;
    skip_all(reader, &MANAGER)?;
    source.bytes(21)
}

fn ballot(reader: &mut Reader<'_>) -> Result<Operation, Malformed> {
    skip_all(reader, &[KEY_HASH, Bytes(4), HASH])?;
    let vote = match reader.byte()? {
        0 => Ballot::Yay,
        1 => Ballot::Nay,
        2 => Ballot::Pass,
        _ => return Err("a ballot is neither yay, nay nor pass"),
    };
    Ok(Operation::ballot(vote))
}

/// A call of an account's own entrypoints is an operation of its own, as Signatory has it: staking is no payment.
fn transaction(reader: &mut Reader<'_>) -> Result<Operation, Malformed> {
    manager(reader)?;
    reader.number()?;
    let mut destination = *reader;
    skip(reader, &CONTRACT)?;
    let is_account = destination.byte()? == 0;
    if !reader.flag()? {
        return Ok(Operation::new(OperationKind::Transaction));
    }
    let entrypoint = entrypoint(reader)?;
    reader.dynamic()?;
    let kind = if is_account { entrypoint } else { None };
    Ok(Operation::new(kind.unwrap_or(OperationKind::Transaction)))
}

/// The operation that an entrypoint of an account is, under its tag or by its name.
fn entrypoint(reader: &mut Reader<'_>) -> Result<Option<OperationKind>, Malformed> {
    let kind = match reader.byte()? {
        0..=5 => None,
        6 => Some(OperationKind::Stake),
        7 => Some(OperationKind::Unstake),
        8 => Some(OperationKind::FinalizeUnstake),
        9 => Some(OperationKind::SetDelegateParameters),
        255 => {
            let length = reader.byte()?;
            match reader.bytes(length.into())? {
                name if name.len() > LONGEST_ENTRYPOINT => return Err("an entrypoint's name has more than 31 bytes"),
                b"stake" => Some(OperationKind::Stake),
                b"unstake" => Some(OperationKind::Unstake),
                b"finalize_unstake" => Some(OperationKind::FinalizeUnstake),
                b"set_delegate_parameters" => Some(OperationKind::SetDelegateParameters),
                _ => None,
            }
        }
        _ => return Err("an entrypoint has an unknown tag"),
    };
    Ok(kind)
}
