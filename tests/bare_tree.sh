#!/usr/bin/env bash
# What the crate depends on without features, and what no dependency of it may be.
set -euo pipefail
cd "$(dirname "$0")/.."

tree() {
    cargo tree --locked --edges normal --prefix none --format '{p}' "$@" | sed 's/ (\*)$//' | sort -u
}

bare=$(tree --no-default-features)
if grep -E '^(aws-|tokio |hyper |alloy-signer |getrandom )' <<<"$bare"; then
    echo "the crate without features depends on the above" >&2
    exit 1
fi
if tree --no-default-features --target wasm32-unknown-unknown | grep '^getrandom '; then
    echo "the crate without features needs random numbers on wasm32" >&2
    exit 1
fi
printf 'crates: %s without features, %s by default\n' "$(wc -l <<<"$bare")" "$(tree | wc -l)"
