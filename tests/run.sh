#!/usr/bin/env bash
# Everything that must hold: format, lints, documentation, feature sets, offline tests, half a minute of fuzzing for each
# target, then the same against an emulator of KMS, a fault proxy and an Ethereum node. Needs Rust, a C++ compiler, Python 3
# and npm. Takes no arguments and leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."

# No test asks the instance metadata service or anybody's account for credentials.
export AWS_EC2_METADATA_DISABLED=true AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
# Everything runs on loopback, which no proxy reaches.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
unset AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_KMS AWS_SESSION_TOKEN KMS_KEY_ID
# Behaviours that an emulator lacks end in a panic that is expected; its backtrace says nothing.
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0

# What hangs is a failure, and is ended: the longest of these takes a few minutes, or some more where all must be compiled.
step() {
    printf '\n== %s\n' "$*"
    tests/limit.py 30 "$@"
}

step cargo fmt --all --check
step cargo clippy --workspace --all-features --all-targets --locked -- -D warnings
for features in "" aws aws,network aws,eip712 connect sso,network keys guard seal solana stellar tezos tracing metrics serde fake-kms; do
    step cargo clippy --locked --no-default-features --features "$features" -- -D warnings
done
# The comparison with alloy-signer-aws has its own lock file, whose SDK is the oldest this crate allows.
step cargo fmt --check --manifest-path benches/peers/Cargo.toml
step cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
step cargo clippy --locked --manifest-path benches/peers/Cargo.toml --target-dir target/peers --all-targets --features full -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --all-features --no-deps --locked

step cargo test --locked
# Packages of their own, so that no feature of another package hides what theirs lack.
for package in embed minimal no_sso pure; do
    step cargo test --locked -p "$package"
done
step cargo test --locked -p conformance --test tls
step cargo run --locked --quiet --example quickstart
step cargo test --locked -p lambda
step cargo run --locked --quiet -p lambda
step cargo test --locked -p remote-signer
step cargo test --locked -p tezos-vault

# Skipped, with a word on it, where valgrind is missing.
step benches/instructions.sh

# Seconds for each target; what was found is kept under target/fuzz/.
step tests/fuzz/run.sh 30

printf '\n== the crate without features needs no random numbers on wasm32\n'
wasm=$(cargo tree --locked --no-default-features --edges normal --prefix none --target wasm32-unknown-unknown)
if grep '^getrandom ' <<<"$wasm"; then
    exit 1
fi

# Ends the components, whatever happened, and fails if one of them outlives that.
stop() {
    local status=$? pid pids
    pids=$(cat target/stack/run/*.pid 2>/dev/null) || true
    tests/stack.sh down
    for pid in $pids; do
        if grep --quiet . "/proc/$pid/cmdline" 2>/dev/null; then
            echo "process $pid is still running" >&2
            status=1
        fi
    done
    exit "$status"
}
trap stop EXIT
step tests/stack.sh up
set -a
. target/stack/env
set +a
step cargo test --locked -p conformance \
    --test auth --test conformance --test ed25519 --test examples --test faults --test lambda --test regions --test remote_signer --test seal --test tezos --test transactions --test validator --test vectors \
    -- --include-ignored --nocapture
