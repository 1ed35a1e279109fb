#!/usr/bin/env python3
"""limit.py MINUTES COMMAND...: runs a command, and ends it with all that it started if it takes longer, or when it is told to end."""

import os
import signal
import subprocess
import sys


def descendants(root):
    try:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"limit: what it started is left running: ps: {error}", file=sys.stderr)
        return [root]
    children = {}
    for line in listing.splitlines():
        pid, parent = map(int, line.split())
        children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def end(process):
    for pid in descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def terminated(*_):
    sys.exit(128 + signal.SIGTERM)


minutes, command = float(sys.argv[1]), sys.argv[2:]
signal.signal(signal.SIGTERM, terminated)
process = subprocess.Popen(command)
try:
    status = process.wait(minutes * 60)
except subprocess.TimeoutExpired:
    print(f"limit: after {minutes:g} minutes it has not ended: {' '.join(command)}", file=sys.stderr, flush=True)
    end(process)
    status = 1
except KeyboardInterrupt:
    # It was told as well, by the terminal.
    try:
        status = process.wait(10)
    except subprocess.TimeoutExpired:
        end(process)
        status = 128 + signal.SIGINT
except SystemExit:
    end(process)
    raise
sys.exit(status if status >= 0 else 128 - status)
