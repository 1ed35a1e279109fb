//! What is passed on to the node.

/// Never passed on: with these the node would sign with keys of its own, or manage them.
const ACCOUNTS: [&str; 13] = [
    "personal_*",
    "wallet_*",
    "account_*",
    "clef_*",
    "signer_*",
    "eth_sign*",
    "eth_sendtransaction*",
    "eth_sendunsignedtransaction",
    "eth_accounts",
    "eth_requestaccounts",
    "eth_resend",
    "eth_coinbase",
    "parity_*",
];

/// Passed on only where the configuration names them: with these one controls the node, or makes it work hard.
const CONTROL: [&str; 13] = [
    "admin_*",
    "anvil_*",
    "clique_*",
    "debug_*",
    "dev_*",
    "engine_*",
    "evm_*",
    "hardhat_*",
    "les_*",
    "miner_*",
    "tenderly_*",
    "test_*",
    "testing_*",
];

/// Which methods are passed on: all but those of accounts, and of control only those that are named.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    also: Vec<String>,
}

impl Forwarding {
    /// Adds methods of control, by name or as `debug_*`.
    ///
    /// # Errors
    ///
    /// If one of them is none of control.
    pub fn also(names: Vec<String>) -> Result<Self, String> {
        match names.iter().find(|name| !matches_any(&CONTROL, name.trim_end_matches('*'))) {
            Some(name) => Err(format!("forward: {name} is none of {}", CONTROL.join(", "))),
            None => Ok(Self { also: names }),
        }
    }

    pub(crate) fn allows(&self, method: &str) -> bool {
        // No node known takes the names in capitals. One that does must not be led past the list by them.
        let lower = method.to_ascii_lowercase();
        is_name(method)
            && !matches_any(&ACCOUNTS, &lower)
            && (!matches_any(&CONTROL, &lower) || matches_any(&self.also, method))
    }
}

fn is_name(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn matches_any(patterns: &[impl AsRef<str>], method: &str) -> bool {
    patterns.iter().map(AsRef::as_ref).any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => method.starts_with(prefix),
        None => method == pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_never_the_nodes() {
        let forwarding = Forwarding::also(vec!["debug_*".to_owned(), "anvil_setBalance".to_owned()]).unwrap();
        for (method, allowed) in [
            ("eth_blockNumber", true),
            ("eth_sendRawTransaction", true),
            ("eth_call", true),
            ("web3_clientVersion", true),
            ("txpool_status", true),
            ("debug_traceTransaction", true),
            ("anvil_setBalance", true),
            ("anvil_impersonateAccount", false),
            ("admin_addPeer", false),
            ("personal_unlockAccount", false),
            ("eth_signTypedData", false),
            ("eth_signTypedData_v3", false),
            ("eth_signTransaction", false),
            ("eth_sendTransaction", false),
            ("eth_sendTransactionAsync", false),
            ("eth_accounts", false),
            ("parity_postTransaction", false),
            ("ETH_SENDTRANSACTION", false),
            ("Personal_sign", false),
            (" eth_sign", false),
            ("eth_sign\n", false),
            ("", false),
        ] {
            assert_eq!(forwarding.allows(method), allowed, "{method}");
        }
        assert!(!Forwarding::default().allows("debug_traceTransaction"));
    }

    #[test]
    fn the_configuration_cannot_open_accounts() {
        for name in ["*", "eth_*", "personal_*", "eth_sign", "eth_signTransaction", "eth", "", "debug", "custom_x"] {
            assert!(Forwarding::also(vec![name.to_owned()]).is_err(), "{name}");
        }
        for name in ["debug_*", "anvil_mine", "evm_mine"] {
            assert!(Forwarding::also(vec![name.to_owned()]).is_ok(), "{name}");
        }
    }
}
