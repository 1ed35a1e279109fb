#!/usr/bin/env bash
# The real components the conformance tests run against, pinned, under target/stack, on loopback only:
# ministack (KMS, STS and IAM), microburst (a fault proxy before another ministack) and anvil (an Ethereum node). Two more
# ministacks, east and west, stand for two Regions; each keeps its state in a folder when it is stopped, and east has a
# fault proxy of its own. The one named auth checks signatures and policies. Installed only, for the tests that run them: cargo-lambda
# (a local Lambda runtime), cast (a command-line wallet), Taquito's remote signer, and ethers' test cases.
#
#   tests/stack.sh install       download and unpack; does nothing where that is done
#   tests/stack.sh up            start on free ports; writes them to target/stack/env and prints that file
#   tests/stack.sh down          end what `up` started, by process id
#   tests/stack.sh stop NAME     end one component (SIGTERM) and wait until it has ended
#   tests/stack.sh start NAME    start it again as it was started by `up`, and wait until it answers
#
# Every clone has its own folder and its own ports, so several may run at once. Needs Python 3 and npm.
set -euo pipefail
cd "$(dirname "$0")/.."

STACK=$(pwd -P)/target/stack
VENV=$STACK/venv
RUN=$STACK/run
case "$(uname -sm)" in
'Linux aarch64') BUILD=linux-arm64 ;;
'Darwin arm64') BUILD=darwin-arm64 ;;
'Darwin x86_64') BUILD=darwin-amd64 ;;
*) BUILD=linux-amd64 ;;
esac
ANVIL=$STACK/node_modules/@foundry-rs/anvil-$BUILD/bin/anvil
CAST=$STACK/node_modules/@foundry-rs/cast-$BUILD/bin/cast
PYTHON_PACKAGES=('ministack==1.5.33' 'microburst==0.10.0' 'cryptography>=42')
# Without what they depend on: cargo-lambda needs half a gigabyte of Zig to cross-compile, and nothing to run functions.
PYTHON_PROGRAMS=('cargo-lambda==1.9.2')
NPM_PACKAGES=('@foundry-rs/anvil@1.7.1' '@foundry-rs/cast@1.7.1' '@ethersproject/testcases@5.8.0' '@taquito/remote-signer@21.0.0')

ACCOUNT=123456789012

die() {
    printf 'stack: %s\n' "$*" >&2
    exit 1
}

