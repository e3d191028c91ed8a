"""Compares a thousand learners with a million at the same rate, to see whether a heartbeat costs more among many."""

TITLE = "A thousand learners, a million learners"
WHAT = ("The same 20,000 heartbeats a second, of learners who each have a record already: what a second heartbeat of a "
        "minute costs does not depend on how many others there are.")

RATE = 20_000


def run(bench):
    measured_s = bench.choose(6, 16)
    many = bench.choose(200_000, 1_000_000)
    bench.facts.update({"few": 1_000, "many": many})
    for name, learners in (("few", 1_000), ("many", many)):
        redis = bench.servers.redis()
        minuted = bench.servers.daemon(redis)
        first_s = max(2, learners // RATE + 1)  # all of them have played by then
        bench.load.measure(
            name, f"{learners:,} learners at {RATE:,}/s", minuted, "--plain", "--backdate", "1h", "--claim", "1s",
            "--players", learners, "--interval", "10ms" if name == "few" else f"{first_s}s", "--warmup", f"{first_s}s",
            "--load", f"{RATE}:{first_s + measured_s}s",
            watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
        bench.servers.end(minuted)
        bench.servers.end(redis)
