#!/usr/bin/env bash
# benches/instructions.sh: counts with valgrind's callgrind, which other load on the machine does not change, the instructions of
# each stage of instructions.rs, and fails if one takes more than instructions.limits allows. Without valgrind it says so and passes;
# a limit is changed by hand, in the commit that is the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind, which counts the instructions, is not installed"
    exit 0
fi
if [[ $(uname -m) != x86_64 ]]; then
    echo "skipped: the limits are those of x86-64, and this is $(uname -m)"
    exit 0
fi
build=$(cargo bench --locked --color never -p pure --bench instructions --no-run 2>&1) || { echo "$build" >&2; exit 1; }
binary=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$build")

status=0
printf '%-16s %12s %12s\n' stage instructions limit
for stage in $("$binary"); do
    limit=$(awk -v stage="$stage" '$1 == stage { print $2 }' benches/instructions.limits)
    report=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no --toggle-collect='instructions::counted*' \
        "$binary" "$stage" 2>&1) || { echo "$report" >&2; exit 1; }
    rounds=$(sed -n 's/^rounds: //p' <<<"$report")
    total=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$report")
    each=$((total / rounds))
    outcome=
    if ((each == 0)); then
        outcome="  NOTHING COUNTED"
    elif [[ -z $limit ]]; then
        outcome="  NO LIMIT"
    elif ((each > limit)); then
        outcome="  OVER THE LIMIT"
    fi
    [[ -z $outcome ]] || status=1
    printf '%-16s %12s %12s%s\n' "$stage" "$each" "$limit" "$outcome"
done
exit "$status"
