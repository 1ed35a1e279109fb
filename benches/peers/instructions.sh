#!/usr/bin/env bash
# Counts instructions per signature with valgrind's callgrind, which other load on the machine does not change.
# Only the repeated work is counted, not what precedes it.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed" >&2
    exit 1
fi
cargo build --release --quiet
binary=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/peers

iterations=200

each() {
    local total
    total=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no --toggle-collect='peers::counted*' \
        "$binary" repeat "$1" --who "$2" --iterations "$iterations" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')
    echo $((total / iterations))
}

echo "| instructions per signature | alloy-signer-aws | kms-signer | kms-signer / alloy-signer-aws |"
echo "|---|---|---|---|"
for what in recovery memory; do
    peer=$(each "$what" alloy-signer-aws)
    ours=$(each "$what" kms-signer)
    echo "| $what | $peer | $ours | $(awk "BEGIN { printf \"%.2f\", $ours / $peer }") |"
done
echo "| memory, bare SDK | $(each memory sdk) | | |"
