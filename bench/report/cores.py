"""Decides which processors each part of a measurement gets: the daemon (or peer) one, Redis another, the load the others.

With fewer than three processors the load runs on all of them. It then takes time from what it measures, and from everything
that is compared alike.
"""

import os
import shutil
import subprocess


def shares(cpus):
    """role -> its processors, taken from the sorted list CPUS."""
    daemon, redis, rest = cpus[:1], cpus[1:2] or cpus[:1], cpus[2:]
    return {"daemon": daemon, "redis": redis, "load": rest or cpus, "kafka": rest or cpus}


def punctual():
    """The words before the command of an open loop's generator that give it real-time priority, so that it is never late.

    The time that it takes from the servers is part of their latency. A saturated loop does without: its generator shares.
    """
    words = ["chrt", "--rr", "1"]
    if shutil.which("chrt") is None:
        return []
    tried = subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=False)
    return words if tried.returncode == 0 else []


def prefix(role, wanted=1):
    """The words before a command that keep it on the processors of its ROLE. WANTED: how many, for a daemon."""
    cpus = sorted(os.sched_getaffinity(0))
    mine = shares(cpus)[role]
    if wanted > 1:  # the daemon's own, then others from the end, since Redis has the second
        mine = [*mine, *cpus[::-1][:wanted - 1]]
    if mine == cpus or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", ",".join(map(str, mine))]
