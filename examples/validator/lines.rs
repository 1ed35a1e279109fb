//! Lines of no more than a few kilobytes, from a file or standard input.

use std::{
    io::{self, BufRead, Read, stdin},
    thread,
};

use tokio::sync::mpsc::{Receiver, channel};

use crate::hyperlane::CheckpointWithMessageId;

/// A checkpoint takes about 400 bytes.
const MAX_LEN: usize = 4096;

/// How a line ended.
#[derive(PartialEq, Eq)]
pub(crate) enum End {
    Newline,
    /// The input ended without a newline.
    Input,
    /// The line was too long. The rest of it was skipped.
    TooLong,
}

/// Reads the next line without its newline. None at the end of the input.
pub(crate) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<End>> {
    line.clear();
    if input.by_ref().take(MAX_LEN as u64 + 1).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(End::Newline));
    }
    if line.len() <= MAX_LEN {
        return Ok(Some(End::Input));
    }
    input.skip_until(b'\n')?;
    Ok(Some(End::TooLong))
}

/// A line's number from 1, and the checkpoint in it or why there is none.
pub(crate) type Line = (u64, Result<CheckpointWithMessageId, String>);

/// The lines of standard input, of which no more than `ahead` wait in memory.
///
/// They are read by a thread that a process need not wait for when it ends.
pub(crate) fn of_stdin(ahead: usize) -> Receiver<Line> {
    let (sender, receiver) = channel(ahead);
    thread::spawn(move || {
        let (mut input, mut line) = (stdin().lock(), Vec::new());
        for number in 1.. {
            let checkpoint = match read_line(&mut input, &mut line) {
                Ok(None) => return,
                Ok(Some(End::TooLong)) => Err(format!("longer than {MAX_LEN} bytes")),
                Ok(Some(_)) if line.trim_ascii().is_empty() => continue,
                Ok(Some(_)) => serde_json::from_slice(&line).map_err(|error| format!("no checkpoint: {error}")),
                Err(error) => {
                    let _ = sender.blocking_send((number, Err(format!("standard input ends here: {error}"))));
                    return;
                }
            };
            if sender.blocking_send((number, checkpoint)).is_err() {
                return;
            }
        }
    });
    receiver
}
