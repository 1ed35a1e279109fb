#!/usr/bin/env python3
"""limit.py MINUTES COMMAND...: runs a command, and ends it with all that it started if it takes longer, or when it is told to end itself."""

import os
import signal
import subprocess
import sys

TOLD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    for number in TOLD:
        signal.signal(number, signal.SIG_IGN)
    for pid in descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            # It has ended, or is somebody else's.
            pass
    process.wait()


def told(number, _frame):
    sys.exit(128 + number)


minutes, command = float(sys.argv[1]), sys.argv[2:]
for number in TOLD:
    signal.signal(number, told)
# In a session of its own, so that a terminal tells this program only.
process = subprocess.Popen(command, start_new_session=True)
try:
    status = process.wait(minutes * 60)
except subprocess.TimeoutExpired:
    end(process)
    print(f"limit: after {minutes:g} minutes it had not ended: {' '.join(command)}", file=sys.stderr)
    status = 1
except SystemExit:
    end(process)
    raise
sys.exit(status if status >= 0 else 128 - status)
