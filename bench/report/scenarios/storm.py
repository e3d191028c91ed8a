"""Redis is killed under load and comes back. All players send again at once, and nothing may be lost."""

import time

TITLE = "A retry storm"
WHAT = ("Redis is killed under 5,000 heartbeats a second and started again on its append-only file some seconds later. "
        "Until then players are told to come again; then all of them do. Afterwards every accepted second is looked up in "
        "Redis and in Kafka.")


def run(bench):
    servers = bench.servers
    before_s, outage_s, after_s = bench.choose((4, 4, 10), (15, 10, 35))
    kafka, redis = servers.kafka(), servers.redis("fsync")
    minuted = servers.daemon(redis, "fsync", kafka, {"publish.running_minutes": "5s"})

    def strike(began):
        time.sleep(max(0, began + before_s - time.monotonic()))
        redis.kill()
        bench.facts["killed_s"] = round(time.monotonic() - began, 2)
        time.sleep(outage_s)
        redis.start()
        bench.facts["back_s"] = round(time.monotonic() - began, 2)

    bench.load.measure(
        "storm", f"5,000/s, Redis away for {outage_s} s", minuted, "--make-sessions", "--verify", "--drain", "60s",
        "--threads", 2, "--load", f"5000:{before_s + outage_s + after_s}s", "--interval", bench.choose("5s", "15s"),
        watch=[("minuted", minuted.pid)], meanwhile=strike)