install() {
    local stamp=$STACK/installed wanted
    command -v python3 >/dev/null || die 'python3 is missing'
    command -v npm >/dev/null || die 'npm is missing'
    # A virtual environment belongs to its folder and its Python.
    wanted="$STACK $(python3 --version) ${PYTHON_PACKAGES[*]} ${PYTHON_PROGRAMS[*]} ${NPM_PACKAGES[*]}"
    if [ -x "$ANVIL" ] && [ -x "$CAST" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    mkdir -p "$STACK"
    rm -rf "$VENV" "$stamp"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check "${PYTHON_PACKAGES[@]}"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --no-deps "${PYTHON_PROGRAMS[@]}"
    npm install --prefix "$STACK" --no-audit --no-fund --ignore-scripts --loglevel=error "${NPM_PACKAGES[@]}"
    [ -x "$ANVIL" ] || die "$ANVIL is not there after npm install"
    [ -x "$CAST" ] || die "$CAST is not there after npm install"
    printf '%s' "$wanted" >"$stamp"
}

free_port() {
    "$VENV/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# launch NAME COMMAND...: in the background, its process id in run/NAME.pid, its output in run/NAME.log, how to do it
# again in run/NAME.command.
launch() {
    local name=$1
    shift
    printf '%q ' "$@" >"$RUN/$name.command"
    nohup "$@" >>"$RUN/$name.log" 2>&1 </dev/null &
    echo $! >"$RUN/$name.pid"
}

start() {
    local name=$1 url
    [ -e "$RUN/$name.command" ] || die "there is no component $name"
    [ ! -e "$RUN/$name.pid" ] || die "$name is running"
    eval "launch $name $(cat "$RUN/$name.command")"
    url=$(cat "$RUN/$name.url")
    wait_for "$name" "$url"
}

# wait_for NAME URL [BODY]: until it answers, to a POST of the body where there is one.
wait_for() {
    local name=$1
    "$VENV/bin/python" - "$(cat "$RUN/$name.pid")" "${@:2}" <<'PYTHON' && return
import os, sys, time, urllib.request

pid, url, body = int(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [None])[0]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
request = urllib.request.Request(url, body and body.encode(), {"content-type": "application/json"})
for _ in range(150):
    os.kill(pid, 0)
    try:
        opener.open(request, timeout=5).close()
        sys.exit()
    except OSError:
        time.sleep(0.2)
sys.exit(1)
PYTHON
    cat "$RUN/$name.log" >&2
    die "$name did not come up at $2"
}

ministack() {
    local name=$1 port=$2
    shift 2
    echo "http://127.0.0.1:$port/_ministack/health" >"$RUN/$name.url"
    launch "$name" env BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$port" SERVICES=kms,sts,iam \
        SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 MINISTACK_ACCOUNT_ID="$ACCOUNT" LOG_LEVEL=WARNING "$@" "$VENV/bin/ministack"
}

up() {
    down
    install
    rm -rf "$RUN"
    mkdir -p "$RUN"
    trap down INT TERM
    # A port can be taken between being found free and being used; then try others.
    local attempt
    for attempt in 1 2 3; do
        if (start_all); then
            cat "$STACK/env"
            return
        fi
        down
    done
    die 'the components did not start; see above'
}

start_all() {
    local kms behind faults node prague east west slow auth
    kms=$(free_port) behind=$(free_port) faults=$(free_port) node=$(free_port) prague=$(free_port)
    east=$(free_port) west=$(free_port) slow=$(free_port)
    auth=$(free_port)
    ministack ministack "$kms"
    ministack ministack-behind "$behind"
    ministack east "$east" PERSIST_STATE=1 STATE_DIR="$RUN/east.state"
    ministack west "$west" PERSIST_STATE=1 STATE_DIR="$RUN/west.state"
    ministack auth "$auth" AUTH=true "$VENV/bin/python" tests/conformance/kms_conditions.py
    launch anvil "$ANVIL" --silent --host 127.0.0.1 --port "$node"
    launch anvil-prague "$ANVIL" --silent --host 127.0.0.1 --port "$prague" --hardfork prague
    wait_for ministack "http://127.0.0.1:$kms/_ministack/health"
    wait_for ministack-behind "http://127.0.0.1:$behind/_ministack/health"
    wait_for east "$(cat "$RUN/east.url")"
    wait_for west "$(cat "$RUN/west.url")"
    wait_for auth "$(cat "$RUN/auth.url")"
    launch microburst-east "$VENV/bin/microburst" --host 127.0.0.1 --port "$slow" --upstream "http://127.0.0.1:$east"
    launch microburst "$VENV/bin/microburst" --host 127.0.0.1 --port "$faults" --upstream "http://127.0.0.1:$behind"
    wait_for microburst "http://127.0.0.1:$faults/_microburst/health"
    wait_for microburst-east "http://127.0.0.1:$slow/_microburst/health"
    local call='{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
    wait_for anvil "http://127.0.0.1:$node" "$call"
    wait_for anvil-prague "http://127.0.0.1:$prague" "$call"
    cat >"$STACK/env" <<ENV
KMS_ENDPOINT=http://127.0.0.1:$kms
KMS_FAULTS_ENDPOINT=http://127.0.0.1:$faults
KMS_EAST_ENDPOINT=http://127.0.0.1:$east
KMS_EAST_FAULTS_ENDPOINT=http://127.0.0.1:$slow
KMS_WEST_ENDPOINT=http://127.0.0.1:$west
KMS_AUTH_ENDPOINT=http://127.0.0.1:$auth
ETH_RPC_URL=http://127.0.0.1:$node
ETH_RPC_URL_PRAGUE=http://127.0.0.1:$prague
CARGO_LAMBDA=$VENV/bin/cargo-lambda
CAST=$CAST
NODE_MODULES=$STACK/node_modules
ENV
}

# is_ours PID: whether it is still a process that we started. Ids are used again, and one that has ended has no command.
# No pipe into grep here: under pipefail, whoever writes into it may be told of its early end, and the answer is wrong.
is_ours() {
    local command
    command=$({ tr '\0' ' ' <"/proc/$1/cmdline" || ps -p "$1" -o command=; } 2>/dev/null) || return 1
    [[ $command == *"$STACK"* ]]
}

stop() {
    local file=$RUN/$1.pid pid tries
    [ -e "$file" ] || die "$1 is not running"
    pid=$(cat "$file")
    if is_ours "$pid"; then
        kill "$pid" 2>/dev/null || true
    fi
    for tries in $(seq 100); do
        is_ours "$pid" || break
        sleep 0.05
    done
    if is_ours "$pid"; then
        kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$file"
}

down() {
    local file
    for file in "$RUN"/*.pid; do
        [ ! -e "$file" ] || stop "$(basename "$file" .pid)"
    done
    # The logs stay until the next `up`, for whoever looks for what went wrong.
    rm -f "$STACK/env"
}

case "${1:-}" in
install | up | down) "$1" ;;
start | stop) "$1" "${2:?which component}" ;;
*) die 'usage: tests/stack.sh install | up | down | start NAME | stop NAME' ;;
esac
