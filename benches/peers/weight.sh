#!/usr/bin/env bash
# What a small program weighs over either signer, with the same features of aws-config and the same versions of everything both
# have: crates, stripped bytes, and the time of a release build from nothing. Builds twice, for minutes.
# `weight.sh --crates` counts crates only.
set -euo pipefail
cd "$(dirname "$0")/weight"
target=${CARGO_TARGET_DIR:-$PWD/../../../target/peers}/weight

crates() {
    cargo tree --quiet --locked --manifest-path "$1/Cargo.toml" -e normal --prefix none | sed 's/ (\*)$//' | sort -u
}

# The SDK's legacy HTTP and TLS stack, and how many versions of each there are.
stacks() {
    local each
    each=$(crates "$1")
    for name in hyper rustls; do
        grep "^$name v" <<<"$each" | cut -d ' ' -f 1-2
    done | paste -sd ',' | sed 's/,/, /g'
}

build() {
    rm -rf "${target:?}/$1"
    local TIMEFORMAT='%R %U %S'
    { time cargo build --release --quiet --locked --manifest-path "$1/Cargo.toml" --target-dir "$target/$1" 2>/dev/null; } 2>&1
}

row() { echo "| $1 | $2 | $3 | $(awk "BEGIN { printf \"%.2f\", $3 / $2 }") |"; }

echo "| \`benches/peers/weight\` | alloy-signer-aws | kms-signer | ratio |"
echo "|---|---|---|---|"
row "crates, the program's own not counted" $(($(crates theirs | wc -l) - 1)) $(($(crates ours | wc -l) - 1))
echo "| HTTP and TLS stacks | $(stacks theirs) | $(stacks ours) | |"
[ "${1:-}" != --crates ] || exit 0

# Downloading is no part of building.
for each in theirs ours; do
    cargo fetch --quiet --locked --manifest-path "$each/Cargo.toml"
done
read -r wall user system <<<"$(build theirs)"
read -r our_wall our_user our_system <<<"$(build ours)"
row "release build on $(nproc) cores, wall s" "$wall" "$our_wall"
row "the same, CPU s" "$(awk "BEGIN { print $user + $system }")" "$(awk "BEGIN { print $our_user + $our_system }")"
row "stripped bytes" "$(stat -c %s "$target/theirs/release/weight-theirs")" "$(stat -c %s "$target/ours/release/weight-ours")"
