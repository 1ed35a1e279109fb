//! Patterns with `*` and `?`, as policies have them.

/// Whether the pattern fits the whole text.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and the text that it does not take yet.
    let mut retry = None;
    loop {
        let is_step = match (pattern.clone().next(), text.clone().next()) {
            (Some('*'), _) => {
                pattern.next();
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) => wanted == '?' || wanted == found,
            _ => false,
        };
        if is_step {
            pattern.next();
            text.next();
            continue;
        }
        // The last star takes one character more.
        let Some((rest, left)) = &mut retry else { return false };
        if left.next().is_none() {
            return false;
        }
        (pattern, text) = (rest.clone(), left.clone());
    }
}

/// Whether the pattern fits an ARN as conditions compare ARNs: each of its six parts by itself.
pub(super) fn fits_arn(pattern: &str, arn: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    (0..6).all(|_| matches!((patterns.next(), parts.next()), (Some(pattern), Some(part)) if fits(pattern, part)))
}

#[cfg(test)]
mod tests {
    use super::{fits, fits_arn};

    #[test]
    fn stars_take_any_text_and_question_marks_one_character() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("kms:*", "kms:sign", true),
            ("kms:*", "iam:sign", false),
            ("kms:?ign", "kms:sign", true),
            ("kms:?ign", "kms:ign", false),
            ("*a*b*c", "xaybzbc", true),
            ("*a*b*c", "xaybzbd", false),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("**é?", "aéß", true),
            ("arn:*:key/*", "*", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
    #[test]
    fn stars_do_not_reach_beyond_their_part_of_an_arn() {
        let session = "arn:aws:sts::111122223333:assumed-role/signer/a:b";
        for (pattern, expected) in [
            (session, true),
            ("arn:*:sts:*:*:*", true),
            ("arn:aws:sts::11112222????:assumed-role/*:b", true),
            ("arn:aws:sts:*:assumed-role/signer/a:b", false),
            ("arn:aws:*", false),
            ("*", false),
        ] {
            assert_eq!(fits_arn(pattern, session), expected, "{pattern}");
        }
        assert!(!fits_arn("arn:*:*:*:*:*", "arn:aws:sts"));
    }
}
