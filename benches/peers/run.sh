#!/usr/bin/env bash
# Everything in one run, as Markdown, printed and written to target/peers/report.md; the picture to target/peers/peers.svg.
#
#     benches/peers/run.sh              # some minutes, most of them building
#     benches/peers/run.sh --weight     # also crates, bytes and build time of one program over either signer: builds it twice
#     benches/peers/run.sh --picture    # also puts the picture where README has it
set -euo pipefail
cd "$(dirname "$0")/../.."

weight= picture=
for option in "$@"; do
    case $option in
        --weight) weight=yes ;;
        --picture) picture=yes ;;
        *)
            sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
            exit 2
            ;;
    esac
done

target=$PWD/target/peers
export CARGO_TARGET_DIR=$target
mkdir -p "$target"
cargo build --release --quiet --locked --manifest-path benches/peers/Cargo.toml

report() {
    local date options
    date=$(date -u +%Y-%m-%d)
    options=(--date "$date" --svg "$target/peers.svg")
    echo "# alloy-signer-aws and kms-signer"
    echo
    echo "$date, $(nproc) cores, \`benches/peers/run.sh${*:+ $*}\`, $(rustc --version), load $(cut -d ' ' -f 1 /proc/loadavg)."
    echo
    echo "## Instructions (\`benches/peers/instructions.sh\`)"
    echo
    if command -v valgrind >/dev/null; then
        benches/peers/instructions.sh "$target/instructions.tsv"
        options+=(--instructions "$target/instructions.tsv")
    else
        echo "Not counted: valgrind is not installed."
    fi
    echo
    echo "## Times (\`peers ${options[*]//$PWD\//}\`)"
    echo
    "$target/release/peers" "${options[@]}"
    if [ -n "$weight" ]; then
        echo
        echo "## Weight (\`benches/peers/weight.sh\`)"
        echo
        benches/peers/weight.sh
    fi
}

report "$@" | tee "$target/report.md"
[ -z "$picture" ] || cp "$target/peers.svg" benches/peers/peers.svg
