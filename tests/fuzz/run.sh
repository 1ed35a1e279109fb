#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS [TARGET…]: runs each target, or those named, for SECONDS. Needs stable Rust and a C++
# compiler, for libFuzzer itself. Prints a line for each target and fails if one found something.
#
# It starts from seeds/<target>/ and from the corpus of earlier runs, which stays under target/fuzz/ with the logs and
# the inputs that were found; target/fuzz/<host>/release/<target> FILE runs one of them again. What is found becomes a
# test beside those of the file that was wrong.
set -euo pipefail
cd "$(dirname "$0")"

all=(spki pem der key_ref recover recover_valid tezos wire)

usage() {
    echo "usage: tests/fuzz/run.sh SECONDS [TARGET…], where TARGET is one of: ${all[*]}" >&2
    exit 2
}

# In bytes: a little more than the longest input that is accepted.
max_len() {
    case $1 in
        spki) echo 512 ;;
        pem) echo 1024 ;;
        der | recover) echo 160 ;;
        key_ref) echo 2200 ;;
        recover_valid) echo 97 ;;
        tezos | wire) echo 4096 ;;
        *) return 1 ;;
    esac
}

[[ ${1:-} =~ ^[1-9][0-9]*$ ]] || usage
seconds=$1
shift
targets=("${@:-${all[@]}}")
for target in "${targets[@]}"; do
    max_len "$target" >/dev/null || usage
done

# What cargo-fuzz passes, without a sanitizer, which would need nightly. Naming the machine's own target keeps the flags
# away from build scripts and procedural macros.
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares"
export RUST_BACKTRACE=0
out=$(cd ../.. && pwd)/target/fuzz
cargo build --locked --quiet --release --bins --target "$host" --target-dir "$out"

# The last number in the log behind what the pattern says.
last() {
    sed -n "s/^$1 *\([0-9][0-9]*\).*/\1/p" "$out/$target.log" | tail -n 1
}

status=0
for target in "${targets[@]}"; do
    mkdir -p "$out/corpus/$target" "$out/found/$target"
    outcome="no finding"
    "$out/$host/release/$target" "$out/corpus/$target" "seeds/$target" \
        -max_total_time="$seconds" -max_len="$(max_len "$target")" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$out/found/$target/" -print_final_stats=1 >"$out/$target.log" 2>&1 || outcome=FINDING
    printf '%-13s %10s executions, %7s per second, %6s edges covered: %s\n' "$target" \
        "$(last stat::number_of_executed_units:)" "$(last stat::average_exec_per_sec:)" "$(last '#.* cov:')" "$outcome"
    if [[ $outcome == FINDING ]]; then
        status=1
        grep -a -A 3 -e ' panicked at ' -e '^==[0-9]*== ERROR' -e 'Test unit written' "$out/$target.log" |
            cut -c 1-300 | sed 's/^/    /'
    fi
done
exit "$status"
