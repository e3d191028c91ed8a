"""The last day: the rate rises tenfold within a minute."""

TITLE = "The last-day rush"
WHAT = "The rate rises tenfold, from 2,000/s to 20,000/s, and stays there."


def run(bench):
    redis = bench.servers.redis("fsync")
    minuted = bench.servers.daemon(redis, "fsync")
    bench.load.measure("rush", "2,000/s to 20,000/s, fsync", minuted, "--make-sessions", "--load",
                       bench.choose("2000-20000:8s,20000:4s", "2000-20000:30s,20000:30s"), "--interval",
                       bench.choose("3s", "15s"), "--warmup", "2s",
                       watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
