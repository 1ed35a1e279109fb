//! High watermarks: no two different blocks or attestations at one level and round.

use std::collections::BTreeMap;

use alloy_primitives::B256;

use super::{
    base58::{self, PAYLOAD_HASH},
    chain_id::ChainId,
    public_key_hash::PublicKeyHash,
    request::{Request, RequestKind},
};
use crate::error::{Error, ErrorKind, Operation, Result};

/// What was signed last: its level, its round, and the Blake2b-256 of its bytes, where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The block's level.
    pub level: u32,
    /// The round within the level.
    pub round: u32,
    /// Blake2b-256 of the signed bytes. Without it nothing at this level and round is signed.
    pub digest: Option<B256>,
}

/// What has a watermark of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MarkKind {
    /// Blocks.
    Block,
    /// Preattestations.
    Preattestation,
    /// Attestations, with and without DAL content.
    Attestation,
}

impl MarkKind {
    /// `block`, `preattestation` or `attestation`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Preattestation => "preattestation",
            Self::Attestation => "attestation",
        }
    }

    /// The watermark of a request. None for one that has no level.
    pub fn of(kind: RequestKind) -> Option<Self> {
        match kind {
            RequestKind::Block => Some(Self::Block),
            RequestKind::Preattestation => Some(Self::Preattestation),
            RequestKind::Attestation | RequestKind::AttestationWithDal => Some(Self::Attestation),
            RequestKind::Generic | RequestKind::Pack => None,
        }
    }
}

/// What became of a watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Advance {
    /// The request has none.
    None,
    /// The same bytes were signed last: they may be signed again.
    Repeated,
    /// It is higher than before. Make it durable before anything is signed.
    Raised,
}

/// The high watermarks of keys, by chain, key and kind.
///
/// The rule is Signatory's (`pkg/signatory/request`): a request must be of a higher level than the last one of its kind, or of the same level and a
/// higher round; the same bytes again are allowed. One thing is stricter: attestations with and without DAL content share a watermark, as the protocol
/// punishes a pair of them, too.
///
/// It is a value, without a file or a lock: whoever keeps it writes it down before signing, and lets one request at a time pass.
///
/// ```
/// use kms_signer::{alloy_primitives::hex, tezos::{self, Advance, HighWatermarks, PublicKeyHash, Request}};
///
/// let key: PublicKeyHash = "tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59At".parse()?;
/// let bytes = hex!("13ed9d217cfc81eee810737b04018acef4db74d056b79edc43e6be46cae7e4c217c22a82f0\
///                   1500120000518d0000000003e7ea1f67dbb0bb6cfa372cb092cd9cf786b4f1b5e5139da95b915fb95e698d");
/// let attestation = Request::parse(&bytes)?;
///
/// let mut marks = HighWatermarks::default();
/// assert_eq!(marks.advance(&key, &attestation, tezos::digest(&bytes))?, Advance::Raised);
/// assert_eq!(marks.advance(&key, &attestation, tezos::digest(&bytes))?, Advance::Repeated);
/// // Other bytes at that level and round.
/// assert!(marks.advance(&key, &attestation, tezos::digest(b"other")).is_err());
/// # Ok::<_, kms_signer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HighWatermarks(BTreeMap<(ChainId, PublicKeyHash, MarkKind), Mark>);

impl HighWatermarks {
    /// Lets a request pass, and remembers it; or leaves everything as it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::GuardDenied`]: something else was signed at this level and round, or anything above it.
    pub fn advance(&mut self, key: &PublicKeyHash, request: &Request, digest: B256) -> Result<Advance> {
        let (Some(kind), Some(at)) = (MarkKind::of(request.kind()), request.position()) else {
            return Ok(Advance::None);
        };
        let place = (at.chain_id, *key, kind);
        let next = Mark { level: at.level, round: at.round, digest: Some(digest) };
        match self.0.get(&place) {
            Some(last) if *last == next => return Ok(Advance::Repeated),
            Some(last) if (next.level, next.round) <= (last.level, last.round) => {
                return Err(refused(request, &next, last));
            }
            _ => {}
        }
        self.0.insert(place, next);
        Ok(Advance::Raised)
    }

    /// The last of a chain, key and kind.
    pub fn get(&self, chain_id: ChainId, key: &PublicKeyHash, kind: MarkKind) -> Option<&Mark> {
        self.0.get(&(chain_id, *key, kind))
    }

    /// Takes back what a request raised and could not be kept: `before` is what [`get`](Self::get) gave until then.
    pub fn take_back(&mut self, key: &PublicKeyHash, request: &Request, before: Option<Mark>) {
        if let (Some(kind), Some(at)) = (MarkKind::of(request.kind()), request.position()) {
            let place = (at.chain_id, *key, kind);
            match before {
                Some(mark) => drop(self.0.insert(place, mark)),
                None => drop(self.0.remove(&place)),
            }
        }
    }

    /// How many chains have one.
    pub fn chains(&self) -> usize {
        let mut chains: Vec<_> = self.0.keys().map(|(chain_id, ..)| *chain_id).collect();
        chains.dedup();
        chains.len()
    }

    /// Puts in what was kept elsewhere. Of two the higher stays; at one level and round, one without a digest.
    pub fn restore(&mut self, chain_id: ChainId, key: PublicKeyHash, kind: MarkKind, mark: Mark) {
        let last = self.0.entry((chain_id, key, kind)).or_insert(mark);
        match (mark.level, mark.round).cmp(&(last.level, last.round)) {
            core::cmp::Ordering::Greater => *last = mark,
            core::cmp::Ordering::Equal if mark.digest != last.digest => last.digest = None,
            _ => {}
        }
    }

    /// Those of a chain, in the order of keys and kinds.
    pub fn of_chain(&self, chain_id: ChainId) -> impl Iterator<Item = (&PublicKeyHash, MarkKind, &Mark)> {
        let of_chain = self.0.iter().filter(move |((chain, ..), _)| *chain == chain_id);
        of_chain.map(|((_, key, kind), mark)| (key, *kind, mark))
    }
}

impl Mark {
    /// The digest as Signatory's watermark files have it: as a block payload hash, `vh…`, 52 characters.
    pub fn digest_to_base58(&self) -> Option<String> {
        self.digest.map(|digest| PAYLOAD_HASH.encode(&digest.0))
    }

    /// The digest from `vh…`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`].
    pub fn digest_from_base58(text: &str) -> Result<B256> {
        PAYLOAD_HASH.decode(text).map(B256::from).ok_or_else(|| {
            let message = format!("{} is no hash of a request: vh…, with its checksum", base58::shown(text));
            Error::new(ErrorKind::Config, Operation::ReadRules, message).with_remedy("restore the watermark file")
        })
    }
}

fn refused(request: &Request, next: &Mark, last: &Mark) -> Error {
    let what = if (next.level, next.round) == (last.level, last.round) { "another one" } else { "one" };
    let message = format!(
        "the {} at level {} and round {} is not signed: {what} was signed at level {} and round {}",
        request.kind(),
        next.level,
        next.round,
        last.level,
        last.round
    );
    Error::new(ErrorKind::GuardDenied, Operation::Judge, message)
        .with_remedy("see whether a second baker runs with this key")
}
