//! A strict reader and a small writer for the DER (ITU-T X.690) that public keys and signatures are made of.

/// What is wrong with an encoding. Carries no bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Reads tag-length-value elements one after another and copies nothing.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let (&found, rest) = self.0.split_first().ok_or(Malformed("it ends too early"))?;
        if found != tag {
            return Err(Malformed("an element has the wrong type"));
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(content)
    }

    /// Requires that everything was read.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed("there are extra bytes at its end")) }
    }
}

/// A definite length in its shortest form. Two length bytes are enough for every key and signature read here.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    match *bytes {
        [short @ 0..0x80, ref rest @ ..] => Ok((short.into(), rest)),
        [0x80, ..] => Err(Malformed("its length is indefinite, which BER allows and DER does not")),
        [0x81, long @ 0x80..=0xff, ref rest @ ..] => Ok((long.into(), rest)),
        [0x82, high @ 1..=0xff, low, ref rest @ ..] => Ok((u16::from_be_bytes([high, low]).into(), rest)),
        [0x81 | 0x82, _, ..] => Err(Malformed("a length is not in its shortest form")),
        [] | [0x81 | 0x82] => Err(Malformed("it ends too early")),
        [..] => Err(Malformed("a length is too large")),
    }
}

/// Appends an element of at most 127 bytes of content; longer content does not occur in what is written here.
pub(crate) fn push(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    debug_assert!(content.len() < 0x80);
    out.push(tag);
    out.push(content.len() as u8);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_shortest_lengths_only() {
        let long = [&[SEQUENCE, 0x81, 0x80][..], &[0; 0x80]].concat();
        assert_eq!(Reader::new(&long).element(SEQUENCE).map(<[u8]>::len), Ok(0x80));
        for bytes in [
            &[SEQUENCE, 0x81, 0x01, 0][..],
            &[SEQUENCE, 0x82, 0x00, 0x01, 0],
            &[SEQUENCE, 0x80, 0, 0],
            &[SEQUENCE, 0x83, 0, 0, 1, 0],
            &[SEQUENCE, 0x84],
            &[SEQUENCE, 0x02, 0],
            &[SEQUENCE],
            &[],
        ] {
            assert!(Reader::new(bytes).element(SEQUENCE).is_err(), "{bytes:02x?}");
        }
    }
}
