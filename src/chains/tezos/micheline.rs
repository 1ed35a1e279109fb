//! Micheline expressions: where one ends. It is packed data that is signed as it is (watermark 0x05).

use super::reader::{Malformed, Reader};

/// Nobody nests deeper; octez's own limit is 10,000.
const DEEPEST: usize = 1_000;

/// Reads one expression.
pub(super) fn skip(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    // What is still to be read, the innermost last.
    let mut open = vec![Todo::Expressions(1)];
    let mut inner: Vec<Reader<'_>> = Vec::new();
    while let Some(todo) = open.pop() {
        if open.len() > DEEPEST {
            return Err("an expression is nested too deeply");
        }
        let here = inner.last_mut().unwrap_or(reader);
        match todo {
            Todo::Expressions(0) => {}
            Todo::Expressions(left) => {
                open.push(Todo::Expressions(left - 1));
                match here.byte()? {
                    0 => here.number()?,
                    1 | 10 => {
                        here.dynamic()?;
                    }
                    2 => {
                        let sequence = Reader::new(here.dynamic()?);
                        inner.push(sequence);
                        open.push(Todo::Sequence);
                    }
                    // A primitive with 0 to 2 arguments, without and with annotations.
                    tag @ 3..=8 => {
                        here.byte()?;
                        if tag % 2 == 0 {
                            open.push(Todo::Annotations);
                        }
                        open.push(Todo::Expressions(usize::from(tag - 3) / 2));
                    }
                    9 => {
                        here.byte()?;
                        open.push(Todo::Annotations);
                        let sequence = Reader::new(here.dynamic()?);
                        inner.push(sequence);
                        open.push(Todo::Sequence);
                    }
                    _ => return Err("an expression has a tag that Micheline lacks"),
                }
            }
            Todo::Sequence if here.is_empty() => {
                inner.pop();
            }
            Todo::Sequence => open.extend([Todo::Sequence, Todo::Expressions(1)]),
            Todo::Annotations => {
                here.dynamic()?;
            }
        }
    }
    Ok(())
}

enum Todo {
    /// So many.
    Expressions(usize),
    /// As many as there are until the innermost sequence ends.
    Sequence,
    Annotations,
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;

    use super::*;

    fn whole(bytes: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(bytes);
        skip(&mut reader)?;
        reader.finish()
    }

    #[test]
    fn reads_every_form() {
        for (name, bytes) in [
            ("an int", &hex!("0001")[..]),
            ("bytes, from gotez", &hex!("0a0000001600003204 1dca76bac940b478aae673e362bd15847ed8")),
            ("a string", &hex!("010000000161")),
            ("an empty sequence", &hex!("0200000000")),
            ("a sequence of sequences", &hex!("020000000a02000000000200000000")),
            ("Pair 88f0f601 True, from Signatory's tests", &hex!("07070088f0f6010306")),
            ("with annotations", &hex!("0459000000026161")),
            ("code, from Signatory's tests", &hex!("02000000170500035b0501035b050202000000080316053d036d0342")),
            ("a primitive with three arguments", &hex!("0959000000060001000100010000000161")),
        ] {
            assert_eq!(whole(bytes), Ok(()), "{name}");
            for end in 0..bytes.len() {
                assert!(whole(&bytes[..end]).is_err(), "{name}, {end} bytes of it");
            }
            assert!(whole(&[bytes, &[0]].concat()).is_err(), "{name} and a byte");
        }
        assert!(whole(&[11]).is_err());
    }

    #[test]
    fn deep_ones_are_refused_without_recursion() {
        let mut nested = hex!("0001").to_vec();
        for _ in 0..5_000 {
            nested.splice(0..0, [5, 5]);
        }
        assert_eq!(whole(&nested), Err("an expression is nested too deeply"));
    }
}
