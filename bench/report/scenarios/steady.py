"""20,000 heartbeats a second of players who play in real time."""

TITLE = "Steady: 20,000 heartbeats a second"
WHAT = ("An open loop: heartbeats are due whether or not the ones before were answered, and latency counts from then. "
        "Redis's partitions are compared, and one run has players who pause, seek and send again, with every second "
        "looked up in Redis and in Kafka afterwards.")


def run(bench):
    plain(bench, "memory", "memory")
    plain(bench, "fsync", "fsync")
    for partitions in (4, 16):  # the other runs have one partition
        plain(bench, f"partitions-{partitions}", "memory", {"redis.partitions": partitions})
    verified(bench)


def plain(bench, name, durability, changes=None):
    redis = bench.servers.redis(durability)
    minuted = bench.servers.daemon(redis, durability, changes=changes)
    bench.load.measure(name, f"20,000/s, {name.replace('-', ' ')}", minuted, *bench.steady(),
                       watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
    bench.servers.end(minuted)
    bench.servers.end(redis)


def verified(bench):
    kafka = bench.servers.kafka()
    redis = bench.servers.redis("fsync")
    minuted = bench.servers.daemon(redis, "fsync", kafka, {"publish.running_minutes": "5s"})
    bench.load.measure(
        "verified", "5,000/s of lively players, each second looked up in Redis and Kafka", minuted,
        "--make-sessions", "--load", bench.choose("5000:7s", "5000:40s"), "--interval", bench.choose("2s", "15s"),
        "--threads", 2, "--verify", watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
