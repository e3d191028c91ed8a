"""Compares what an answer may wait for: nothing, the disk, or a replica."""

TITLE = "Durability"
WHAT = ("What `accepted` waits for: nothing (memory), Redis's append-only file on the disk (fsync), or a replica that "
        "has it too (replicas; here on the processor of the primary). In rounds, saturated.")


def run(bench):
    servers = bench.servers
    primary = servers.redis()
    servers.replica_of(primary)
    kinds = {"memory": servers.redis(), "fsync": servers.redis("fsync"), "replicas": primary}
    daemons = {kind: servers.daemon(redis, kind) for kind, redis in kinds.items()}
    for turn in range(1, bench.choose(1, 3) + 1):
        for kind, redis in kinds.items():
            bench.load.measure(f"{kind}-{turn}", f"durability {kind}, round {turn}", daemons[kind], *bench.closed(),
                               watch=[("minuted", daemons[kind].pid), ("redis", redis.process.pid)])
