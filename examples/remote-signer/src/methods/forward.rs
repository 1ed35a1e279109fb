//! What is passed on to the node.

/// What is passed on without being named: what reads the chain, and sends what was signed elsewhere.
const OPEN: [&str; 9] = ["eth_", "net_", "web3_", "txpool_", "trace_", "rollup_", "zks_", "ots_", "erigon_"];

/// Never passed on, in whatever namespace: with these the node would sign with keys of its own, or manage them. What follows the first `_`, in small
/// letters, begins so.
const ACCOUNTS: [&str; 9] = [
    "sign",
    "sendtransaction",
    "sendunsigned",
    "accounts",
    "requestaccounts",
    "resend",
    "coinbase",
    "fillandsign",
    "insertkey",
];

/// Namespaces that are about nothing but accounts.
const CLOSED: [&str; 8] =
    ["personal_", "wallet_", "account_", "clef_", "signer_", "parity_", "secretstore_", "author_"];

/// Which methods are passed on: those of open namespaces, others that are named, and none of accounts.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    also: Vec<String>,
}

impl Forwarding {
    /// Adds methods of other namespaces, by name or as `debug_*`.
    ///
    /// # Errors
    ///
    /// If one of them is no name, or of accounts.
    pub fn also(names: Vec<String>) -> Result<Self, String> {
        for name in &names {
            let plain = name.strip_suffix('*').unwrap_or(name);
            if !is_name(plain) || !plain.contains('_') {
                return Err(format!("forward: {name:?} is neither a method nor a namespace, as \"debug_*\""));
            }
            if is_of_accounts(plain) {
                return Err(format!("forward: {name} would let the node sign with keys of its own"));
            }
        }
        Ok(Self { also: names })
    }

    pub(crate) fn allows(&self, method: &str) -> bool {
        let named = || {
            self.also.iter().any(|also| match also.strip_suffix('*') {
                Some(prefix) => method.starts_with(prefix),
                None => method == also,
            })
        };
        is_name(method)
            && !is_of_accounts(method)
            && (OPEN.iter().any(|namespace| method.starts_with(namespace)) || named())
    }
}

/// No node known takes names in capitals. One that does must not be led past the list by them.
fn is_of_accounts(method: &str) -> bool {
    let method = method.to_ascii_lowercase();
    let name = method.split_once('_').map_or(&*method, |(_, name)| name);
    CLOSED.iter().any(|closed| method.starts_with(closed)) || ACCOUNTS.iter().any(|of| name.starts_with(of))
}

fn is_name(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
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
            ("kaia_signTransaction", false),
            ("klay_sendTransaction", false),
            ("eea_sendTransaction", false),
            ("debug_signBlock", false),
            ("author_insertKey", false),
            ("secretstore_signRawHash", false),
            ("perm_addNodesToAllowlist", false),
            ("raft_addPeer", false),
            ("qbft_proposeValidatorVote", false),
            ("custom_method", false),
            ("eth_sendRawTransactionSync", true),
            ("zks_getL1BatchDetails", true),
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
        for name in ["*", "personal_*", "eth_sign", "eth_signTransaction", "kaia_sign*", "eth", "", "debug", "a b_c"] {
            assert!(Forwarding::also(vec![name.to_owned()]).is_err(), "{name}");
        }
        for name in ["debug_*", "anvil_mine", "evm_mine", "custom_x", "raft_*"] {
            assert!(Forwarding::also(vec![name.to_owned()]).is_ok(), "{name}");
        }
    }
}
