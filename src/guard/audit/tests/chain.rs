//! What is found in a file, and in which line.

use proptest::{prelude::*, sample::Index};
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    error::{ErrorKind, Operation},
    guard::audit::{chain::Chain, verify_with_head},
};

fn check(lines: &[&str]) -> Result<Verified> {
    verify(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())
}

#[track_caller]
fn assert_found(lines: &[&str], number: usize, what: &str) {
    let error = check(lines).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::AuditBroken, Operation::ReadAudit), "{error}");
    assert_says(&error, &format!("line {number} {what}"));
}

#[test]
fn a_line_is_what_the_documentation_says() {
    let folder = Folder::new();
    let mut prev = "0".repeat(64);
    for (line, seq) in written(&folder, 3).lines().zip(1..) {
        let (covered, end) = line.rsplit_once(r#","hash":""#).unwrap();
        let hash = alloy_primitives::hex::encode(Sha256::digest(covered));
        assert_eq!(end, format!("{hash}\"}}"));
        assert!(line.starts_with(&format!(r#"{{"seq":{seq},"prev":"{prev}","time":""#)), "{line}");
        let json: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&json["seq"], &json["prev"], &json["hash"]), (&seq.into(), &prev.into(), &hash.clone().into()));
        prev = hash;
    }
}

#[test]
fn what_was_written_is_counted() {
    let folder = Folder::new();
    let log = AuditLog::open(folder.file()).unwrap();
    for (stage, count) in [(Stage::Allowed, 4), (Stage::Denied, 3), (Stage::Signed, 2), (Stage::Failed, 1)] {
        for id in 0..count {
            keep(&log, &record(stage, id)).unwrap();
        }
    }
    let verified = verified(&folder.file()).unwrap();
    assert_eq!([Stage::Allowed, Stage::Denied, Stage::Signed, Stage::Failed].map(|s| verified.count(s)), [4, 3, 2, 1]);
    assert_eq!((verified.lines(), verified.opened(), verified.partial_bytes()), (11, 1, 0));
    assert_eq!((verified.head(), verified.lines()), (log.head(), log.lines()));
    assert_eq!(verified.last(), Some(SystemTime::UNIX_EPOCH + NOON));
    assert!(verified.first().unwrap().elapsed().unwrap() < Duration::from_secs(3600));
    assert_eq!(verify(&b""[..]).unwrap().first(), None);
}

#[test]
fn what_was_done_to_a_line_is_found_at_its_number() {
    let folder = Folder::new();
    let text = written(&folder, 5);
    let lines: Vec<&str> = text.lines().collect();
    let [a, b, c, d, e, f] = lines[..] else { panic!("{text}") };
    check(&lines).unwrap();

    let changed = c.replace("payroll", "nobody!");
    assert_found(&[a, b, &changed, d, e, f], 3, "was changed");
    assert_found(&[a, b, &c.replace("\"hash\":\"", "\"hash\":\"0").replace("\"}", "}"), d, e, f], 3, "is not JSON");
    assert_found(&[b, c, d, e, f], 1, "has seq 2 where 1 is due: lines before it were removed");
    assert_found(&[a, b, e, f], 3, "has seq 5 where 3 is due: lines before it were removed");
    assert_found(&[a, b, d, c, e, f], 3, "has seq 4 where 3 is due");
    assert_found(&[a, b, b, c, d, e, f], 3, "has seq 2 where 3 is due: lines were inserted or reordered");
    assert_found(&[a, b, "", c, d, e, f], 3, "is not JSON");
    assert_found(&[a, b, "{\"stage\":\"signed\"}", c, d, e, f], 3, "has no seq, prev and hash");
    assert_found(&[a, b, &c[..c.len() / 2], d, e, f], 3, "is not JSON: it was cut");
    assert_found(&[a, b, c, d, e, &f[..f.len() - 3]], 6, "is not JSON: it was cut");
    assert_found(&[&text.replace('\n', "\r\n")], 1, "has no seq, prev and hash");
}

#[test]
fn a_line_of_another_chain_is_found_where_it_stands() {
    let sealed = |words: &[&str]| {
        let (mut chain, mut text) = (Chain::default(), Vec::new());
        for word in words {
            chain.seal(format!(r#""time":"2027-01-15T08:00:00Z","stage":"{word}""#).as_bytes(), &mut text);
        }
        String::from_utf8(text).unwrap()
    };
    let (ours, theirs) = (sealed(&["opened", "allowed", "signed"]), sealed(&["opened", "denied", "denied"]));
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    check(&theirs).unwrap();
    check(&[ours[0], theirs[1], theirs[2]]).unwrap();
    assert_found(&[ours[0], ours[1], theirs[2]], 3, "does not follow the line before it");
    assert_found(&[ours[0], theirs[1], ours[2]], 3, "does not follow the line before it");
}

#[test]
fn a_head_that_was_kept_shows_what_is_missing_at_the_end() {
    let folder = Folder::new();
    let text = written(&folder, 3);
    let whole = verify(text.as_bytes()).unwrap();
    let without_last = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    assert_eq!(verify(without_last.as_bytes()).unwrap().lines(), 3);
    let error = verify_with_head(without_last.as_bytes(), whole.head()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuditBroken);
    assert_says(&error, "its 3 lines are whole, and none of them has the hash");

    let earlier = verify(without_last.as_bytes()).unwrap().head();
    for kept in [whole.head(), earlier, B256::ZERO] {
        assert_eq!(verify_with_head(text.as_bytes(), kept).unwrap().lines(), 4);
    }
    assert!(verify_with_head(&b""[..], whole.head()).is_err());
}

#[test]
fn part_of_a_line_at_the_end_is_counted_and_a_whole_one_without_newline_is_a_line() {
    let folder = Folder::new();
    let text = written(&folder, 2);
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for end in last..text.len() - 1 {
        let verified = verify(&text.as_bytes()[..end]).unwrap();
        assert_eq!((verified.lines(), verified.partial_bytes()), (2, (end - last) as u64));
    }
    let verified = verify(text.trim_end().as_bytes()).unwrap();
    assert_eq!((verified.lines(), verified.partial_bytes(), verified.count(Stage::Allowed)), (3, 0, 2));
}

#[test]
fn a_file_without_newlines_is_not_read_into_memory() {
    for byte in [0, b'x'] {
        let error = verify(BufReader::new(std::io::repeat(byte))).unwrap_err();
        assert_says(&error, "line 1 is longer than 1 MiB");
    }
}

proptest! {
    #[test]
    fn any_changed_byte_is_found(at: Index, flip in 1..=u8::MAX) {
        let folder = Folder::new();
        let text = written(&folder, 4);
        let mut bytes = text.clone().into_bytes();
        // With another byte for its newline the last line is a partial one, as far as anybody can tell.
        let at = at.index(bytes.len() - 1);
        bytes[at] ^= flip;
        let number = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let error = verify(&bytes[..]).unwrap_err().to_string();
        prop_assert!(error.contains(&format!("line {number} ")), "{error}");
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        let _ = verify(&bytes[..]);
    }
}
