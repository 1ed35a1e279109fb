#!/usr/bin/env bash
# Counts instructions per signature with valgrind's callgrind, which other load on the machine does not change.
# Only the repeated work is counted, not what precedes it: our key has its table then, unless "no table" is asked for.
# With a file's name, writes the counts there, too, for `peers --instructions`.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed" >&2
    exit 1
fi
file=${1:-/dev/null}
: >"$file"
cargo build --release --quiet --locked
binary=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/peers

iterations=640

each() {
    local total
    total=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no --toggle-collect='peers::counted*' \
        "$binary" repeat "$1" --who "$2" --iterations "$iterations" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')
    printf '%s\t%s\t%s\n' "$1" "$2" $((total / iterations)) | tee -a "$file" | cut -f 3
}

echo "| instructions per signature | alloy-signer-aws | kms-signer | kms-signer / alloy-signer-aws | bare SDK |"
echo "|---|---|---|---|---|"
for what in recovery memory loopback; do
    peer=$(each "$what" alloy-signer-aws)
    ours=$(each "$what" kms-signer)
    sdk=
    [ "$what" = recovery ] || sdk=$(each "$what" sdk)
    echo "| $what | $peer | $ours | $(awk "BEGIN { printf \"%.3f\", $ours / $peer }") | $sdk |"
done
echo "| recovery, kms-signer without a table | | $(each recovery kms-signer-no-table) | | |"
echo
echo "libsecp256k1: recovery by trial $(each recovery libsecp256k1), verification alone $(each recovery libsecp256k1-verify)."
