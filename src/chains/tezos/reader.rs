//! Reading Tezos's binary encoding (octez's `data-encoding`) strictly: big-endian integers, lengths before what is of variable length.

/// Why bytes are none of what they should be. Carries none of them.
pub(super) type Malformed = &'static str;

const SHORT: Malformed = "it ends too early";

/// A number needs no more bytes: the largest is an amount of 64 bits; this leaves room for counters and ticks.
const LONGEST_NUMBER: usize = 64;

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err("there are extra bytes at its end") }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Levels and rounds are signed in the encoding, and never negative.
    pub(super) fn count(&mut self) -> Result<u32, Malformed> {
        let number = u32::from_be_bytes(self.array()?);
        if number > i32::MAX as u32 { Err("a level or round is negative") } else { Ok(number) }
    }

    /// So many bytes as the 4 before them say.
    pub(super) fn dynamic(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u32::from_be_bytes(self.array()?);
        self.bytes(usize::try_from(length).map_err(|_| SHORT)?)
    }

    /// 0 for false, 255 for true.
    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            0xff => Ok(true),
            _ => Err("a flag is neither 0 nor 255"),
        }
    }

    /// An `N` or a `Z`: seven bits a byte (six in the first of a `Z`), the highest bit says that there is another. In its shortest form.
    pub(super) fn number(&mut self) -> Result<(), Malformed> {
        let length = self.0.iter().take(LONGEST_NUMBER).position(|byte| byte & 0x80 == 0);
        let digits = self.bytes(1 + length.ok_or("a number has no end")?)?;
        if digits.len() > 1 && digits.last() == Some(&0) { Err("a number is not in its shortest form") } else { Ok(()) }
    }
}
