//! What a signer is asked to sign, read from the bytes: the watermark byte first, then what it says.

mod kind;

pub use self::kind::RequestKind;
use super::{
    chain_id::ChainId,
    contents::{self, Unread},
    micheline,
    operation::Operation,
    reader::{Malformed, Reader},
};
use crate::error::{Error, ErrorKind, Operation as Doing, Result};

/// The most bytes of a request: the protocol's limit for an operation is 32 KiB, and a block's header is short.
pub const MAX_REQUEST: usize = 64 << 10;

/// The most contents of one operation. With the shortest content it is more than 32 KiB hold.
const MOST_CONTENTS: usize = 4096;

/// What is to be signed.
///
/// The first byte, the watermark or magic byte, says what it is (octez's `src/lib_crypto/signature_v2.ml`): 0x11 a block, 0x12 a preattestation, 0x13
/// an attestation, each with its chain id, 0x03 any other operation, 0x05 packed data. 0x01 and 0x02 are blocks and endorsements before Tenderbake, which
/// no protocol in use takes any more.
///
/// It is read strictly and to its end: a part that could not be read could be anything.
///
/// ```
/// use kms_signer::{alloy_primitives::hex, tezos::{OperationKind, Request, RequestKind}};
///
/// let request = Request::parse(&hex!(
///     "03573a2d2d49a3b9634d1605c3aa48ebdd5d21a5885ad17aa44c2b1d0dbcbcac686c004b415314d2b56b0481a3ae8c992ce8bb8dba0369\
///      d086039ecb2dc35000c0843d000076b2f1ea1cf6753888ac5488693977446652d79e00"
/// ))?;
/// assert_eq!(request.kind(), RequestKind::Generic);
/// assert_eq!(request.operations()[0].kind(), OperationKind::Transaction);
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    kind: RequestKind,
    position: Option<Position>,
    operations: Vec<Operation>,
}

/// Where on a chain a block or a consensus operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The chain.
    pub chain_id: ChainId,
    /// The block's level.
    pub level: u32,
    /// The round within the level; of a block, that of its fitness. 0 before Tenderbake.
    pub round: u32,
}

impl Request {
    /// Reads the bytes that are to be signed, with their watermark byte: 1 to 65,536.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::GuardDenied`]: they are not of this form, or an operation has a tag that the current protocol lacks, which is named.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_REQUEST {
            return Err(unread(&format!("it has {} bytes, more than {MAX_REQUEST}", bytes.len())));
        }
        let mut reader = Reader::new(bytes);
        let read = match reader.byte() {
            Ok(0x11) => block(&mut reader).map(Self::block),
            Ok(0x12) => preattestation(&mut reader),
            Ok(0x13) => attestation(&mut reader),
            Ok(0x03) => return generic(reader),
            Ok(0x05) => micheline::skip(&mut reader).map(|()| Self::of(RequestKind::Pack, None)),
            Ok(0x01) => legacy_block(&mut reader).map(Self::block),
            Ok(0x02) => legacy_endorsement(&mut reader),
            Ok(watermark) => {
                return Err(unread(&format!("it begins with 0x{watermark:02x}, which is no watermark of Tezos")));
            }
            Err(_) => return Err(unread("it is empty")),
        };
        read.and_then(|request| reader.finish().map(|()| request)).map_err(unread)
    }

    /// What it is.
    pub fn kind(&self) -> RequestKind {
        self.kind
    }

    /// Chain id, level and round, of a block or a consensus operation.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The contents of a generic operation, in their order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    fn block(position: Position) -> Self {
        Self::of(RequestKind::Block, Some(position))
    }

    fn of(kind: RequestKind, position: Option<Position>) -> Self {
        Self { kind, position, operations: Vec::new() }
    }
}

fn unread(why: &str) -> Error {
    let message = format!("the request cannot be read, so it is not signed: {why}");
    Error::new(ErrorKind::GuardDenied, Doing::Judge, message)
        .with_remedy("send the bytes with their watermark, as the current protocol encodes them")
}

/// Level, protocol, predecessor, timestamp, validation pass, operations hash; then the fitness.
fn shell_header<'a>(reader: &mut Reader<'a>) -> Result<(ChainId, u32, &'a [u8]), Malformed> {
    let chain_id = ChainId::from_bytes(reader.array()?);
    let level = reader.count()?;
    reader.bytes(1 + 32 + 8 + 1 + 32)?;
    let fitness = reader.dynamic()?;
    // The context's hash.
    reader.bytes(32)?;
    Ok((chain_id, level, fitness))
}

