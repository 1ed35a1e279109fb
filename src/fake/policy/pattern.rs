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

#[cfg(test)]
mod tests {
    use super::fits;

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
}
