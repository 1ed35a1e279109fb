#!/usr/bin/env bash
# benches/guard.sh [OPTION...]: what guard and audit cost. First the instructions of a signature with and without a guard, counted by valgrind's
# callgrind, which other load on the machine does not change; FakeKms's own are left out. Then processor time, throughput and
# latencies of 100,000 requests from 64 clients; options are those of guard.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$(cargo bench --locked --color never --bench guard --no-run 2>&1) || { echo "$build" >&2; exit 1; }
binary=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$build")

# 70 % of the requests are within the rules.
requests=640
signatures=$((requests * 7 / 10))
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no --toggle-collect='guard::counted*' \
        --toggle-collect='kms_signer::fake::exchange::respond*' "$binary" --count "$1" --requests "$requests" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
if command -v valgrind >/dev/null; then
    bare=$(($(instructions bare) / signatures))
    times() {
        awk "BEGIN { printf \"%.3f\", $1 / $bare }"
    }
    spared=$(($(instructions spared) / signatures))
    guard=$(($(instructions guard) / signatures))
    echo "Instructions per signature: bare $bare; with a guard $spared, $(times "$spared") times as many; with one that also denies three"
    echo "requests for each seven signatures $guard, $(times "$guard") times as many."
    echo
else
    echo "Instructions are not counted: valgrind is not installed." >&2
fi
"$binary" "$@"