/// The header of a block, without its signature.
fn block(reader: &mut Reader<'_>) -> Result<Position, Malformed> {
    let (chain_id, level, fitness) = shell_header(reader)?;
    let round = fitness_round(fitness, level)?;
    // The payload's hash and round, the proof of work.
    reader.bytes(32 + 4 + 8)?;
    if reader.flag()? {
        // The hash of a seed nonce.
        reader.bytes(32)?;
    }
    // The votes.
    reader.byte()?;
    Ok(Position { chain_id, level, round })
}

/// A fitness of Tenderbake: version 2, level, locked round or none, predecessor's round, round, each behind its length.
///
/// The round that counts is this one and not the payload's: a payload may be proposed again at a later round.
fn fitness_round(fitness: &[u8], level: u32) -> Result<u32, Malformed> {
    const OTHER: Malformed = "the block's fitness is none of Tenderbake";
    let mut reader = Reader::new(fitness);
    if reader.dynamic()? != [2] {
        return Err(OTHER);
    }
    if reader.dynamic()? != level.to_be_bytes() {
        return Err("the level of the block's fitness is not the block's");
    }
    if !matches!(reader.dynamic()?.len(), 0 | 4) || reader.dynamic()?.len() != 4 {
        return Err(OTHER);
    }
    let mut round = Reader::new(reader.dynamic()?);
    let number = round.count()?;
    round.finish()?;
    reader.finish()?;
    Ok(number)
}

/// Level, round, and the hash of the block's payload, behind the committee's slot where there is one.
fn consensus(reader: &mut Reader<'_>, chain_id: ChainId, has_slot: bool) -> Result<Position, Malformed> {
    if has_slot {
        reader.bytes(2)?;
    }
    let (level, round) = (reader.count()?, reader.count()?);
    reader.bytes(32)?;
    Ok(Position { chain_id, level, round })
}

/// The chain id, the branch, and the content's tag.
fn consensus_head(reader: &mut Reader<'_>) -> Result<(ChainId, u8), Malformed> {
    let chain_id = ChainId::from_bytes(reader.array()?);
    reader.bytes(32)?;
    Ok((chain_id, reader.byte()?))
}

fn preattestation(reader: &mut Reader<'_>) -> Result<Request, Malformed> {
    let position = match consensus_head(reader)? {
        (chain_id, 20) => consensus(reader, chain_id, true)?,
        // For BLS keys, since Seoul.
        (chain_id, 40) => consensus(reader, chain_id, false)?,
        _ => return Err("the content of a preattestation has an unknown tag"),
    };
    Ok(Request::of(RequestKind::Preattestation, Some(position)))
}

fn attestation(reader: &mut Reader<'_>) -> Result<Request, Malformed> {
    let (kind, position) = match consensus_head(reader)? {
        (chain_id, 21) => (RequestKind::Attestation, consensus(reader, chain_id, true)?),
        (chain_id, 23) => {
            let position = consensus(reader, chain_id, true)?;
            // The slots of the data availability layer, as a number.
            reader.number()?;
            (RequestKind::AttestationWithDal, position)
        }
        // For BLS keys, since Seoul.
        (chain_id, 41) => (RequestKind::Attestation, consensus(reader, chain_id, false)?),
        _ => return Err("the content of an attestation has an unknown tag"),
    };
    Ok(Request::of(kind, Some(position)))
}

/// Before Tenderbake: priority, proof of work, perhaps a seed nonce's hash, and in later ones a vote.
fn legacy_block(reader: &mut Reader<'_>) -> Result<Position, Malformed> {
    let (chain_id, level, _) = shell_header(reader)?;
    reader.bytes(2 + 8)?;
    if reader.flag()? {
        reader.bytes(32)?;
    }
    if !reader.is_empty() {
        reader.flag()?;
    }
    Ok(Position { chain_id, level, round: 0 })
}

fn legacy_endorsement(reader: &mut Reader<'_>) -> Result<Request, Malformed> {
    let (chain_id, tag) = consensus_head(reader)?;
    if tag != 0 {
        return Err("the content of an endorsement has an unknown tag");
    }
    let position = Position { chain_id, level: reader.count()?, round: 0 };
    Ok(Request::of(RequestKind::Attestation, Some(position)))
}

/// The branch, and contents up to the end.
fn generic(mut reader: Reader<'_>) -> Result<Request> {
    reader.bytes(32).map_err(unread)?;
    let mut operations = Vec::new();
    while operations.is_empty() || !reader.is_empty() {
        if operations.len() == MOST_CONTENTS {
            return Err(unread("it has too many contents"));
        }
        operations.push(contents::read(&mut reader).map_err(|why| match why {
            Unread::Malformed(why) => unread(why),
            Unread::Tag(tag) => unread(&format!("the current protocol has no operation with the tag {tag}")),
        })?);
    }
    Ok(Request { kind: RequestKind::Generic, position: None, operations })
}
