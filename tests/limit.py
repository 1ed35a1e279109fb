#!/usr/bin/env python3
"""limit.py MINUTES COMMAND...: runs a command, and ends it with all that it started if it takes longer."""

import os
import signal
import subprocess
import sys


def descendants(root):
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children = {}
    for line in listing.splitlines():
        pid, parent = map(int, line.split())
        children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


minutes, command = float(sys.argv[1]), sys.argv[2:]
process = subprocess.Popen(command)
try:
    status = process.wait(minutes * 60)
except subprocess.TimeoutExpired:
    print(f"limit: after {minutes:g} minutes it has not ended: {' '.join(command)}", file=sys.stderr, flush=True)
    for pid in descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()
    status = 1
except KeyboardInterrupt:
    # It was told as well.
    status = process.wait()
sys.exit(status if status >= 0 else 128 - status)
