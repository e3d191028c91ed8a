"""Which processors the parts of a measurement get: the daemon (or peer) one, Redis another, the load the others.

With fewer than three, the load runs wherever there is room: it takes part of what it measures, of all that are
measured alike.
"""

import os
import shutil
import subprocess


def shares(cpus):
    """role -> processors, of the sorted list CPUS."""
    daemon, redis, rest = cpus[:1], cpus[1:2] or cpus[:1], cpus[2:]
    return {"daemon": daemon, "redis": redis, "load": rest or cpus, "kafka": rest or cpus}


def punctual():
    """The words before an open loop's generator: it is the clock of the measurement, and a late one says nothing.

    What it takes from them is in their latency. A saturated loop does without: its generator is one of those who share.
    """
    words = ["chrt", "--rr", "1"]
    if shutil.which("chrt") is None:
        return []
    tried = subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=False)
    return words if tried.returncode == 0 else []


def prefix(role, wanted=1):
    """The words before a command that keep it on the processors of its ROLE; WANTED: of them, for a daemon."""
    cpus = sorted(os.sched_getaffinity(0))
    mine = shares(cpus)[role]
    if wanted > 1:  # the daemon's first, then from the end: Redis keeps the second
        mine = [*mine, *cpus[::-1][:wanted - 1]]
    if mine == cpus or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", ",".join(map(str, mine))]
