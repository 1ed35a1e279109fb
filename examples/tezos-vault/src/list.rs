//! What `list` prints, in the form of `signatory-cli list`.

use std::fmt::Write;

use crate::{config::Config, discover::Found};

/// Every key of the vaults, with what the configuration says of it.
pub fn show(config: &Config, found: &[Found]) -> String {
    let mut text = String::new();
    for key in found {
        let hash = key.public_key.as_ref().map(|key| key.hash());
        let rules = hash.and_then(|hash| config.keys.get(&hash));
        let shown = hash.map_or_else(|| "(KMS gives no public key in this state)".to_owned(), |hash| hash.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "Public Key Hash:    {shown}");
        if let Some(public_key) = &key.public_key {
            let _ = writeln!(text, "Public Key:         {public_key}");
        }
        let _ = writeln!(text, "Vault:              AWSKMS ({})", key.vault);
        let _ = writeln!(text, "ID:                 {}", key.arn);
        let _ = writeln!(text, "State:              {}", key.state.as_str());
        let _ = writeln!(text, "Active:             {}", rules.is_some());
        if let Some(rules) = rules {
            let names = |names: Vec<&str>| names.join(" ");
            let _ = writeln!(text, "Allowed Operations: [{}]", names(rules.policy.operations().collect()));
            let _ = writeln!(text, "Allowed Kinds:      [{}]", names(rules.policy.kinds().collect()));
        }
        text.push('\n');
    }
    text
}
