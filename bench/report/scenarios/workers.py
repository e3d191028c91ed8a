"""Compares one worker with two, if there are processors for two workers, for Redis and for the load."""

import os

TITLE = "One worker, two workers"
WHAT = "Saturated, with a processor for each worker, one for Redis and one for the load."

CPUS_WANTED = 4


def run(bench):
    cpus = len(os.sched_getaffinity(0))
    if cpus < CPUS_WANTED:
        bench.facts["skipped"] = f"it takes {CPUS_WANTED} processors, and here are {cpus}"
        return
    for turn in range(1, bench.choose(1, 3) + 1):
        for workers in (1, 2):
            redis = bench.servers.redis()
            minuted = bench.servers.daemon(redis, changes={"http.workers": workers})
            bench.load.measure(f"workers-{workers}-{turn}", f"{workers} workers, round {turn}", minuted, *bench.closed(),
                               watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
            bench.servers.end(minuted)
            bench.servers.end(redis)
