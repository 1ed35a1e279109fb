//! The chain: how a line is sealed, and how it is checked.

use alloy_primitives::{B256, hex};
use sha2::{Digest, Sha256};

const SEQ: &[u8] = br#"{"seq":"#;
const PREV: &[u8] = br#","prev":""#;
const BODY: &[u8] = br#"","#;
const HASH: &[u8] = br#","hash":""#;
const END: &[u8] = br#""}"#;
const HEX_LEN: usize = 64;

/// The longest line, newline included.
pub(super) const MAX_LINE: usize = 1 << 20;

/// More than all that a line has besides its body.
const MAX_FRAME: usize = 256;

/// The longest body of a line.
pub(super) const MAX_BODY: usize = MAX_LINE - MAX_FRAME;

/// A chain up to its last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) lines: u64,
    /// The last line's hash. Zeros if there is none.
    pub(super) head: B256,
    /// Where the next line begins.
    pub(super) bytes: u64,
}

impl Chain {
    /// Appends a line with the given fields, without braces, and its newline to `out`.
    pub(super) fn seal(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        self.begin(out);
        out.extend_from_slice(body);
        self.lines += 1;
        self.head = sha256(out.get(start..).unwrap_or_default());
        out.extend_from_slice(HASH);
        out.extend_from_slice(hex::encode(self.head).as_bytes());
        out.extend_from_slice(END);
        out.push(b'\n');
        self.bytes += (out.len() - start) as u64;
    }

    /// What the next line begins with.
    fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(SEQ);
        out.extend_from_slice((self.lines + 1).to_string().as_bytes());
        out.extend_from_slice(PREV);
        out.extend_from_slice(hex::encode(self.head).as_bytes());
        out.extend_from_slice(BODY);
    }

    /// Whether a write of the next line that was cut short can have left this: less than the line, or zeros where a loss of power took
    /// the rest. Part of a JSON object is never JSON; what is, was a line, and another one.
    pub(super) fn may_have_begun(&self, tail: &[u8]) -> bool {
        let written = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let mut begin = Vec::new();
        self.begin(&mut begin);
        let common = written.min(begin.len());
        tail.get(..common) == begin.get(..common) && !is_json(tail)
    }

    /// Takes a line, given without its newline, if it is the next one, or says what is wrong with it.
    pub(super) fn accept(&mut self, line: &[u8]) -> Result<(), String> {
        let Some(sealed) = Sealed::parse(line) else {
            return Err(if is_json(line) {
                "has no seq, prev and hash where a line of an audit file has them".to_owned()
            } else {
                "is not JSON: it was cut or changed".to_owned()
            });
        };
        let hash = sha256(sealed.covered);
        if hex::encode(hash).as_bytes() != sealed.hash {
            return Err("was changed: its hash is not that of its bytes".to_owned());
        }
        let expected = self.lines + 1;
        if sealed.seq > expected {
            return Err(format!("has seq {} where {expected} is due: lines before it were removed", sealed.seq));
        }
        if sealed.seq < expected {
            return Err(format!("has seq {} where {expected} is due: lines were inserted or reordered", sealed.seq));
        }
        if hex::encode(self.head).as_bytes() != sealed.prev {
            return Err("does not follow the line before it: one of them was put in another's place".to_owned());
        }
        *self = Self { lines: expected, head: hash, bytes: self.bytes + line.len() as u64 };
        Ok(())
    }
}

/// The parts of a line.
struct Sealed<'a> {
    seq: u64,
    prev: &'a [u8],
    covered: &'a [u8],
    hash: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HEX_LEN)?)?;
        let covered = rest.strip_suffix(HASH)?;
        let rest = covered.strip_prefix(SEQ)?;
        let (seq, rest) = rest.split_at_checked(rest.iter().position(|byte| !byte.is_ascii_digit())?)?;
        let (prev, rest) = rest.strip_prefix(PREV)?.split_at_checked(HEX_LEN)?;
        rest.strip_prefix(BODY)?;
        Some(Self { seq: str::from_utf8(seq).ok()?.parse().ok()?, prev, covered, hash })
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn sha256(bytes: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(bytes))
}
