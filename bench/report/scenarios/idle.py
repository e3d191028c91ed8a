"""Measures the memory of kept-alive connections that send nothing."""

TITLE = "Idle connections"
WHAT = "10,000 kept-alive connections that do nothing, beside a light load: what each adds to the daemon's own memory."


def run(bench):
    redis = bench.servers.redis()
    minuted = bench.servers.daemon(redis)
    bench.load.measure("idle", "10,000 idle connections", minuted, "--plain", "--make-sessions", "--idle", 10_000,
                       "--load", "500:5s", "--interval", "2s", "--warmup", "1s", "--drain", "10s",
                       watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
