"""What the kernel knows of a running process: processor time, memory, descriptors; and limits set on it."""

import itertools
import os
import resource
import struct
import time
from contextlib import contextmanager
from pathlib import Path

from .daemon import BUILD, SANITIZERS

CLOCK_SHIM = BUILD / "tests" / "libclock-shim.so"

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_share(pid, seconds=1.0):
    """Processor time over the next SECONDS, as a share of one processor."""
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)  # sleeps: the window that is measured
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)


def memory(pid, field="VmRSS"):
    """Bytes: VmRSS now, RssAnon of it not of files, VmHWM the most ever resident, VmSize mapped."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} of {pid}")


def descriptors_left(pid, n):
    """The RLIMIT_NOFILE that leaves N descriptors: it bounds their numbers, and those below it may have gaps."""
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    free = itertools.filterfalse(used.__contains__, itertools.count())
    return next(itertools.islice(free, n, None))


def limit(pid, what, value):
    """Sets the soft limit of WHAT (resource.RLIMIT_…), which the process could raise itself."""
    resource.prlimit(pid, what, (value, resource.prlimit(pid, what)[1]))


@contextmanager
def limited(pid, what, value):
    """The soft limit of WHAT for a while."""
    before = resource.prlimit(pid, what)
    limit(pid, what, value)
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


class WallClock:
    """The wall clock of the services that it is given to: the machine's, and so many milliseconds away from it."""

    def __init__(self, path, ms=0):
        self.path, self.passed_ms = path, 0
        self.set(ms)

    def set(self, ms):
        """Steps the wall clock."""
        self.ms = ms
        self._write()

    def advance(self, ms):
        """Time passes: the wall clock and CLOCK_BOOTTIME go on alike."""
        self.passed_ms += ms
        self._write()

    def _write(self):
        """In place: the processes have the file mapped."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("qq", self.ms + self.passed_ms, self.passed_ms))

    def give_to(self, service):
        """Before it is started. A sanitizer would rather come before a preloaded library, and need not."""
        service.environment = {"LD_PRELOAD": str(CLOCK_SHIM), "CLOCK_SHIM_FILE": str(self.path),
                               "ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
        return service
