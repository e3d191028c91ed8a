"""Ends whatever a test runner leaves running, however the runner ended, SIGKILL included.

A runner is pytest, one of its workers, a storm or a report. Its guard is a small process that reads from a pipe which
only the runner holds open. The pipe closes when the runner is gone; then the guard kills the runner's family:

- the processes that the runner named with keep(), and all of their sessions;
- every process with the runner's mark in its environment, which children inherit. Some programs, such as Redis, write
  their title over their environment; so long-lived children are named as well;
- whatever descends from any of these.
"""

import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

MARK = "TEST_RUNNER"
GUARD = "TEST_GUARD"  # in the environment of guards, which belong to nobody's family
ROUNDS_MAX = 200
PAUSE_S = 0.05


class Guard:
    """This process's guard, as its runner sees it."""

    def __init__(self):
        self.mark = os.environ[MARK] = f"{os.getpid()}-{os.urandom(8).hex()}"
        self.kept = set()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self.mark], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={GUARD: "1"}, start_new_session=True)

    def keep(self, process):
        """Names a child, a Popen that leads a session of its own."""
        child = process.pid, started(process.pid)
        self.kept.add(child)
        os.write(self.process.stdin.fileno(), "{} {}\n".format(*child).encode())

    def family(self):
        """The ids of all that would be killed if this process ended now."""
        return family(self.mark, self.kept)


@cache
def begin():
    """Starts this process's guard, once; gives it back."""
    return Guard()


# --- what /proc tells ---------------------------------------------------------------------------

def stat(pid):
    """The fields of /proc/PID/stat from the process's state on; none where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def started(pid):
    """When the process began, in the kernel's ticks: it tells the process from a later one with the same id."""
    return (stat(pid) or ["0"] * 20)[19]


def environment_of(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def family(mark, kept=()):
    """The processes that bear MARK or were KEPT (pairs of an id and its start), their sessions, and all descendants."""
    stats = {int(entry): stat(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    stats = {pid: fields for pid, fields in stats.items() if fields and fields[0] != "Z"}
    environments = {pid: environment_of(pid) for pid in stats}
    # A session's id is not given to another process as long as the session has members.
    sessions = {pid for pid, start in kept if pid not in stats or stats[pid][19] == start}
    found = {pid for pid in stats if f"{MARK}={mark}".encode() in environments[pid] or int(stats[pid][3]) in sessions}
    grown = True
    while grown:
        children = {pid for pid in stats if int(stats[pid][1]) in found} - found
        grown = bool(children)
        found |= children
    return {pid for pid in found if not any(e.startswith(GUARD.encode() + b"=") for e in environments[pid])}


# --- the guard itself ---------------------------------------------------------------------------

def end_family(mark, kept):
    """Kills until nothing is left: a process may start another while it is being ended."""
    for _ in range(ROUNDS_MAX):
        left = family(mark, kept)
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass  # it has just ended, or is not ours
        time.sleep(PAUSE_S)  # sleeps: it looks again and again


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    kept = set()
    for line in sys.stdin:
        pid, start = line.split()
        kept.add((int(pid), start))
    end_family(sys.argv[1], kept)


if __name__ == "__main__":
    main()
